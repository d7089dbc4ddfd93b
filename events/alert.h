/* An alert as it lies in the alert topic: written by the score loop, read by the sink. Its bytes are those of
 * schemas/alert.avsc, which is checked against the table here when the schema is loaded. */
#pragma once

#include "base/memory.h"
#include "events/error_codes.h"
#include "events/schema.h"

#define ALERT_KIND_TABLE(KIND) KIND(FIRST) KIND(CROSSED_UP) KIND(CROSSED_DOWN) KIND(MOVED)
#define ALERT_CAUSE_TABLE(CAUSE) CAUSE(RECORD) CAUSE(MODEL) CAUSE(BOTH)

enum alert_kind {
#define KIND_ID(id) ALERT_##id,
    ALERT_KIND_TABLE(KIND_ID)
#undef KIND_ID
        ALERT_KIND_COUNT
};

enum alert_cause {
#define CAUSE_ID(id) ALERT_CAUSE_##id,
    ALERT_CAUSE_TABLE(CAUSE_ID)
#undef CAUSE_ID
        ALERT_CAUSE_COUNT
};

struct span alert_kind_name(enum alert_kind kind);
struct span alert_cause_name(enum alert_cause cause);

/* A prediction, before or after. Plain data. */
struct alert_assessment {
    uint32_t label; /* index into schema->target_values */
    double probability, margin, threshold;
    struct span model_name, model_version;
};

struct alert_driver {
    struct span feature, before, after; /* the values are JSON texts */
    double contribution_before, contribution_after;
};

/* Plain data; borrows everything it points at. */
struct alert {
    struct span event_id, employee_id;
    int64_t occurred_at_ms;
    enum alert_kind kind;
    bool has_before;
    struct alert_assessment before, after;
    bool has_drivers;
    const struct alert_driver *drivers;
    size_t driver_count;
    double model_change;
    enum alert_cause cause;
};

/* The record (events/record_codec.h): codec, column of alerts, name in the .avsc, member. */
/* clang-format off */
#define ALERT_EVENT(FIELD) \
    FIELD(text,    event_id,    "event_id",    event_id) \
    FIELD(text,    employee_id, "employee_id", employee_id) \
    FIELD(time_ms, occurred_at, "occurred_at", occurred_at_ms) \
    FIELD(kind,    kind,        "kind",        kind)
#define ALERT_CHANGE(FIELD) \
    FIELD(double, model_change, "model_change", model_change) \
    FIELD(cause,  cause,        "cause",        cause)
#define ALERT_RECORD(FIELD, PART) \
    ALERT_EVENT(FIELD) \
    PART(before) \
    PART(after) \
    PART(drivers) \
    ALERT_CHANGE(FIELD)

/* Over struct alert_assessment and struct alert_driver. */
#define ALERT_SCORE(FIELD) \
    FIELD(label,  prediction,  "prediction",  label) \
    FIELD(double, probability, "probability", probability) \
    FIELD(double, margin,      "margin",      margin) \
    FIELD(double, threshold,   "threshold",   threshold)
#define ALERT_MODEL(FIELD) \
    FIELD(text,   model_name,    "name",    model_name) \
    FIELD(text,   model_version, "version", model_version)
#define ALERT_ASSESSMENT(FIELD, PART) \
    ALERT_SCORE(FIELD) \
    PART(model)
#define ALERT_DRIVER(FIELD) \
    FIELD(text,   feature,             "feature",             feature) \
    FIELD(text,   before,              "before",              before) \
    FIELD(text,   after,               "after",               after) \
    FIELD(double, contribution_before, "contribution_before", contribution_before) \
    FIELD(double, contribution_after,  "contribution_after",  contribution_after)
/* clang-format on */

/* Frame and Avro binary, appended to out. No allocation once out has grown. */
void alert_encode(const struct schema *schema, const struct alert *alert, struct buffer *out);

/* A reader of what any version of alert.avsc in ids.json, or of the schema registry, wrote. One per thread; borrows the
 * schema, which has an alert.avsc. */
struct alert_reader;
struct registry_client;
struct alert_reader *alert_reader_new(const struct schema *schema);
void alert_reader_free(struct alert_reader *reader);
void alert_reader_use_registry(struct alert_reader *reader, struct registry_client *registry); /* NULL: none */

/* Strict. Everything decoded lives in `value` or in the arena; `header` and *waits as of decoder_read. */
enum event_code alert_read(struct alert_reader *reader, struct span value, struct span header, struct arena *arena,
                           struct alert *out, struct fault *fault, bool *waits);
