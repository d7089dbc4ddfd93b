/* Framed values into JSON: see framed_values.h. Plans are compiled when their schema is first met. */
#include "scorer/framed_values.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "avro/plan.h"
#include "avro/registry_answer.h"
#include "avro/registry_client.h"
#include "avro/registry_settings.h"
#include "base/clock.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "events/fault.h"
#include "events/frame.h"
#include "events/json_event.h"

enum { REGISTRY_WAIT_US = 10000000, REGISTRY_LOOK_US = 5000 };

struct known_schema {
    struct schema_key key;
    struct avro_schema *schema; /* NULL: one of type JSON */
    struct plan *plan;          /* NULL: not met yet */
};

struct framed_values {
    struct known_schema *schemas;
    size_t count, capacity;
    struct registry_client *registry; /* NULL: none */
    struct machine *machine;
    struct json_reader reader;
    struct buffer text; /* a schema's */
};

static void add(struct framed_values *values, const struct schema_key *key, struct avro_schema *schema)
{
    values->schemas = mem_grow(values->schemas, &values->capacity, values->count + 1, sizeof *values->schemas);
    values->schemas[values->count++] = (struct known_schema){.key = *key, .schema = schema};
}

/* --- what ids.json names, of whatever kind --- */

static enum status read_row(struct framed_values *values, const char *directory, const json_t *row, struct error *err)
{
    char path[4096];
    struct avro_schema *schema;
    json_int_t id = json_integer_value(json_object_get(row, "id"));
    const char *file = json_string_value(json_object_get(row, "file"));
    if (id <= 0 || id > UINT32_MAX || !file)
        return error_set(err, STATUS_INVALID, "%s/ids.json: each row needs an id and a file", directory);
    snprintf(path, sizeof path, "%s/%s", directory, file);
    enum status status = avro_schema_read(path, &schema, err);
    const struct schema_key key = schema_key_of_id((uint32_t)id);
    if (status == STATUS_OK)
        add(values, &key, schema);
    return status;
}

static enum status read_rows(struct framed_values *values, const char *directory, json_t *ids, struct error *err)
{
    const char *kind;
    json_t *rows;
    json_object_foreach (ids, kind, rows) {
        for (size_t r = 0; r < json_array_size(rows); r++) {
            enum status status = read_row(values, directory, json_array_get(rows, r), err);
            if (status != STATUS_OK)
                return status;
        }
    }
    return STATUS_OK;
}

static enum status read_ids(struct framed_values *values, const char *directory, struct error *err)
{
    char path[4096];
    json_error_t where;
    snprintf(path, sizeof path, "%s/ids.json", directory);
    json_t *ids = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!ids)
        return error_set(err, STATUS_NOT_FOUND, "%s: %s", path, where.text);
    enum status status = read_rows(values, directory, ids, err);
    json_decref(ids);
    return status;
}

enum status framed_values_new(const struct options *options, struct framed_values **out, struct error *err)
{
    struct framed_values *values = mem_zeroed(1, sizeof *values);
    struct registry_settings registry = registry_settings_read(options);
    registry.lookup_only = true;
    values->machine = machine_new();
    enum status status = read_ids(values, options_text(options, OPTION_SCHEMAS_DIR), err);
    if (status == STATUS_OK && registry.urls)
        status = registry_client_new(&registry, NULL, &values->registry, err);
    if (status != STATUS_OK) {
        framed_values_free(values);
        return status;
    }
    *out = values;
    return STATUS_OK;
}

void framed_values_free(struct framed_values *values)
{
    if (!values)
        return;
    for (size_t i = 0; i < values->count; i++) {
        plan_free(values->schemas[i].plan);
        avro_schema_free(values->schemas[i].schema);
    }
    free(values->schemas);
    registry_client_free(values->registry);
    machine_free(values->machine);
    json_reader_free(&values->reader);
    buffer_free(&values->text);
    free(values);
}

/* --- one value --- */

static struct known_schema *find(const struct framed_values *values, const struct schema_key *key)
{
    for (size_t i = 0; i < values->count; i++)
        if (schema_key_equal(&values->schemas[i].key, key))
            return &values->schemas[i];
    return NULL;
}

