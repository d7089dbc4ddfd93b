/* The prediction record: encoded by score and http, decoded by the sink. Its layout is schemas/prediction.avsc, checked
 * against this code when the schema is loaded. */
#ifndef EVENTS_PREDICTION_H
#define EVENTS_PREDICTION_H

#include "base/memory.h"
#include "base/row.h"
#include "base/status.h"
#include "events/codes.h"
#include "events/schema.h"

enum channel { CHANNEL_STREAM, CHANNEL_HTTP };

/* Which model said it. Texts are borrowed; alias and run_id may be SPAN_NULL. */
struct model_stamp {
    struct span name, version, alias, run_id;
};

struct challenger_score {
    struct span model; /* "attrition/7" */
    double probability;
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
    const struct cell *cells;
    struct span attributes; /* canonical bytes to copy instead of encoding cells; SPAN_NULL: encode cells */
};

/* Frame and Avro binary, appended to out. No allocation once out has grown. */
void prediction_encode(const struct schema *schema, const struct prediction *prediction, struct buffer *out);

/* Of our own layout, without its frame. Strict. Everything decoded lives in `datum` or in the arena. Feature names in
 * reasons that the schema lacks are EVENT_UNRESOLVABLE. */
enum event_code prediction_decode_datum(const struct schema *schema, struct span datum, struct arena *arena,
                                        struct prediction *out, struct fault *fault);
/* The same with its frame, for our own id alone (any version: prediction_versions.h). */
enum event_code prediction_decode(const struct schema *schema, struct span value, struct arena *arena,
                                  struct prediction *out, struct fault *fault);

#endif
