/* The prediction record into bytes, in the order of schemas/prediction.avsc (held against it when the schema is loaded:
 * schema_prediction.c). Called once per scored event, on score loops and HTTP threads; the sink's side is
 * prediction_read.c. */
#include "events/prediction.h"

#include <assert.h>

#include "events/avro_write.h"
#include "events/encode_private.h"

enum {
    SCALARS_BYTES_MAX = 32 * AVRO_VARINT_MAX
}; /* frame, numbers, branches, indexes, block counts and text lengths */

static size_t bound(const struct schema_parts *parts, const struct prediction *prediction)
{
    const struct model_stamp *model = &prediction->model;
    size_t bytes = SCALARS_BYTES_MAX + prediction->event_id.bytes + prediction->employee_id.bytes + model->name.bytes +
                   model->version.bytes + model->alias.bytes + model->run_id.bytes + prediction->source_topic.bytes;
    for (size_t r = 0; r < prediction->reason_count; r++)
        bytes += parts->encoded_names[prediction->reasons[r].column].bytes + sizeof(double);
    for (size_t c = 0; c < prediction->challenger_count; c++)
        bytes += prediction->challengers[c].model.bytes + AVRO_VARINT_MAX + sizeof(double);
    return bytes +
           (prediction->attributes.data ? prediction->attributes.bytes : attributes_bound(parts, prediction->cells));
}

/* An array is one block and an end; an empty one only the end. */
static char *put_reasons(const struct schema_parts *parts, const struct prediction *prediction, char *at)
{
    if (prediction->reason_count)
        at = avro_put_long(at, (int64_t)prediction->reason_count);
    for (size_t r = 0; r < prediction->reason_count; r++) {
        at = avro_put_raw(at, parts->encoded_names[prediction->reasons[r].column]);
        at = avro_put_double(at, prediction->reasons[r].contribution);
    }
    *at++ = 0;
    return at;
}

static char *put_challengers(const struct prediction *prediction, char *at)
{
    if (prediction->challenger_count)
        at = avro_put_long(at, (int64_t)prediction->challenger_count);
    for (size_t c = 0; c < prediction->challenger_count; c++) {
        at = avro_put_text(at, prediction->challengers[c].model);
        at = avro_put_double(at, prediction->challengers[c].probability);
    }
    *at++ = 0;
    return at;
}

static char *put_model(const struct model_stamp *model, char *at)
{
    at = avro_put_text(at, model->name);
    at = avro_put_text(at, model->version);
    at = avro_put_optional_text(at, model->alias);
    return avro_put_optional_text(at, model->run_id);
}

static char *put_source(const struct prediction *prediction, char *at)
{
    *at++ = prediction->source_topic.data ? 2 : 0;
    if (!prediction->source_topic.data)
        return at;
    at = avro_put_text(at, prediction->source_topic);
    at = avro_put_long(at, prediction->source_partition);
    return avro_put_long(at, prediction->source_offset);
}

void prediction_encode(const struct schema *schema, const struct prediction *prediction, struct buffer *out)
{
    const struct schema_parts *parts = schema_parts(schema);
    char *at = buffer_reserve(out, bound(parts, prediction));
    at = avro_put_frame(at, schema->prediction_schema_id);
    at = avro_put_text(at, prediction->event_id);
    at = avro_put_optional_text(at, prediction->employee_id);
    at = avro_put_long(at, prediction->occurred_at_ms);
    at = avro_put_long(at, prediction->label);
    at = avro_put_double(at, prediction->probability);
    at = avro_put_double(at, prediction->threshold);
    at = avro_put_double(at, prediction->margin);
    at = avro_put_double(at, prediction->base);
    at = put_reasons(parts, prediction, at);
    at = put_model(&prediction->model, at);
    at = put_challengers(prediction, at);
    at = avro_put_long(at, prediction->scored_at_us);
    at = avro_put_long(at, prediction->latency_us);
    at = put_source(prediction, at);
    at = avro_put_long(at, (int64_t)prediction->channel);
    if (prediction->attributes.data)
        at = avro_put_raw(at, prediction->attributes);
    else
        at = attributes_put(parts, prediction->cells, at);
    out->bytes = (size_t)(at - out->data);
    assert(out->bytes <= out->capacity);
}
