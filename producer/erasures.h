/* Who has been erased, and where in the input topic the request lies: what a replay compares dead letters with. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* A place in the input topic, and a time for where places cannot be compared (other partitions). */
struct erasure_place {
    int32_t partition; /* -1: not known */
    int64_t offset;
    int64_t time_ms;
};

/* Plain data; zero-initialise. */
struct erasures {
    struct erasure **slots; /* by the id's hash, open addressing; a power of two of them */
    size_t slot_count, count;
    struct erasure_place *latest; /* of all, by partition */
    size_t partition_count;
};

void erasures_free(struct erasures *erasures);

/* A null value for this employee. */
void erasures_add(struct erasures *erasures, struct span id, struct erasure_place request);

/* Whether a request for this employee came after the event at this place. SPAN_NULL: nobody knows whose it is, so
 * anybody's request counts. Of two partitions the time decides. */
bool erasures_follow(const struct erasures *erasures, struct span id, struct erasure_place event);
