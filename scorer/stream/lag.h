/* How far the assigned partitions of the input topic have been read. The score loop's thread; asks no broker: the ends
 * are those that the client has last fetched. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "scorer/stream/input_position.h"

/* One assigned partition; plain data. */
struct partition_lag {
    int32_t partition;
    int64_t next, end; /* offsets: the next to be handled; the log's end as last fetched */
    int64_t last_ms;   /* timestamp of the last message handled; 0: none yet */
};

static inline uint64_t partition_lag_messages(struct partition_lag lag)
{
    return lag.end > lag.next ? (uint64_t)(lag.end - lag.next) : 0;
}

/* Who reads them, and the position of each partition from 0 on. Plain data; borrows all. */
struct lag_source {
    rd_kafka_t *consumer;
    const char *topic;
    const struct input_position *positions;
    int32_t count;
};

size_t lag_list(const struct lag_source *source, struct partition_lag *out, size_t capacity);
uint64_t lag_messages(const struct lag_source *source);
/* Whether there is something to read in a partition that does not wait. */
bool lag_any(const struct lag_source *source);
