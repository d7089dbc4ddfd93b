/* Ends of events: see event_results.h. Pure; one thread at a time. */
#include "producer/event_results.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    MARK_SENT = 0x80,
    AHEAD_MAX = 16 * 1024 * 1024, /* an end may come that many offsets before the reports of what was sent */
};

void ends_init(struct ends *ends, size_t partition_count)
{
    ends->partitions = mem_zeroed(partition_count, sizeof *ends->partitions);
    ends->partition_count = partition_count;
}

void ends_free(struct ends *ends)
{
    for (size_t p = 0; p < ends->partition_count; p++)
        free(ends->partitions[p].marks);
    free(ends->partitions);
    *ends = (struct ends){0};
}

void ends_set_base(struct ends *ends, int32_t partition, int64_t base)
{
    ends->partitions[partition].base = base;
}

/* NULL: before the base, or in no partition of ours. */
static uint8_t *mark_at(struct ends *ends, int32_t p, int64_t offset)
{
    struct ends_partition *partition = p >= 0 && (size_t)p < ends->partition_count ? &ends->partitions[p] : NULL;
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

static void count_end(struct ends *ends, uint8_t mark)
{
    if (!(mark & MARK_SENT) || mark == MARK_SENT)
        return;
    ends->ended++;
    ends->by_kind[mark & ~MARK_SENT]++;
}

void ends_sent(struct ends *ends, int32_t partition, int64_t offset)
{
    uint8_t *mark = mark_at(ends, partition, offset);
    if (!mark || *mark & MARK_SENT)
        return;
    struct ends_partition *found = &ends->partitions[partition];
    *mark |= MARK_SENT;
    if (offset > found->sent_last)
        found->sent_last = offset;
    ends->sent++;
    count_end(ends, *mark);
}

/* A message may name any offset: marks do not grow to one that nothing of ours can have. */
static bool is_far_ahead(const struct ends *ends, int32_t p, int64_t offset)
{
    const struct ends_partition *partition = p >= 0 && (size_t)p < ends->partition_count ? &ends->partitions[p] : NULL;
    if (!partition || offset < partition->base)
        return false;
    int64_t from = partition->sent_last > partition->base ? partition->sent_last : partition->base;
    return offset - from > AHEAD_MAX;
}

void ends_found(struct ends *ends, int32_t partition, int64_t offset, enum end_kind kind)
{
    if (is_far_ahead(ends, partition, offset))
        return;
    uint8_t *mark = mark_at(ends, partition, offset);
    if (!mark || *mark & ~MARK_SENT)
        return;
    *mark |= (uint8_t)kind;
    count_end(ends, *mark);
}

void ends_passed(struct ends *ends, int32_t partition, int64_t offset, enum end_kind kind)
{
    if (partition < 0 || (size_t)partition >= ends->partition_count)
        return;
    struct ends_partition *found = &ends->partitions[partition];
    for (size_t at = 0; at < found->count && found->base + (int64_t)at < offset; at++)
        if (found->marks[at] == MARK_SENT) {
            found->marks[at] |= (uint8_t)kind;
            count_end(ends, found->marks[at]);
        }
}

bool ends_missing(const struct ends *ends, int32_t *partition, int64_t *offset)
{
    for (int32_t p = *partition; (size_t)p < ends->partition_count; p++, *offset = 0) {
        const struct ends_partition *found = &ends->partitions[p];
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
