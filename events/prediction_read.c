/* Bytes into a prediction, as its table says (prediction.h): the sink's side of prediction.c, as strict as the event
 * decoder. The sink reads what a scorer wrote, but a topic is open to others. */
#include "events/prediction.h"

#include "events/fault.h"
#include "events/record_codec.h"

/* --- codecs and parts of this record --- */

static inline bool record_read_channel(struct record_reading *reading, enum channel *out)
{
    uint32_t symbol;
    if (!avro_read_symbol(&reading->in, CHANNEL_COUNT, &symbol, &reading->padded))
        return false;
    *out = (enum channel)symbol;
    return true;
}

/* A name that is unknown is well-formed all the same: the rest is still read. */
static inline bool read_feature(struct record_reading *reading, struct reason *reason)
{
    struct span name;
    if (!record_read_text(reading, &name))
        return false;
    int32_t column = schema_column(&reading->parts->schema, name);
    if (column < 0)
        reading->code = EVENT_UNRESOLVABLE;
    reason->column = column < 0 ? 0 : (uint32_t)column;
    return true;
}

#define RECORD_LEAST_feature RECORD_LEAST_text

static bool read_reason(struct record_reading *reading, void *item)
{
    struct reason *record = item;
    return true PREDICTION_REASON(RECORD_READ, RECORD_READ_PART);
}

static bool read_challenger(struct record_reading *reading, void *item)
{
    struct challenger_score *record = item;
    return true PREDICTION_CHALLENGER(RECORD_READ);
}

static bool read_reasons(struct record_reading *reading, struct prediction *out)
{
    static const struct record_array reasons = {
        .item_bytes = sizeof *out->reasons,
        .least = PREDICTION_REASON(RECORD_LEAST, RECORD_LEAST_PART),
        .read_item = read_reason,
    };
    void *items;
    bool fine = record_read_array(reading, &reasons, &items, &out->reason_count);
    out->reasons = fine ? items : NULL;
    return fine;
}

static bool read_challengers(struct record_reading *reading, struct prediction *out)
{
    static const struct record_array challengers = {
        .item_bytes = sizeof *out->challengers,
        .least = PREDICTION_CHALLENGER(RECORD_LEAST),
        .read_item = read_challenger,
    };
    void *items;
    bool fine = record_read_array(reading, &challengers, &items, &out->challenger_count);
    out->challengers = fine ? items : NULL;
    return fine;
}

static bool read_model(struct record_reading *reading, struct prediction *record)
{
    return true PREDICTION_MODEL(RECORD_READ);
}

static bool read_source(struct record_reading *reading, struct prediction *record)
{
    uint32_t branch;
    return avro_read_branch(&reading->in, 2, &branch, &reading->padded) &&
           (branch == 0 || (true PREDICTION_SOURCE(RECORD_READ)));
}

static bool read_change(struct record_reading *reading, struct prediction *record)
{
    uint32_t branch = 0;
    if (reading->parts->has_change && !avro_read_branch(&reading->in, 2, &branch, &reading->padded))
        return false;
    record->has_change = branch;
    return branch == 0 || (true PREDICTION_CHANGE(RECORD_READ));
}

/* Bytes that are what we would write are kept beside the cells. */
static bool read_attributes(struct record_reading *reading, struct prediction *out)
{
    size_t columns = reading->parts->schema.column_count;
    struct cell *cells = arena_take(reading->arena, columns * sizeof *cells);
    const char *start = (const char *)reading->in.at;
    bool padded = false;
    out->cells = cells;
    if (!columns_read(reading->parts->readers, columns, &reading->in, cells, &padded))
        return false;
    if (!padded)
        out->attributes = (struct span){start, (size_t)((const char *)reading->in.at - start)};
    return true;
}

/* --- the record --- */

static bool read_record(struct record_reading *reading, struct prediction *record)
{
    return true PREDICTION_RECORD(RECORD_READ, RECORD_READ_PART) && cursor_left(&reading->in) == 0;
}

enum event_code prediction_decode_datum(const struct schema *schema, struct span datum, struct arena *arena,
                                        struct prediction *out, struct fault *fault)
{
    struct prediction decoded = {0};
    struct record_reading reading = {.parts = schema_parts(schema), .in = cursor_of(datum), .arena = arena};
    if (!read_record(&reading, &decoded))
        return fault_set(fault, EVENT_MALFORMED, FAULT_NO_COLUMN, "not a prediction, near byte %zu of the datum",
                         (size_t)((const char *)reading.in.at - datum.data));
    if (reading.code != EVENT_OK)
        return fault_set(fault, reading.code, FAULT_NO_COLUMN, "a reason names a feature that the schema lacks");
    *out = decoded;
    return EVENT_OK;
}

enum event_code prediction_decode(const struct schema *schema, struct span value, struct arena *arena,
                                  struct prediction *out, struct fault *fault)
{
    struct cursor in = cursor_of(value);
    uint8_t magic;
    uint32_t id;
    if (!cursor_u8(&in, &magic) || magic != 0 || !cursor_u32_be(&in, &id))
        return fault_set(fault, EVENT_BAD_FRAME, FAULT_NO_COLUMN, "a prediction starts with byte 0 and a schema id");
    if (id != schema->prediction_schema_id)
        return fault_set(fault, EVENT_UNKNOWN_SCHEMA_ID, FAULT_NO_COLUMN, "no prediction schema has the id %u", id);
    struct span datum = {(const char *)in.at, cursor_left(&in)};
    return prediction_decode_datum(schema, datum, arena, out, fault);
}
