/* Current records into bytes and back: see employee_state.h. On a score loop's thread; written once per event, read
 * when a partition's records are restored. What an older version wrote takes the way through Avro's JSON form, slow and
 * simple. */
#include "events/employee_state.h"

#include <assert.h>
#include <stdlib.h>

#include "avro/from_json.h"
#include "events/event_encoder_private.h"
#include "events/fault.h"
#include "events/frame.h"
#include "events/record_codec.h"
#include "events/writer_schemas.h"

/* --- into bytes --- */

#define record_put_label avro_put_long
#define record_bytes_label(value) AVRO_VARINT_MAX

static char *put_source(const struct schema_parts *parts, const struct employee_state *record, char *at)
{
    (void)parts;
    STATE_SOURCE(RECORD_PUT)
    return at;
}

static char *put_prediction(const struct schema_parts *parts, const struct employee_state *record, char *at)
{
    (void)parts;
    at = avro_put_branch(at, record->scored);
    if (record->scored) {
        STATE_PREDICTION(RECORD_PUT)
    }
    return at;
}

static char *put_alerted(const struct schema_parts *parts, const struct employee_state *record, char *at)
{
    (void)parts;
    at = avro_put_branch(at, record->alerted);
    if (record->alerted) {
        STATE_ALERTED(RECORD_PUT)
    }
    return at;
}

static char *put_attributes(const struct schema_parts *parts, const struct employee_state *record, char *at)
{
    at = avro_put_branch(at, record->cells != NULL);
    return record->cells ? attributes_put(parts, record->cells, at) : at;
}

static size_t bytes_of(const struct schema_parts *parts, const struct employee_state *record)
{
    enum { BRANCHES = 3 * AVRO_BRANCH_BYTES };
    return FRAME_BYTES + BRANCHES + record_bytes_text(record->employee_id) +
           record_bytes_time_ms(0) STATE_SOURCE(RECORD_BYTES) STATE_PREDICTION(RECORD_BYTES)
               STATE_ALERTED(RECORD_BYTES) +
           (record->cells ? attributes_bound(parts, record->cells) : 0);
}

void employee_state_encode(const struct schema *schema, const struct employee_state *record, struct buffer *out)
{
    const struct schema_parts *parts = schema_parts(schema);
    char *at = frame_put(buffer_reserve(out, bytes_of(parts, record)), schema->state_schema_id);
    STATE_RECORD(RECORD_PUT, RECORD_PUT_PART)
    buffer_end_at(out, at);
}

/* --- out of bytes --- */

struct employee_state_reader {
    const struct schema_parts *parts;
    struct writer_schemas *writers;
    struct machine *machine;
    struct buffer json, ours; /* of one datum of another version */
    struct arena arena;
};

struct employee_state_reader *employee_state_reader_new(const struct schema *schema)
{
    const struct schema_parts *parts = schema_parts(schema);
    struct employee_state_reader *reader = mem_zeroed(1, sizeof *reader);
    assert(parts->state);
    reader->parts = parts;
    reader->machine = machine_new();
    reader->writers = writer_schemas_new(schema->state, NULL);
    for (size_t v = 0; v < parts->states.count; v++) {
        const struct schema_key key = schema_key_of_id(parts->states.items[v].id);
        (void)writer_schemas_add(reader->writers, &key, avro_schema_type(parts->states.items[v].schema), NULL);
    }
    return reader;
}

void employee_state_reader_free(struct employee_state_reader *reader)
{
    if (!reader)
        return;
    writer_schemas_free(reader->writers);
    machine_free(reader->machine);
    buffer_free(&reader->json);
    buffer_free(&reader->ours);
    arena_free(&reader->arena);
    free(reader);
}

static inline bool record_read_label(struct record_reading *reading, uint32_t *out)
{
    return avro_read_symbol(&reading->in, (uint32_t)reading->parts->schema.target_count, out, &reading->padded);
}

static bool read_present(struct record_reading *reading, bool *present)
{
    uint32_t branch;
    if (!avro_read_branch(&reading->in, 2, &branch, &reading->padded))
        return false;
    *present = branch;
    return true;
}

static bool read_source(struct record_reading *reading, struct employee_state *record)
{
    return true STATE_SOURCE(RECORD_READ);
}

static bool read_prediction(struct record_reading *reading, struct employee_state *record)
{
    return read_present(reading, &record->scored) && (!record->scored || (true STATE_PREDICTION(RECORD_READ)));
}

static bool read_alerted(struct record_reading *reading, struct employee_state *record)
{
    return read_present(reading, &record->alerted) && (!record->alerted || (true STATE_ALERTED(RECORD_READ)));
}

static bool read_cells(struct record_reading *reading, struct employee_state *record)
{
    size_t columns = reading->parts->schema.column_count;
    struct cell *cells = arena_take(reading->arena, columns * sizeof *cells);
    record->cells = cells;
    return columns_read(reading->parts->readers, columns, &reading->in, cells, &reading->padded);
}

static bool read_attributes(struct record_reading *reading, struct employee_state *record)
{
    bool present = false;
    return read_present(reading, &present) && (!present || read_cells(reading, record));
}

static bool read_record(struct record_reading *reading, struct employee_state *record)
{
    return true STATE_RECORD(RECORD_READ, RECORD_READ_PART) && cursor_left(&reading->in) == 0;
}

static enum event_code decode(struct employee_state_reader *reader, struct span datum, struct employee_state *out,
                              struct fault *fault)
{
    struct employee_state decoded = {0};
    struct record_reading reading = {.parts = reader->parts, .in = cursor_of(datum), .arena = &reader->arena};
    if (!read_record(&reading, &decoded))
        return fault_set(fault, EVENT_MALFORMED, FAULT_NO_COLUMN, "not a current record, near byte %zu of the datum",
                         (size_t)((const char *)reading.in.at - datum.data));
    *out = decoded;
    return EVENT_OK;
}

/* Resolved, and written again in our own layout. */
static enum event_code rewrite(struct employee_state_reader *reader, const struct writer_schema *writer,
                               struct span datum, struct fault *fault)
{
    struct datum_fault why;
    buffer_clear(&reader->json);
    buffer_clear(&reader->ours);
    if (plan_run_json(writer->plan, reader->machine, datum, &reader->json, &why) != DATUM_OK)
        return fault_set_datum(fault, &why);
    json_t *json = json_loadb(reader->json.data, reader->json.bytes, JSON_ALLOW_NUL, NULL);
    if (!json)
        return fault_set(fault, EVENT_LIMIT, FAULT_NO_COLUMN, "nested deeper than can be read");
    avro_from_json(reader->parts->schema.state, json, &reader->ours);
    json_decref(json);
    return EVENT_OK;
}

enum event_code employee_state_read(struct employee_state_reader *reader, struct span value, struct employee_state *out,
                                    struct fault *fault)
{
    struct frame frame;
    const struct writer_schema *writer;
    bool waits;
    arena_reset(&reader->arena);
    enum event_code code = frame_read(value, SPAN_NULL, &frame, fault);
    if (code == EVENT_OK)
        code = writer_schemas_find(reader->writers, &frame.key, &writer, fault, &waits);
    if (code != EVENT_OK || writer->same)
        return code != EVENT_OK ? code : decode(reader, frame.datum, out, fault);
    code = rewrite(reader, writer, frame.datum, fault);
    return code == EVENT_OK ? decode(reader, buffer_span(&reader->ours), out, fault) : code;
}
