/* The prediction record: encoded by score and http, decoded by the sink. Its bytes are those of
 * schemas/prediction.avsc, which is checked against the table here when the schema is loaded.
 *
 * A further field is a member of the struct, a row of PREDICTION_ADDED, a field after `channel` in the .avsc, and a
 * column of predictions that a file in sql/ adds. */
#pragma once

#include "base/memory.h"
#include "base/row.h"
#include "base/status.h"
#include "events/error_codes.h"
#include "events/schema.h"

#define CHANNEL_TABLE(CHANNEL) CHANNEL(STREAM) CHANNEL(HTTP)

enum channel {
#define CHANNEL_ID(id) CHANNEL_##id,
    CHANNEL_TABLE(CHANNEL_ID)
#undef CHANNEL_ID
};

/* How many there are. */
#define CHANNEL_ONE(id) +1
enum { CHANNEL_COUNT = CHANNEL_TABLE(CHANNEL_ONE) };
#undef CHANNEL_ONE

struct span channel_name(enum channel channel);

/* Which model said it. Texts are borrowed; alias and run_id may be SPAN_NULL. */
struct model_stamp {
    struct span name, version, alias, run_id;
    struct span encoded; /* these as the record has them, to copy (model_stamp_encode); SPAN_NULL: encode them */
};

struct challenger_score {
    struct span model; /* "attrition/7" */
    double probability;
};

/* Since the employee's prediction before, whose margin and the sum of these make the present one. */
struct margin_change {
    double record; /* under the present model */
    double model;  /* on the record before; 0: the model is the same */
};

/* Plain data; borrows everything it points at. */
struct prediction {
    struct span event_id;
    struct span employee_id; /* SPAN_NULL: not given */
    int64_t occurred_at_ms;
    uint32_t label; /* index into schema->target_values */
    double probability, threshold, margin, base;
    const struct reason *reasons;
    size_t reason_count;
    struct model_stamp model;
    const struct challenger_score *challengers;
    size_t challenger_count;
    int64_t scored_at_us;
    int64_t latency_us;
    struct span source_topic; /* SPAN_NULL over HTTP, and then partition and offset mean nothing */
    int32_t source_partition;
    int64_t source_offset;
    enum channel channel;
    bool has_change; /* false: no current records are kept, or no prediction before counts */
    struct margin_change change;
    const struct cell *cells;
    struct span attributes; /* canonical bytes to copy instead of encoding cells; SPAN_NULL: encode cells */
};

/* The record (events/record_codec.h): codec, column of predictions, name in the .avsc, member. In groups, because the
 * columns stand in another order than the fields. */
/* clang-format off */
#define PREDICTION_EVENT(FIELD) \
    FIELD(text,          event_id,         "event_id",    event_id) \
    FIELD(optional_text, employee_id,      "employee_id", employee_id) \
    FIELD(time_ms,       occurred_at,      "occurred_at", occurred_at_ms)
#define PREDICTION_SCORE(FIELD) \
    FIELD(label,         prediction,       "prediction",  label) \
    FIELD(double,        probability,      "probability", probability) \
    FIELD(double,        threshold,        "threshold",   threshold) \
    FIELD(double,        margin,           "margin",      margin) \
    FIELD(double,        base,             "base",        base)
#define PREDICTION_MODEL(FIELD) \
    FIELD(text,          model_name,       "name",        model.name) \
    FIELD(text,          model_version,    "version",     model.version) \
    FIELD(optional_text, model_alias,      "alias",       model.alias) \
    FIELD(optional_text, run_id,           "run_id",      model.run_id)
#define PREDICTION_TIME(FIELD) \
    FIELD(time_us,       scored_at,        "scored_at",   scored_at_us)
#define PREDICTION_LATENCY(FIELD) \
    FIELD(long,          latency_us,       "latency_us",  latency_us)
#define PREDICTION_SOURCE(FIELD) \
    FIELD(text,          source_topic,     "topic",       source_topic) \
    FIELD(int,           source_partition, "partition",   source_partition) \
    FIELD(long,          source_offset,    "offset",      source_offset)
#define PREDICTION_CHANNEL(FIELD) \
    FIELD(channel,       channel,          "channel",     channel)

#define PREDICTION_CHANGE(FIELD) \
    FIELD(double,        change_record,    "record",      change.record) \
    FIELD(double,        change_model,     "model",       change.model)

/* Further fields, whose columns sql/ adds after all others. None so far. */
#define PREDICTION_ADDED(FIELD)

/* An older prediction.avsc of the user's own may have no `change`: then it is not written. */
#define PREDICTION_RECORD(FIELD, PART) \
    PREDICTION_BEFORE_CHANGE(FIELD, PART) \
    PART(change) \
    PART(attributes)
#define PREDICTION_BEFORE_CHANGE(FIELD, PART) \
    PREDICTION_EVENT(FIELD) \
    PREDICTION_SCORE(FIELD) \
    PART(reasons) \
    PART(model) \
    PART(challengers) \
    PREDICTION_TIME(FIELD) \
    PREDICTION_LATENCY(FIELD) \
    PART(source) \
    PREDICTION_CHANNEL(FIELD) \
    PREDICTION_ADDED(FIELD)

/* Items of the arrays, over struct reason (its column goes as the feature's name) and struct challenger_score. */
#define PREDICTION_REASON(FIELD, PART) \
    PART(feature) \
    FIELD(double, contribution, "contribution", contribution)
#define PREDICTION_CHALLENGER(FIELD) \
    FIELD(text,   model,        "model",        model) \
    FIELD(double, probability,  "probability",  probability)
/* clang-format on */

/* Frame and Avro binary, appended to out. No allocation once out has grown. */
void prediction_encode(const struct schema *schema, const struct prediction *prediction, struct buffer *out);

/* The stamp's part of the record, appended to out: made once for a model, for its `encoded`. */
void model_stamp_encode(const struct model_stamp *stamp, struct buffer *out);

/* Of our own layout, without its frame. Strict. Everything decoded lives in `datum` or in the arena. Feature names in
 * reasons that the schema lacks are EVENT_UNRESOLVABLE. */
enum event_code prediction_decode_datum(const struct schema *schema, struct span datum, struct arena *arena,
                                        struct prediction *out, struct fault *fault);
/* The same with its frame, for our own id alone (any version: prediction_versions.h). */
enum event_code prediction_decode(const struct schema *schema, struct span value, struct arena *arena,
                                  struct prediction *out, struct fault *fault);
