/* An employee's current record as it lies in the state topic: encoded and decoded by the score loop. Its bytes are
 * those of schemas/employee_state.avsc, which is checked against the table here when the schema is loaded. */
#pragma once

#include "base/memory.h"
#include "base/row.h"
#include "events/error_codes.h"
#include "events/schema.h"

/* Plain data; borrows everything it points at. */
struct employee_state {
    struct span employee_id;
    int64_t occurred_at_ms;
    struct span source_topic;
    int32_t source_partition;
    int64_t source_offset;
    bool scored; /* the five that follow are of the last prediction */
    uint32_t label;
    double probability, margin, threshold;
    struct span model_name, model_version;
    bool alerted; /* the two that follow are of the last alert */
    uint32_t alerted_label;
    double alerted_probability;
    const struct cell *cells; /* NULL: the employee has left */
    struct span attributes;   /* to be written: the cells' bytes where they are there already, as of struct event; else
                                 SPAN_NULL */
};

/* The record (events/record_codec.h). `source`, `prediction` and `alerted` are records of their own, the latter two
 * optional.
 */
/* clang-format off */
#define STATE_SOURCE(FIELD) \
    FIELD(text,   , "topic",         source_topic) \
    FIELD(int,    , "partition",     source_partition) \
    FIELD(long,   , "offset",        source_offset)
#define STATE_PREDICTION(FIELD) \
    FIELD(label,  , "prediction",    label) \
    FIELD(double, , "probability",   probability) \
    FIELD(double, , "margin",        margin) \
    FIELD(double, , "threshold",     threshold) \
    FIELD(text,   , "model_name",    model_name) \
    FIELD(text,   , "model_version", model_version)
#define STATE_ALERTED(FIELD) \
    FIELD(label,  , "prediction",    alerted_label) \
    FIELD(double, , "probability",   alerted_probability)

#define STATE_RECORD(FIELD, PART) \
    FIELD(text,    , "employee_id", employee_id) \
    FIELD(time_ms, , "occurred_at", occurred_at_ms) \
    PART(source) \
    PART(prediction) \
    PART(alerted) \
    PART(attributes)
/* clang-format on */

/* Frame and Avro binary, appended to out. No allocation once out has grown. */
void employee_state_encode(const struct schema *schema, const struct employee_state *state, struct buffer *out);

/* A reader of what any version of employee_state.avsc in ids.json wrote. One per thread; borrows the schema. */
struct employee_state_reader;
struct employee_state_reader *employee_state_reader_new(const struct schema *schema);
void employee_state_reader_free(struct employee_state_reader *reader);

/* Strict. Texts borrow from `value` or from the reader, until its next call; cells are the reader's. */
enum event_code employee_state_read(struct employee_state_reader *reader, struct span value, struct employee_state *out,
                                    struct fault *fault);
