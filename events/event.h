/* A decoded event: plain data that borrows from the message it was decoded from and from its decoder. */
#ifndef EVENTS_EVENT_H
#define EVENTS_EVENT_H

#include "base/row.h"

/* Positions of the contract's symbols; other symbols of the schema's enum come after these and are scored like CHANGED.
 */
enum event_type { EVENT_TYPE_SNAPSHOT, EVENT_TYPE_HIRED, EVENT_TYPE_CHANGED, EVENT_TYPE_TERMINATED };

struct event {
    struct span event_id;
    struct span employee_id;
    int64_t occurred_at_ms; /* since 1970-01-01 UTC */
    int32_t type;           /* enum event_type */
    struct cell *cells;     /* column_count cells, the caller's memory */
    struct span attributes; /* the attributes record's bytes if they are already in the canonical (reader's) encoding,
                               so that they can be copied into the prediction; else SPAN_NULL */
    uint32_t imputed;       /* values that validate_event took for missing */
};

#endif
