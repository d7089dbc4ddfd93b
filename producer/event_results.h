/* Which of the events that were sent have a result, by their places in the input topic: a byte for each
 * offset, so that millions are followed in bounded memory. Sent and result may be noted in either order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/error_codes.h"

/* What an event ends as; a dead letter of code c is EVENT_RESULT_DEAD_LETTER + c. */
enum event_result {
    EVENT_RESULT_NONE,
    EVENT_RESULT_SCORED,
    EVENT_RESULT_ERASED,
    EVENT_RESULT_OUTCOME,
    EVENT_RESULT_IGNORED,
    EVENT_RESULT_DEAD_LETTER
};
enum { EVENT_RESULT_COUNT = EVENT_RESULT_DEAD_LETTER + EVENT_CODE_COUNT };

/* Plain data; zero-initialise, set the count of partitions with event_results_init. */
struct event_results {
    struct event_results_partition {
        int64_t base;      /* nothing before it counts */
        int64_t sent_last; /* the highest offset of ours */
        uint8_t *marks;
        size_t count, capacity;
    } * partitions;
    size_t partition_count;
    uint64_t sent, ended;
    uint64_t by_result[EVENT_RESULT_COUNT]; /* of those sent: ended = Σ by_result */
};

void event_results_init(struct event_results *results, size_t partition_count);
void event_results_free(struct event_results *results);
void event_results_set_base(struct event_results *results, int32_t partition, int64_t base);

void event_results_sent(struct event_results *results, int32_t partition, int64_t offset);
/* Of anybody's event: it counts if it was or will be one of ours; only the first result of each does, and
 * none that is far beyond what was sent. */
void event_results_found(struct event_results *results, int32_t partition, int64_t offset, enum event_result kind);

/* All of ours before the offset that have no result so far have this one. */
void event_results_passed(struct event_results *results, int32_t partition, int64_t offset, enum event_result kind);

/* The next event without a result, from *partition, *offset on (0, 0: the first). False: there is none. */
bool event_results_missing(const struct event_results *results, int32_t *partition, int64_t *offset);
