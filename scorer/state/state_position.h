/* How far into the input the records of a state partition are good: the record under a reserved key that each
 * transaction writes beside them, as one JSON object. It also says whose state it is. */
#pragma once

#include "base/bytes.h"
#include "base/status.h"

/* No employee has this id: ids have no control characters. */
#define STATE_POSITION_KEY SPAN_LITERAL("\001position")

/* Plain data. */
struct state_position {
    const char *group, *topic; /* the input topic */
    int32_t partition;
    int32_t partitions; /* of the state topic, then */
    int64_t offset;     /* one past the last event that has a result */
    int64_t records;    /* how many there are then: fewer in the topic show that some were deleted */
    int64_t begun_us;   /* when these records were begun: what a recreated topic holds begins later; 0: not known */
};

void state_position_write(const struct state_position *position, struct buffer *out);
/* Sets partitions and begun_us (0: it does not say), offset and number of records, where the value is of the group,
 * topic and partition that are there; else err says why not. */
MUST_USE enum status state_position_read(struct span value, struct state_position *position, struct error *err);
