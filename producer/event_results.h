/* Which of the events that were sent have come to their end, by their places in the input topic: a byte for each
 * offset, so that millions are followed in bounded memory. Sent and ended may be noted in either order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/error_codes.h"

/* What an event ends as; a dead letter of code c is END_DEAD_LETTER + c. */
enum end_kind { END_NONE, END_SCORED, END_ERASED, END_OUTCOME, END_IGNORED, END_DEAD_LETTER };
enum { END_KIND_COUNT = END_DEAD_LETTER + EVENT_CODE_COUNT };

/* Plain data; zero-initialise, set the count of partitions with ends_init. */
struct ends {
    struct ends_partition {
        int64_t base;      /* nothing before it counts */
        int64_t sent_last; /* the highest offset of ours */
        uint8_t *marks;
        size_t count, capacity;
    } * partitions;
    size_t partition_count;
    uint64_t sent, ended;
    uint64_t by_kind[END_KIND_COUNT]; /* of those sent: ended = Σ by_kind */
};

void ends_init(struct ends *ends, size_t partition_count);
void ends_free(struct ends *ends);
void ends_set_base(struct ends *ends, int32_t partition, int64_t base);

void ends_sent(struct ends *ends, int32_t partition, int64_t offset);
/* Of anybody's event: it counts if it was or will be one of ours; only the first end of each does, and
 * none that is far beyond what was sent. */
void ends_found(struct ends *ends, int32_t partition, int64_t offset, enum end_kind kind);

/* All of ours before the offset that have no end so far have this one. */
void ends_passed(struct ends *ends, int32_t partition, int64_t offset, enum end_kind kind);

/* The next event without an end, from *partition, *offset on (0, 0: the first). False: there is none. */
bool ends_missing(const struct ends *ends, int32_t *partition, int64_t *offset);
