/* See held_partitions.h. Used by state_restore.c alone, on the score loop's thread. */
#include "scorer/state/held_partitions.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"

enum { GLANCE_MS = 500 };

bool held_partitions_has(const struct held_partitions *held, int32_t partition)
{
    for (size_t i = 0; i < held->count; i++)
        if (held->items[i].partition == partition)
            return true;
    return false;
}

void held_partitions_replace(struct held_partitions *held, struct held_partition *items, size_t count,
                             const char *state_topic, const char *input_topic)
{
    for (size_t i = 0; i < count; i++)
        if (!held_partitions_has(held, items[i].partition))
            log_error("score",
                      "%s [%" PRId32 "] waits: a transaction is open in %s [%" PRId32 "] from offset %" PRId64
                      " on, so the current records there cannot be read (kafka-transactions find-hanging); the others "
                      "go on",
                      input_topic, items[i].partition, state_topic, items[i].partition, items[i].at);
    held_partitions_free(held);
    *held = (struct held_partitions){items, count};
}

bool held_partitions_any_free(const struct held_partitions *held, rd_kafka_t *consumer, const char *state_topic)
{
    bool any = false;
    for (size_t i = 0; i < held->count && !any; i++) {
        int64_t low, stable; /* to a reader of committed records the end is the last stable offset */
        any = !rd_kafka_query_watermark_offsets(consumer, state_topic, held->items[i].partition, &low, &stable,
                                                GLANCE_MS) &&
              stable > held->items[i].at;
    }
    return any;
}

void held_partitions_free(struct held_partitions *held)
{
    free(held->items);
    *held = (struct held_partitions){0};
}
