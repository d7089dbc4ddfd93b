/* Reading dead letters: see dlq_content.h. Called by `producer dlq show` and by the replay's look at erasures, on the
 * main thread. Must never guess: what cannot be read is nobody's. */
#include "producer/dlq_content.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "events/fault.h"
#include "events/schema_registry.h"
#include "events/validate.h"

enum { WAITS_MOST = 100, WAIT_US = 100000 };

struct dlq_content_reader {
    const struct schema *schema;
    struct registry_client *registry; /* NULL: none */
    struct decoder *decoder;
    struct key_reader *keys;
    struct input_map *map; /* NULL: none */
    struct cell *cells;
    int64_t max_future_us;
    char key_text[ID_BYTES_MAX];
};

/* What the scorer was given to read JSON by. */
static enum status use_json(struct dlq_content_reader *reader, const struct options *options, struct error *err)
{
    const char *path = options_text(options, OPTION_INPUT_MAP);
    struct json_settings settings = {.time_unit = time_unit_find(options_text(options, OPTION_TIME_UNIT))};
    if (path && *path && input_map_load(path, reader->schema, &reader->map, err) != STATUS_OK)
        return error_prefix(err, "--map");
    settings.map = reader->map;
    decoder_use_time_unit(reader->decoder, settings.time_unit);
    decoder_take_json(reader->decoder, INPUT_FORMAT_AUTO, &settings);
    return STATUS_OK;
}

enum status dlq_content_reader_new(const struct options *options, const struct schema *schema,
                                   struct dlq_content_reader **out, struct error *err)
{
    struct dlq_content_reader *reader = mem_zeroed(1, sizeof *reader);
    const struct registry_settings wanted = registry_settings_read(options);
    reader->schema = schema;
    reader->max_future_us = options_duration_us(options, OPTION_MAX_FUTURE);
    enum status status = decoder_new(schema, &reader->decoder, err);
    if (status == STATUS_OK)
        status = use_json(reader, options, err);
    if (status == STATUS_OK && wanted.urls)
        status = registry_client_new(&wanted, NULL, &reader->registry, err);
    if (status != STATUS_OK) {
        dlq_content_reader_free(reader);
        return status;
    }
    decoder_use_registry(reader->decoder, reader->registry);
    reader->keys = key_reader_new(reader->registry);
    if (reader->map)
        key_reader_use_map(reader->keys, input_map_key(reader->map));
    reader->cells = mem_zeroed(schema->column_count, sizeof *reader->cells);
    *out = reader;
    return STATUS_OK;
}

void dlq_content_reader_free(struct dlq_content_reader *reader)
{
    if (!reader)
        return;
    key_reader_free(reader->keys);
    decoder_free(reader->decoder);
    registry_client_free(reader->registry);
    input_map_free(reader->map);
    free(reader->cells);
    free(reader);
}

static struct span read_key_id(struct dlq_content_reader *reader, struct span key)
{
    struct fault fault;
    struct span id;
    bool waits = true;
    for (int i = 0; key.data && waits && i < WAITS_MOST; i++) {
        enum event_code code = key_read(reader->keys, key, reader->key_text, &id, &fault, &waits);
        if (!waits)
            return code == EVENT_OK ? id : SPAN_NULL;
        usleep(WAIT_US);
    }
    return SPAN_NULL;
}

static enum event_code read_value(struct dlq_content_reader *reader, struct span value, struct span header,
                                  const struct record_context *context, struct dlq_content *out)
{
    enum event_code code = EVENT_MALFORMED;
    bool waits = true;
    decoder_reset(reader->decoder);
    for (int i = 0; waits && i < WAITS_MOST; i++) {
        code = decoder_read_record(reader->decoder, value, header, context, &out->event, &out->value_fault, &waits);
        if (waits)
            usleep(WAIT_US);
    }
    return waits ? EVENT_UNKNOWN_SCHEMA_ID : code;
}

static void add_fault(struct dlq_content *content, enum event_code code)
{
    content->faults[content->fault_count++].code = code;
}

static void check_event(struct dlq_content_reader *reader, struct dlq_content *content)
{
    int64_t latest_ms = (clock_real_us(&clock_system) + reader->max_future_us) / 1000;
    const struct event *event = &content->event;
    enum event_code code = identity_check(event, latest_ms, &content->faults[0]);
    if (code != EVENT_OK)
        add_fault(content, code);
    if (content->key_id.data && !span_equal(content->key_id, event->employee_id)) {
        (void)fault_set(&content->faults[content->fault_count], EVENT_KEY_MISMATCH, FAULT_EMPLOYEE_ID,
                        "the message key names somebody else");
        add_fault(content, EVENT_KEY_MISMATCH);
    }
    content->fault_count += validate_attributes_all(reader->schema, event, content->faults + content->fault_count,
                                                    DLQ_CONTENT_FAULTS_MAX - content->fault_count);
}

void dlq_content_read(struct dlq_content_reader *reader, struct span key, struct span value, struct span frame_header,
                      const struct record_context *context, struct dlq_content *out)
{
    out->event = (struct event){.cells = reader->cells, .type = -1, .occurred_at_ms = INT64_MIN};
    for (size_t c = 0; c < reader->schema->column_count; c++)
        reader->cells[c] = (struct cell){.code = CELL_UNLISTED};
    out->fault_count = 0;
    out->key_id = read_key_id(reader, key);
    out->value_code = EVENT_BAD_FRAME;
    (void)fault_set(&out->value_fault, EVENT_BAD_FRAME, FAULT_NO_COLUMN, "there is no value");
    if (value.data)
        out->value_code = read_value(reader, value, frame_header, context, out);
    if (out->value_code == EVENT_OK && out->event.ignored)
        out->value_code = fault_set(&out->value_fault, EVENT_UNRESOLVABLE, FAULT_NO_COLUMN,
                                    "op: it reports no change of a row; replayed, it is ignored");
    if (out->value_code == EVENT_OK)
        check_event(reader, out);
}

/* A JSON event has its id also where a fault was found elsewhere in it; Avro's is then undefined. */
struct span dlq_content_value_id(const struct dlq_content *content)
{
    bool known = content->value_code == EVENT_OK || content->event.form != EVENT_FORM_AVRO;
    return known ? content->event.employee_id : SPAN_NULL;
}

bool dlq_content_has_records_time(const struct dlq_content *content, int64_t timestamp_ms)
{
    bool own = content->value_code == EVENT_OK && content->event.occurred_at_ms != timestamp_ms;
    return timestamp_ms > 0 && content->event.form != EVENT_FORM_AVRO && !own;
}
