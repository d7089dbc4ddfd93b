/* Partitions of the state topic that somebody's open transaction holds: their records cannot be read to the end, since
 * readers of committed records stop before it. Plain data, embedded in a state_restore; zeroed: none. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

struct held_partition {
    int32_t partition;
    int64_t at; /* the offset from which on nobody can read */
};

struct held_partitions {
    struct held_partition *items; /* owned */
    size_t count;
};

bool held_partitions_has(const struct held_partitions *held, int32_t partition);
/* Takes `count` items, an allocation. Logs those that were not held before. */
void held_partitions_replace(struct held_partitions *held, struct held_partition *items, size_t count,
                             const char *state_topic, const char *input_topic);
/* Whether one of these transactions has ended. `consumer` reads committed records. Asks a broker, for half a second a
 * partition at most. */
bool held_partitions_any_free(const struct held_partitions *held, rd_kafka_t *consumer, const char *state_topic);
void held_partitions_free(struct held_partitions *held);
