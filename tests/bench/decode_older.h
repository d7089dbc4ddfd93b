/* An older schema and the reader that has grown from it, both made from the shipped one in a directory, and the same
 * events as the older schema writes them. */
#pragma once

#include <jansson.h>
#include <unistd.h>

#include "avro/type.h"
#include "avro/write.h"
#include "base/json.h"
#include "events/frame.h"
#include "tests/bench/decode_events.h"

#define FORMER_NAME "former_name"

struct directory {
    char path[64];
};

static const char *const directory_files[] = {"shipped.avsc",
                                              "employee_event.avsc",
                                              "employee_event.2.avsc",
                                              "prediction.avsc",
                                              "older.avsc",
                                              "ids.json",
                                              "same.bin",
                                              "older.bin"};

static inline const char *path_of(const struct directory *directory, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory->path, name);
    return path;
}

static inline json_t *shipped_json(const char *name)
{
    char path[512];
    json_error_t why;
    snprintf(path, sizeof path, "%s/%s", schemas_directory(), name);
    json_t *json = json_load_file(path, 0, &why);
    if (!json)
        abort();
    return json;
}

static inline void put_json(const struct directory *directory, const char *name, json_t *json)
{
    if (json_dump_file(json, path_of(directory, name), 0) != 0)
        abort();
}

static inline bool text_is(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value && strcmp(value, text) == 0;
}

static json_t *type_of(json_t *schema, const char *name) /* of a field */
{
    json_t *field;
    size_t f;
    json_array_foreach (json_object_get(schema, "fields"), f, field)
        if (text_is(field, "name", name))
            return json_object_get(field, "type");
    abort();
}

static inline json_t *attributes_of(json_t *schema)
{
    return json_object_get(type_of(schema, "attributes"), "fields");
}

/* Of three numeric fields one stays as it is, one becomes `whole`, one `real`. */
static inline void retype(json_t *fields, const char *whole, const char *real)
{
    json_t *field;
    size_t f, numbers = 0;
    json_array_foreach (fields, f, field) {
        size_t turn = text_is(field, "kind", "numeric") ? numbers++ % 3 : 0;
        if (turn)
            json_array_set_new(json_object_get(field, "type"), 1, json_string(turn == 1 ? whole : real));
    }
}

static inline void alias_text_field(json_t *fields)
{
    for (size_t f = json_array_size(fields); f-- > 0;) {
        json_t *field = json_array_get(fields, f);
        if (!text_is(field, "kind", "nominal"))
            continue;
        json_object_set_new(field, "aliases", json_pack("[s]", FORMER_NAME));
        return;
    }
}

static inline void reverse(json_t *array)
{
    json_t *copy = json_copy(array);
    json_array_clear(array);
    for (size_t i = json_array_size(copy); i-- > 0;)
        json_array_append(array, json_array_get(copy, i));
    json_decref(copy);
}

/* What the reader's schema was before it grew. */
static inline void remove_field(json_t *fields, const char *name)
{
    for (size_t f = json_array_size(fields); f-- > 0;)
        if (text_is(json_array_get(fields, f), "name", name))
            json_array_remove(fields, f);
}

static inline json_t *older_of(const json_t *reader)
{
    json_t *older = json_deep_copy(reader), *fields = attributes_of(older), *field;
    size_t f;
    retype(fields, "int", "float");
    remove_field(json_object_get(older, "fields"), "changed");
    json_array_foreach (fields, f, field)
        if (json_object_del(field, "aliases") == 0)
            json_object_set_new(field, "name", json_string(FORMER_NAME));
    json_array_remove(fields, json_array_size(fields) - 1);
    json_array_insert_new(fields, json_array_size(fields) / 2,
                          json_pack("{s:s, s:[s, s]}", "name", "remark", "type", "null", "string"));
    json_array_insert_new(json_object_get(older, "fields"), 1,
                          json_pack("{s:s, s:s}", "name", "sender", "type", "string"));
    reverse(fields);
    reverse(json_object_get(older, "fields"));
    reverse(json_object_get(type_of(older, "event_type"), "symbols"));
    return older;
}

static inline void grow_prediction(const struct directory *directory, json_t *reader)
{
    json_t *prediction = shipped_json("prediction.avsc"), *field;
    size_t f;
    json_array_foreach (attributes_of(prediction), f, field)
        json_object_set(field, "type", json_object_get(json_array_get(attributes_of(reader), f), "type"));
    put_json(directory, "prediction.avsc", prediction);
    json_decref(prediction);
}

static inline void directory_make(struct directory *directory)
{
    strcpy(directory->path, "/tmp/bench_decode.XXXXXX");
    if (!mkdtemp(directory->path))
        abort();
    json_t *reader = shipped_json("employee_event.avsc"), *ids = shipped_json("ids.json");
    put_json(directory, "shipped.avsc", reader);
    retype(attributes_of(reader), "long", "double");
    alias_text_field(attributes_of(reader));
    json_t *older = older_of(reader);
    json_array_insert_new(json_object_get(ids, "event"), 0,
                          json_pack("{s:i, s:s}", "id", OLDER_ID, "file", "older.avsc"));
    json_object_del(ids, "state"); /* neither is kept here */
    json_object_del(ids, "alert");
    grow_prediction(directory, reader);
    put_json(directory, "employee_event.avsc", reader);
    put_json(directory, "older.avsc", older);
    put_json(directory, "employee_event.2.avsc", reader);
    put_json(directory, "ids.json", ids);
    json_decref(reader);
    json_decref(older);
    json_decref(ids);
}

