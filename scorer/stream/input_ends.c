/* See input_ends.h. Used by input_consumer.c, on the score loop's thread. */
#include "scorer/stream/input_ends.h"

#include <stdlib.h>

#include "base/memory.h"

enum { LOOKUP_MS = 5000 };

enum status input_ends_look_up(struct input_ends *ends, const struct start_offsets *start, int32_t partitions,
                               const _Atomic bool *stop, struct error *err)
{
    ends->offsets = mem_zeroed((size_t)partitions, sizeof *ends->offsets);
    ends->count = partitions;
    for (int32_t p = 0; p < partitions; p++)
        if (start_offsets_find_end(start, p, stop, &ends->offsets[p], err) != STATUS_OK)
            return err->status;
    return STATUS_OK;
}

/* By the group's committed offsets, because other members handle partitions too, and one that died holds its own until
 * its session ends. */
bool input_ends_reached(const struct input_ends *ends, const struct start_offsets *start)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(ends->count);
    for (int32_t p = 0; p < ends->count; p++)
        rd_kafka_topic_partition_list_add(list, start->topic, p);
    bool reached = !rd_kafka_committed(start->consumer, list, LOOKUP_MS);
    for (int i = 0; i < list->cnt && reached; i++)
        reached = !list->elems[i].err && list->elems[i].offset >= ends->offsets[list->elems[i].partition];
    rd_kafka_topic_partition_list_destroy(list);
    return reached;
}

void input_ends_free(struct input_ends *ends)
{
    free(ends->offsets);
    *ends = (struct input_ends){0};
}
