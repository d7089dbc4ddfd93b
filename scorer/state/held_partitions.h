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

int64_t held_partitions_at(const struct held_partitions *held, int32_t partition); /* -1: it is none of these */
/* Logs it where it was not held before. */
void held_partitions_add(struct held_partitions *held, struct held_partition one, const char *state_topic,
                         const char *input_topic);
void held_partitions_remove(struct held_partitions *held, int32_t partition);
/* Whether the partition's transaction has ended, or it is none of these. `consumer` reads committed records. Asks a
 * broker, for half a second at most. */
bool held_partitions_is_free(const struct held_partitions *held, rd_kafka_t *consumer, const char *state_topic,
                             int32_t partition);
void held_partitions_free(struct held_partitions *held);
