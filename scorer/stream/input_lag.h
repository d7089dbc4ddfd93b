/* How far the assigned partitions of the input topic have been read. The score loop's thread; asks no broker: the ends
 * are those that the client has last fetched. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "scorer/stream/input_position.h"
#include "scorer/stream/lag.h"

/* Who reads them, and the position of each partition from 0 on. Plain data; borrows all. */
struct input_lag {
    rd_kafka_t *consumer;
    const char *topic;
    const struct input_position *positions;
    int32_t count;
};

size_t input_lag_list(const struct input_lag *source, struct partition_lag *out, size_t capacity);
uint64_t input_lag_messages(const struct input_lag *source);
/* Whether there is something to read in a partition that does not wait. */
bool input_lag_any(const struct input_lag *source);
