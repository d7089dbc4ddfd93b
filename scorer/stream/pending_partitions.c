/* Getting partitions ready: see pending_partitions.h. Called by input_consumer.c in every poll until it is done, on the
 * score loop's thread and outside of the rebalance callback, so that a rebalance that makes it void is noticed. */
#include "scorer/stream/pending_partitions.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "scorer/stream/offset_metadata.h"

enum { BACKOFF_US = 200000 };

void pending_partitions_set(struct pending_partitions *pending, const rd_kafka_topic_partition_list_t *assigned)
{
    pending_partitions_drop(pending);
    pending->list = rd_kafka_topic_partition_list_copy(assigned);
}

void pending_partitions_drop(struct pending_partitions *pending)
{
    if (pending->list)
        rd_kafka_topic_partition_list_destroy(pending->list);
    *pending = (struct pending_partitions){0};
}

static enum status prepare_all(const struct pending_partitions *pending, const struct pending_prepare *prepare,
                               bool *done, struct error *err)
{
    size_t count = (size_t)pending->list->cnt;
    *done = true;
    if (!prepare->step)
        return STATUS_OK;
    struct state_start *starts = mem_zeroed(count, sizeof *starts);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *element = &pending->list->elems[i];
        starts[i] =
            (struct state_start){element->partition, element->offset,
                                 offset_metadata_has_current_records(element->metadata, element->metadata_size)};
    }
    enum status status = prepare->step(prepare->context, starts, count, done, err);
    free(starts);
    return status;
}

enum status pending_partitions_step(struct pending_partitions *pending, const struct start_offsets *start,
                                    const struct pending_prepare *prepare, bool *ready, struct error *err)
{
    bool done = false;
    *ready = false;
    if (clock_steady_us(&clock_system) < pending->ask_us)
        return STATUS_OK;
    enum status status = pending->resolved ? STATUS_OK : start_offsets_resolve(start, pending->list, err);
    pending->resolved |= status == STATUS_OK;
    if (status == STATUS_OK)
        status = prepare_all(pending, prepare, &done, err);
    *ready = status == STATUS_OK && done;
    if (status != STATUS_UNAVAILABLE)
        return status;
    pending->ask_us = clock_steady_us(&clock_system) + BACKOFF_US;
    if (!pending->logged)
        log_warn("score", "where group %s starts %s is not known yet (%s); trying again until it is", start->group,
                 start->topic, err->text);
    pending->logged = true;
    return STATUS_OK;
}
