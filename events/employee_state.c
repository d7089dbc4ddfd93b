/* Current records into bytes and back: see employee_state.h. On a score loop's thread; written once per event, read
 * when a partition's records are restored. */
#include "events/employee_state.h"

#include <assert.h>
#include <stdlib.h>

#include "events/event_encoder_private.h"
#include "events/fault.h"
#include "events/frame.h"
#include "events/record_codec.h"
#include "events/record_versions.h"

/* --- into bytes --- */

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
    return record->cells ? attributes_put_of(parts, record->attributes, record->cells, at) : at;
}

static size_t bytes_of(const struct schema_parts *parts, const struct employee_state *record)
{
    enum { BRANCHES = 3 * AVRO_BRANCH_BYTES };
    return FRAME_BYTES + BRANCHES + record_bytes_text(record->employee_id) +
           record_bytes_time_ms(0) STATE_SOURCE(RECORD_BYTES) STATE_PREDICTION(RECORD_BYTES)
               STATE_ALERTED(RECORD_BYTES) +
           (record->cells ? attributes_bound_of(parts, record->attributes, record->cells) : 0);
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
    struct record_versions *records;
    struct arena arena; /* of one record */
};

struct employee_state_reader *employee_state_reader_new(const struct schema *schema)
{
    const struct schema_parts *parts = schema_parts(schema);
    struct employee_state_reader *reader = mem_zeroed(1, sizeof *reader);
    assert(parts->state);
    reader->parts = parts;
    reader->records = record_versions_new(schema->state, &parts->states, &schema->state_schema_id);
    return reader;
}

void employee_state_reader_free(struct employee_state_reader *reader)
{
    if (!reader)
        return;
    record_versions_free(reader->records);
    arena_free(&reader->arena);
    free(reader);
}

static bool read_source(struct record_reading *reading, struct employee_state *record)
{
    return true STATE_SOURCE(RECORD_READ);
}

static bool read_prediction(struct record_reading *reading, struct employee_state *record)
{
    return record_read_present(reading, &record->scored) && (!record->scored || (true STATE_PREDICTION(RECORD_READ)));
}

static bool read_alerted(struct record_reading *reading, struct employee_state *record)
{
    return record_read_present(reading, &record->alerted) && (!record->alerted || (true STATE_ALERTED(RECORD_READ)));
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
    return record_read_present(reading, &present) && (!present || read_cells(reading, record));
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

enum event_code employee_state_read(struct employee_state_reader *reader, struct span value, struct employee_state *out,
                                    struct fault *fault)
{
    struct span datum;
    bool waits;
    arena_reset(&reader->arena);
    enum event_code code =
        record_versions_read(reader->records, value, SPAN_NULL, &reader->arena, &datum, fault, &waits);
    return code == EVENT_OK ? decode(reader, datum, out, fault) : code;
}