static enum event_code ask_registry(struct framed_values *values, const struct schema_key *key, struct fault *fault)
{
    char name[SCHEMA_KEY_TEXT_BYTES];
    struct error why = {0};
    struct avro_schema *schema = NULL;
    enum registry_find found = REGISTRY_FIND_UNKNOWN;
    int64_t until_us = clock_steady_us(&clock_system) + REGISTRY_WAIT_US;
    schema_key_text(key, name);
    while (values->registry &&
           (found = registry_client_find(values->registry, key, &values->text, &why)) == REGISTRY_FIND_WAIT &&
           clock_steady_us(&clock_system) < until_us)
        usleep(REGISTRY_LOOK_US);
    if (found == REGISTRY_FIND_WAIT)
        return fault_set(fault, EVENT_UNKNOWN_SCHEMA_ID, FAULT_NO_COLUMN,
                         "schema id %s is not in ids.json, and the schema registry has not answered in 10 s", name);
    if (found == REGISTRY_FIND_UNUSABLE)
        return fault_set(fault, EVENT_UNRESOLVABLE_SCHEMA, FAULT_NO_COLUMN, "schema id %s: %.100s", name, why.text);
    if (found == REGISTRY_FIND_UNKNOWN)
        return fault_set(fault, EVENT_UNKNOWN_SCHEMA_ID, FAULT_NO_COLUMN, "schema id %s is not in ids.json%s", name,
                         values->registry ? ", nor known to the schema registry" : " (set SCHEMA_REGISTRY_URL?)");
    bool is_json = span_equal(buffer_span(&values->text), SPAN_LITERAL(REGISTRY_JSON));
    if (!is_json && avro_schema_parse(buffer_span(&values->text), &schema, &why) != STATUS_OK)
        return fault_set(fault, EVENT_UNRESOLVABLE_SCHEMA, FAULT_NO_COLUMN, "schema id %s: %.100s", name, why.text);
    add(values, key, schema);
    return EVENT_OK;
}

/* Of a text that is sound JSON. */
static void write_without_blanks(struct span text, struct buffer *out)
{
    bool in_text = false, escaped = false;
    for (const char *at = text.data; at < text.data + text.bytes; at++) {
        in_text ^= *at == '"' && !escaped;
        escaped = *at == '\\' && !escaped;
        if (in_text || !memchr(" \t\r\n", *at, 4))
            buffer_add_u8(out, (uint8_t)*at);
    }
}

static enum event_code write_json(struct framed_values *values, struct span value, struct buffer *out,
                                  struct fault *fault)
{
    struct json_reader *reader = &values->reader;
    struct json_faults faults = {.list = fault, .capacity = 1};
    struct span all;
    json_reader_start(reader, value);
    json_skip_value(reader, &all);
    bool sound = json_reader_end(reader) == JSON_FLAW_NONE;
    enum event_code code = sound ? EVENT_OK : json_refuse_flaw(reader, &faults);
    json_reader_reset(reader);
    if (sound)
        write_without_blanks(value, out);
    return code;
}

static enum event_code write_frame(struct framed_values *values, struct span value, struct buffer *out,
                                   struct fault *fault)
{
    struct frame frame;
    struct error why;
    struct datum_fault flaw;
    enum event_code code = frame_read(value, SPAN_NULL, &frame, fault);
    if (code == EVENT_OK && !find(values, &frame.key))
        code = ask_registry(values, &frame.key, fault);
    if (code != EVENT_OK)
        return code;
    struct known_schema *known = find(values, &frame.key);
    if (!known->schema)
        return write_json(values, frame.datum, out, fault);
    const struct avro_type *type = avro_schema_type(known->schema);
    if (!known->plan && plan_compile(type, type, &known->plan, &why) != STATUS_OK)
        return fault_set(fault, EVENT_UNRESOLVABLE_SCHEMA, FAULT_NO_COLUMN, "%.150s", why.text);
    if (plan_run_json(known->plan, values->machine, frame.datum, out, &flaw) != DATUM_OK)
        return fault_set_datum(fault, &flaw);
    return EVENT_OK;
}

enum event_code framed_values_write(struct framed_values *values, struct span value, struct buffer *out,
                                    struct fault *fault)
{
    if (!value.data) {
        buffer_add_text(out, "null");
        return EVENT_OK;
    }
    return json_events_recognize(value) ? write_json(values, value, out, fault)
                                        : write_frame(values, value, out, fault);
}
