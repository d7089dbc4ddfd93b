/* See held_partitions.h. Used by state_restore.c alone, on the score loop's thread. */
#include "scorer/state/held_partitions.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

enum { GLANCE_MS = 500 };

static struct held_partition *find(const struct held_partitions *held, int32_t partition)
{
    for (size_t i = 0; i < held->count; i++)
        if (held->items[i].partition == partition)
            return &held->items[i];
    return NULL;
}

int64_t held_partitions_at(const struct held_partitions *held, int32_t partition)
{
    const struct held_partition *found = find(held, partition);
    return found ? found->at : -1;
}

void held_partitions_add(struct held_partitions *held, struct held_partition one, const char *state_topic,
                         const char *input_topic)
{
    struct held_partition *known = find(held, one.partition);
    if (known) {
        *known = one;
        return;
    }
    log_error("score",
              "%s [%" PRId32 "] waits: a transaction is open in %s [%" PRId32 "] from offset %" PRId64
              " on, so the current records there cannot be read (kafka-transactions find-hanging); the others go on",
              input_topic, one.partition, state_topic, one.partition, one.at);
    held->items = mem_resize(held->items, held->count + 1, sizeof *held->items);
    held->items[held->count++] = one;
}

void held_partitions_remove(struct held_partitions *held, int32_t partition)
{
    struct held_partition *known = find(held, partition);
    if (known)
        *known = held->items[--held->count];
}

bool held_partitions_is_free(const struct held_partitions *held, rd_kafka_t *consumer, const char *state_topic,
                             int32_t partition)
{
    int64_t low, stable; /* to a reader of committed records the end is the last stable offset */
    const struct held_partition *found = find(held, partition);
    return !found || (!rd_kafka_query_watermark_offsets(consumer, state_topic, partition, &low, &stable, GLANCE_MS) &&
                      stable != found->at);
}

void held_partitions_free(struct held_partitions *held)
{
    free(held->items);
    *held = (struct held_partitions){0};
}