static inline void directory_remove(const struct directory *directory)
{
    for (size_t f = 0; f < sizeof directory_files / sizeof *directory_files; f++)
        (void)unlink(path_of(directory, directory_files[f]));
    (void)rmdir(directory->path);
}

/* --- the same events as the older schema writes them --- */

static inline int32_t older_column(const struct schema *schema, const char *name)
{
    const struct avro_type *reader = schema->event->fields[schema->event->field_count - 1].type;
    bool former = strcmp(name, FORMER_NAME) == 0;
    for (size_t f = 0; f < reader->field_count; f++)
        if (former ? reader->fields[f].alias_count > 0 : strcmp(reader->fields[f].name, name) == 0)
            return (int32_t)f;
    return -1;
}

static inline char *older_attributes(char *at, const struct schema *schema, const struct avro_type *record,
                                     const struct cell *cells)
{
    for (size_t f = 0; f < record->field_count; f++) {
        const struct avro_field *field = &record->fields[f];
        int32_t column = older_column(schema, field->name);
        const struct cell cell = column < 0 ? (struct cell){.text = "as agreed", .text_bytes = 9} : cells[column];
        *at++ = cell.code == CELL_MISSING ? 0 : 2;
        if (cell.code == CELL_MISSING)
            continue;
        if (field->type->branches[1]->kind == AVRO_KIND_INT)
            at = avro_put_long(at, (int64_t)cell.number);
        else if (field->type->branches[1]->kind == AVRO_KIND_FLOAT)
            at = avro_put_float(at, (float)cell.number);
        else
            at = avro_put_text(at, (struct span){cell.text, cell.text_bytes});
    }
    return at;
}

static inline void older_encode(const struct schema *schema, const struct avro_type *older, const struct event *event,
                                struct buffer *out)
{
    static char room[4096];
    char *at = frame_put(room, OLDER_ID);
    for (size_t f = 0; f < older->field_count; f++) {
        const struct avro_field *field = &older->fields[f];
        if (field->type->kind == AVRO_KIND_ENUM)
            at = avro_put_long(at, (int64_t)field->type->symbol_count - 1 - event->type);
        else if (field->type->kind == AVRO_KIND_LONG)
            at = avro_put_long(at, event->occurred_at_ms);
        else if (field->type->kind == AVRO_KIND_RECORD)
            at = older_attributes(at, schema, field->type, event->cells);
        else if (strcmp(field->name, "sender") == 0)
            at = avro_put_text(at, SPAN_LITERAL("payroll"));
        else
            at = avro_put_text(at, strcmp(field->name, "event_id") == 0 ? event->event_id : event->employee_id);
    }
    buffer_add(out, room, (size_t)(at - room));
}

/* The reader must see what was sent, but for the last column, which the older schema lacks. */
static inline void older_check(struct fixture *fixture, size_t number, const struct event *sent)
{
    struct event event = {.cells = fixture->cells};
    struct fault fault;
    size_t last = fixture->schema->column_count - 1;
    bool fine = decoder_decode(fixture->decoder, fixture->values[number], &event, &fault) == EVENT_OK &&
                event.type == sent->type && event.occurred_at_ms == sent->occurred_at_ms &&
                span_equal(event.event_id, sent->event_id) && span_equal(event.employee_id, sent->employee_id) &&
                event.cells[last].code == CELL_MISSING;
    for (size_t c = 0; c < last && fine; c++) {
        const struct cell *a = &event.cells[c], *b = &sent->cells[c];
        fine = a->code == b->code && (a->code == CELL_MISSING || fixture->schema->columns[c].kind == COLUMN_NOMINAL ||
                                      a->number == b->number);
    }
    if (!fine)
        abort();
}

static inline void older_make(struct fixture *fixture, struct fixture *same, const struct directory *directory)
{
    size_t ends[EVENTS];
    struct avro_schema *older;
    struct event event = {.cells = same->cells};
    struct fault fault;
    struct error err;
    fixture_load(fixture, directory->path);
    if (avro_schema_read(path_of(directory, "older.avsc"), &older, &err) != STATUS_OK)
        abort();
    for (size_t e = 0; e < EVENTS; e++) {
        if (decoder_decode(same->decoder, same->values[e], &event, &fault) != EVENT_OK)
            abort();
        older_encode(fixture->schema, avro_schema_type(older), &event, &fixture->bytes);
        ends[e] = fixture->bytes.bytes;
    }
    avro_schema_free(older);
    fixture_cut(fixture, ends);
    for (size_t e = 0; e < EVENTS; e++) {
        (void)decoder_decode(same->decoder, same->values[e], &event, &fault);
        older_check(fixture, e, &event);
    }
}
