/* The prediction record into bytes, as its table says (prediction.h). Called once per scored event, on score loops and
 * HTTP threads; the sink's side is prediction_read.c. */
#include "events/prediction.h"

#include "events/event_encoder_private.h"
#include "events/frame.h"
#include "events/record_codec.h"

struct span channel_name(enum channel channel)
{
    static const struct span names[] = {
#define CHANNEL_NAME(id) [CHANNEL_##id] = {#id, sizeof #id - 1},
        CHANNEL_TABLE(CHANNEL_NAME)
#undef CHANNEL_NAME
    };
    return names[channel];
}

/* --- codecs and parts of this record --- */

#define record_put_channel avro_put_long
#define record_bytes_channel(value) AVRO_VARINT_MAX

static inline char *put_feature(const struct schema_parts *parts, const struct reason *reason, char *at)
{
    return put_encoded(at, parts->encoded_names[reason->column]);
}

static inline size_t bytes_feature(const struct schema_parts *parts, const struct reason *reason)
{
    return parts->encoded_names[reason->column].bytes + ENCODED_ROOM;
}

/* An array is one block and an end; an empty one only the end. */
static inline char *put_block(size_t count, char *at)
{
    return count ? avro_put_long(at, (int64_t)count) : at;
}

static char *put_reasons(const struct schema_parts *parts, const struct prediction *prediction, char *at)
{
    at = put_block(prediction->reason_count, at);
    for (size_t i = 0; i < prediction->reason_count; i++) {
        const struct reason *record = &prediction->reasons[i];
        PREDICTION_REASON(RECORD_PUT, RECORD_PUT_PART)
    }
    *at++ = 0;
    return at;
}

static size_t bytes_reasons(const struct schema_parts *parts, const struct prediction *prediction)
{
    size_t bytes = AVRO_ARRAY_BYTES;
    for (size_t i = 0; i < prediction->reason_count; i++) {
        const struct reason *record = &prediction->reasons[i];
        bytes += 0 PREDICTION_REASON(RECORD_BYTES, RECORD_BYTES_PART);
    }
    return bytes;
}

static char *put_challengers(const struct schema_parts *parts, const struct prediction *prediction, char *at)
{
    (void)parts;
    at = put_block(prediction->challenger_count, at);
    for (size_t i = 0; i < prediction->challenger_count; i++) {
        const struct challenger_score *record = &prediction->challengers[i];
        PREDICTION_CHALLENGER(RECORD_PUT)
    }
    *at++ = 0;
    return at;
}

static size_t bytes_challengers(const struct schema_parts *parts, const struct prediction *prediction)
{
    (void)parts;
    size_t bytes = AVRO_ARRAY_BYTES;
    for (size_t i = 0; i < prediction->challenger_count; i++) {
        const struct challenger_score *record = &prediction->challengers[i];
        bytes += 0 PREDICTION_CHALLENGER(RECORD_BYTES);
    }
    return bytes;
}

static char *put_model(const struct schema_parts *parts, const struct prediction *record, char *at)
{
    (void)parts;
    if (record->model.encoded.data)
        return avro_put_raw(at, record->model.encoded);
    PREDICTION_MODEL(RECORD_PUT)
    return at;
}

static size_t bytes_model(const struct schema_parts *parts, const struct prediction *record)
{
    (void)parts;
    return record->model.encoded.data ? record->model.encoded.bytes : 0 PREDICTION_MODEL(RECORD_BYTES);
}

void model_stamp_encode(const struct model_stamp *stamp, struct buffer *out)
{
    const struct prediction record = {.model = *stamp};
    char *at = buffer_reserve(out, bytes_model(NULL, &record));
    buffer_end_at(out, put_model(NULL, &record, at));
}

static char *put_source(const struct schema_parts *parts, const struct prediction *record, char *at)
{
    (void)parts;
    at = avro_put_branch(at, record->source_topic.data != NULL);
    if (record->source_topic.data) {
        PREDICTION_SOURCE(RECORD_PUT)
    }
    return at;
}

static size_t bytes_source(const struct schema_parts *parts, const struct prediction *record)
{
    (void)parts;
    return AVRO_BRANCH_BYTES PREDICTION_SOURCE(RECORD_BYTES);
}

static char *put_change(const struct schema_parts *parts, const struct prediction *record, char *at)
{
    if (!parts->has_change)
        return at;
    at = avro_put_branch(at, record->has_change);
    if (record->has_change) {
        PREDICTION_CHANGE(RECORD_PUT)
    }
    return at;
}

static size_t bytes_change(const struct schema_parts *parts, const struct prediction *record)
{
    (void)parts, (void)record;
    return AVRO_BRANCH_BYTES PREDICTION_CHANGE(RECORD_BYTES);
}

static char *put_attributes(const struct schema_parts *parts, const struct prediction *record, char *at)
{
    return attributes_put_of(parts, record->attributes, record->cells, at);
}

static size_t bytes_attributes(const struct schema_parts *parts, const struct prediction *record)
{
    return attributes_bound_of(parts, record->attributes, record->cells);
}

/* --- the record --- */

void prediction_encode(const struct schema *schema, const struct prediction *record, struct buffer *out)
{
    const struct schema_parts *parts = schema_parts(schema);
    size_t bytes = FRAME_BYTES PREDICTION_RECORD(RECORD_BYTES, RECORD_BYTES_PART);
    char *at = frame_put(buffer_reserve(out, bytes), schema->prediction_schema_id);
    PREDICTION_RECORD(RECORD_PUT, RECORD_PUT_PART)
    buffer_end_at(out, at);
}
