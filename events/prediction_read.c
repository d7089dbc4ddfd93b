/* Bytes into a prediction: the sink's side of prediction.c, as strict as the event decoder. The sink reads what a
 * scorer wrote, but a topic is open to others: counts are held against what the rest can hold before anything is taken.
 */
#include "events/prediction.h"

#include "events/avro_read.h"
#include "events/fault.h"
#include "events/schema_private.h"

/* One decode. `padded` is of no interest here. */
struct reading {
    const struct schema_parts *parts;
    struct cursor in;
    struct arena *arena;
    struct prediction *out;
    enum event_code code; /* set where it is not MALFORMED */
    bool padded;
};

static bool read_optional_text(struct reading *reading, struct span *out)
{
    uint32_t branch;
    *out = SPAN_NULL;
    return avro_read_branch(&reading->in, 2, &branch, &reading->padded) &&
           (branch == 0 || avro_read_text(&reading->in, out, &reading->padded));
}

/* A block's count of items that take at least min_bytes; 0 at the end. *block_end is where a sized block must end. */
static bool read_block(struct reading *reading, size_t min_bytes, size_t *count, const uint8_t **block_end)
{
    int64_t items, bytes;
    *block_end = NULL;
    if (!avro_read_long(&reading->in, &items, &reading->padded) || items == INT64_MIN)
        return false;
    if (items < 0) {
        if (!avro_read_long(&reading->in, &bytes, &reading->padded) || bytes < 0 ||
            (uint64_t)bytes > cursor_left(&reading->in))
            return false;
        *block_end = reading->in.at + bytes;
        items = -items;
    }
    *count = (size_t)items;
    return (uint64_t)items <= cursor_left(&reading->in) / min_bytes;
}

/* An array of items of `item_bytes`, each read by read_item, gathered in the arena over all blocks. */
static bool read_array(struct reading *reading, size_t item_bytes, size_t min_bytes,
                       bool (*read_item)(struct reading *, void *), void **out, size_t *out_count)
{
    char *items = NULL;
    size_t have = 0, room = 0;
    for (;;) {
        size_t count;
        const uint8_t *block_end;
        if (!read_block(reading, min_bytes, &count, &block_end))
            return false;
        if (count == 0)
            break;
        if (have + count > room) {
            room = have + count > 2 * room ? have + count : 2 * room;
            char *more = arena_take(reading->arena, room * item_bytes);
            if (have)
                memcpy(more, items, have * item_bytes);
            items = more;
        }
        for (size_t i = 0; i < count; i++, have++)
            if (!read_item(reading, items + have * item_bytes))
                return false;
        if (block_end && block_end != reading->in.at)
            return false;
    }
    *out = items;
    *out_count = have;
    return true;
}

static bool read_reason(struct reading *reading, void *item)
{
    struct reason *reason = item;
    struct span feature;
    if (!avro_read_text(&reading->in, &feature, &reading->padded) ||
        !avro_read_double(&reading->in, &reason->contribution))
        return false;
    int32_t column = schema_column(&reading->parts->schema, feature);
    if (column < 0)
        reading->code = EVENT_UNRESOLVABLE; /* well-formed all the same: the rest is still read */
    reason->column = column < 0 ? 0 : (uint32_t)column;
    return true;
}

static bool read_challenger(struct reading *reading, void *item)
{
    struct challenger_score *score = item;
    return avro_read_text(&reading->in, &score->model, &reading->padded) &&
           avro_read_double(&reading->in, &score->probability);
}

static bool read_head(struct reading *reading)
{
    struct prediction *out = reading->out;
    struct cursor *in = &reading->in;
    bool *padded = &reading->padded;
    return avro_read_text(in, &out->event_id, padded) && read_optional_text(reading, &out->employee_id) &&
           avro_read_long(in, &out->occurred_at_ms, padded) &&
           avro_read_symbol(in, (uint32_t)reading->parts->schema.target_count, &out->label, padded) &&
           avro_read_double(in, &out->probability) && avro_read_double(in, &out->threshold) &&
           avro_read_double(in, &out->margin) && avro_read_double(in, &out->base);
}

static bool read_model(struct reading *reading)
{
    struct model_stamp *model = &reading->out->model;
    return avro_read_text(&reading->in, &model->name, &reading->padded) &&
           avro_read_text(&reading->in, &model->version, &reading->padded) &&
           read_optional_text(reading, &model->alias) && read_optional_text(reading, &model->run_id);
}

static bool read_source(struct reading *reading)
{
    struct prediction *out = reading->out;
    uint32_t branch;
    if (!avro_read_branch(&reading->in, 2, &branch, &reading->padded))
        return false;
    if (branch == 0)
        return true;
    return avro_read_text(&reading->in, &out->source_topic, &reading->padded) &&
           avro_read_int(&reading->in, &out->source_partition, &reading->padded) &&
           avro_read_long(&reading->in, &out->source_offset, &reading->padded);
}

static bool read_tail(struct reading *reading)
{
    struct prediction *out = reading->out;
    uint32_t channel;
    if (!avro_read_long(&reading->in, &out->scored_at_us, &reading->padded) ||
        !avro_read_long(&reading->in, &out->latency_us, &reading->padded) || !read_source(reading) ||
        !avro_read_symbol(&reading->in, 2, &channel, &reading->padded))
        return false;
    out->channel = (enum channel)channel;
    size_t columns = reading->parts->schema.column_count;
    struct cell *cells = arena_take(reading->arena, columns * sizeof *cells);
    const char *start = (const char *)reading->in.at;
    bool padded = false;
    out->cells = cells;
    if (!columns_read(reading->parts->readers, columns, &reading->in, cells, &padded))
        return false;
    if (!padded)
        out->attributes = (struct span){start, (size_t)((const char *)reading->in.at - start)};
    return cursor_left(&reading->in) == 0;
}

static bool read_record(struct reading *reading)
{
    struct prediction *out = reading->out;
    void *reasons, *challengers;
    if (!read_head(reading) ||
        !read_array(reading, sizeof *out->reasons, 9, read_reason, &reasons, &out->reason_count) ||
        !read_model(reading) ||
        !read_array(reading, sizeof *out->challengers, 9, read_challenger, &challengers, &out->challenger_count))
        return false;
    out->reasons = reasons;
    out->challengers = challengers;
    return read_tail(reading);
}

enum event_code prediction_decode_datum(const struct schema *schema, struct span datum, struct arena *arena,
                                        struct prediction *out, struct fault *fault)
{
    struct prediction decoded = {0};
    struct reading reading = {.parts = schema_parts(schema), .in = cursor_of(datum), .arena = arena, .out = &decoded};
    if (!read_record(&reading))
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
