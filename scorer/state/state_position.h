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
    int64_t offset; /* one past the last event that has a result */
};

void state_position_write(const struct state_position *position, struct buffer *out);
/* The offset, where the value is of this group, topic and partition (`due`; its offset counts for nothing); else why
 * not. */
MUST_USE enum status state_position_read(struct span value, const struct state_position *due, int64_t *offset,
                                         struct error *err);
