/* A decoded event: plain data that borrows from the message it was decoded from and from its decoder. */
#pragma once

#include "base/row.h"

/* The contract's symbols, in this order; other symbols of the schema's enum come after these and are scored like
 * CHANGED.
 */
#define EVENT_TYPE_TABLE(TYPE) TYPE(SNAPSHOT) TYPE(HIRED) TYPE(CHANGED) TYPE(TERMINATED)

enum event_type {
#define EVENT_TYPE_ID(id) EVENT_TYPE_##id,
    EVENT_TYPE_TABLE(EVENT_TYPE_ID)
#undef EVENT_TYPE_ID
};

/* A prediction's header, where its event was of that type: the scorer writes it, and the sink lets who is hired again
 * at the very time of leaving into latest_predictions. */
#define EVENT_TYPE_HEADER "attrition.event_type"
#define EVENT_TYPE_HEADER_HIRED "HIRED"

/* The record (events/record_codec.h), as employee_event.avsc has it: codec, id, name in the .avsc, member. ENVELOPE_ID
 * is a field's position (schema_private.h), FAULT_ID what a fault is about (error_codes.h). */
/* clang-format off */
#define EVENT_ENVELOPE(FIELD) \
    FIELD(text,       EVENT_ID,    "event_id",    event_id) \
    FIELD(event_type, EVENT_TYPE,  "event_type",  type) \
    FIELD(text,       EMPLOYEE_ID, "employee_id", employee_id) \
    FIELD(time_ms,    OCCURRED_AT, "occurred_at", occurred_at_ms)

#define EVENT_RECORD(FIELD, PART) \
    EVENT_ENVELOPE(FIELD) \
    PART(changed) \
    PART(attributes)
/* clang-format on */

/* How it came. */
enum event_form { EVENT_FORM_AVRO, EVENT_FORM_PLAIN, EVENT_FORM_CLOUD, EVENT_FORM_CHANGE, EVENT_FORM_MAPPED };

struct event {
    struct span event_id;
    struct span employee_id;
    int64_t occurred_at_ms; /* since 1970-01-01 UTC */
    int32_t type;           /* enum event_type */
    struct cell *cells;     /* column_count cells, the caller's memory */
    struct span attributes; /* the attributes record's bytes if they are already in the canonical (reader's) encoding,
                               so that they can be copied into what is written of it; else SPAN_NULL */
    bool partial;           /* it lists what has changed: the other columns' cells are CELL_UNLISTED */
    uint32_t imputed;       /* values that validate_event took for missing */
    enum event_form form;
    bool ignored;            /* it reports no change of a record: nothing else is set */
    bool without_attributes; /* of JSON, with TERMINATED alone: all cells are missing */
};
