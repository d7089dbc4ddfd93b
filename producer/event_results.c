/* Results of events: see event_results.h. Pure; one thread at a time. */
#include "producer/event_results.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    MARK_SENT = 0x80,
    AHEAD_MAX = 16 * 1024 * 1024, /* a result may come that many offsets before the reports of what was sent */
};

void event_results_init(struct event_results *results, size_t partition_count)
{
    results->partitions = mem_zeroed(partition_count, sizeof *results->partitions);
    results->partition_count = partition_count;
}

void event_results_free(struct event_results *results)
{
    for (size_t p = 0; p < results->partition_count; p++)
        free(results->partitions[p].marks);
    free(results->partitions);
    *results = (struct event_results){0};
}

void event_results_set_base(struct event_results *results, int32_t partition, int64_t base)
{
    results->partitions[partition].base = base;
}

/* NULL: before the base, or in no partition of ours. */
static uint8_t *mark_at(struct event_results *results, int32_t p, int64_t offset)
{
    struct event_results_partition *partition =
        p >= 0 && (size_t)p < results->partition_count ? &results->partitions[p] : NULL;
    if (!partition || offset < partition->base)
        return NULL;
    size_t at = (size_t)(offset - partition->base);
    if (at >= partition->count) {
        partition->marks = mem_grow(partition->marks, &partition->capacity, at + 1, 1);
        memset(partition->marks + partition->count, 0, at + 1 - partition->count);
        partition->count = at + 1;
    }
    return &partition->marks[at];
}

static void count_result(struct event_results *results, uint8_t mark)
{
    if (!(mark & MARK_SENT) || mark == MARK_SENT)
        return;
    results->ended++;
    results->by_result[mark & ~MARK_SENT]++;
}

void event_results_sent(struct event_results *results, int32_t partition, int64_t offset)
{
    uint8_t *mark = mark_at(results, partition, offset);
    if (!mark || *mark & MARK_SENT)
        return;
    struct event_results_partition *found = &results->partitions[partition];
    *mark |= MARK_SENT;
    if (offset > found->sent_last)
        found->sent_last = offset;
    results->sent++;
    count_result(results, *mark);
}

/* A message may name any offset: marks do not grow to one that nothing of ours can have. */
static bool is_far_ahead(const struct event_results *results, int32_t p, int64_t offset)
{
    const struct event_results_partition *partition =
        p >= 0 && (size_t)p < results->partition_count ? &results->partitions[p] : NULL;
    if (!partition || offset < partition->base)
        return false;
    int64_t from = partition->sent_last > partition->base ? partition->sent_last : partition->base;
    return offset - from > AHEAD_MAX;
}

void event_results_found(struct event_results *results, int32_t partition, int64_t offset, enum event_result kind)
{
    if (is_far_ahead(results, partition, offset))
        return;
    uint8_t *mark = mark_at(results, partition, offset);
    if (!mark || *mark & ~MARK_SENT)
        return;
    *mark |= (uint8_t)kind;
    count_result(results, *mark);
}

void event_results_passed(struct event_results *results, int32_t partition, int64_t offset, enum event_result kind)
{
    if (partition < 0 || (size_t)partition >= results->partition_count)
        return;
    struct event_results_partition *found = &results->partitions[partition];
    for (size_t at = 0; at < found->count && found->base + (int64_t)at < offset; at++)
        if (found->marks[at] == MARK_SENT) {
            found->marks[at] |= (uint8_t)kind;
            count_result(results, found->marks[at]);
        }
}

bool event_results_missing(const struct event_results *results, int32_t *partition, int64_t *offset)
{
    for (int32_t p = *partition; (size_t)p < results->partition_count; p++, *offset = 0) {
        const struct event_results_partition *found = &results->partitions[p];
        size_t first = *offset > found->base ? (size_t)(*offset - found->base) : 0;
        for (size_t at = first; at < found->count; at++)
            if (found->marks[at] == MARK_SENT) {
                *partition = p;
                *offset = found->base + (int64_t)at;
                return true;
            }
    }
    return false;
}
