/* Getting partitions ready: see pending_partitions.h. Called by input_consumer.c in every poll until it is done, on the
 * score loop's thread and outside of the rebalance callback, so that a rebalance that makes it void is noticed. */
#include "scorer/stream/pending_partitions.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "scorer/stream/offset_metadata.h"

enum { BACKOFF_US = 200000, LOOK_INTERVAL_US = 5000000 };

static void drop_list(rd_kafka_topic_partition_list_t **list)
{
    if (*list)
        rd_kafka_topic_partition_list_destroy(*list);
    *list = NULL;
}

void pending_partitions_set(struct pending_partitions *pending, const rd_kafka_topic_partition_list_t *assigned)
{
    pending_partitions_drop(pending);
    pending->all = rd_kafka_topic_partition_list_copy(assigned);
    pending->list = rd_kafka_topic_partition_list_copy(assigned);
    pending->since_us = clock_steady_us(&clock_system);
}

void pending_partitions_drop(struct pending_partitions *pending)
{
    drop_list(&pending->list);
    drop_list(&pending->all);
    drop_list(&pending->held);
    *pending = (struct pending_partitions){0};
}

void pending_partitions_taken(struct pending_partitions *pending)
{
    drop_list(&pending->list);
    pending->look_us = clock_steady_us(&clock_system) + LOOK_INTERVAL_US;
}

/* --- those whose offset somebody's open transaction holds --- */

size_t pending_partitions_held(const struct pending_partitions *pending)
{
    return pending->held ? (size_t)pending->held->cnt : 0;
}

static void log_held(const struct pending_partitions *pending, const rd_kafka_topic_partition_list_t *before,
                     const struct start_offsets *start)
{
    for (int i = 0; i < pending->held->cnt; i++) {
        int32_t partition = pending->held->elems[i].partition;
        if (!before || !rd_kafka_topic_partition_list_find(before, start->topic, partition))
            log_error("score",
                      "%s [%d] waits: a transaction that is open in group %s keeps its offset from being known "
                      "(kafka-transactions find-hanging); the others go on",
                      start->topic, (int)partition, start->group);
    }
}

/* Asks for each of `candidates` alone: those without an answer are held, the list is what remains of all. */
static void leave_out_held(struct pending_partitions *pending, const rd_kafka_topic_partition_list_t *candidates,
                           const struct start_offsets *start)
{
    rd_kafka_topic_partition_list_t *before = pending->held;
    drop_list(&pending->list);
    pending->list = rd_kafka_topic_partition_list_new(pending->all->cnt);
    pending->held = rd_kafka_topic_partition_list_new(1);
    for (int i = 0; i < pending->all->cnt; i++) {
        int32_t partition = pending->all->elems[i].partition;
        bool asked = rd_kafka_topic_partition_list_find(candidates, start->topic, partition);
        bool is_held = asked && !start_offsets_known(start, partition);
        rd_kafka_topic_partition_list_add(is_held ? pending->held : pending->list, start->topic, partition);
    }
    if (pending->list->cnt)
        log_held(pending, before, start);
    drop_list(&before);
}

/* Where all are held there is nothing to go on with. */
static void note_waiting(struct pending_partitions *pending, const struct start_offsets *start)
{
    int64_t now = clock_steady_us(&clock_system);
    if (!kafka_up() || pending->all->cnt == 1)
        pending->since_us = now;
    if (now - pending->since_us < PENDING_PATIENCE_US)
        return;
    pending->since_us = now;
    leave_out_held(pending, pending->all, start);
    if (pending->list->cnt)
        return;
    drop_list(&pending->held);
    drop_list(&pending->list);
    pending->list = rd_kafka_topic_partition_list_copy(pending->all);
}

/* One of them, each time another. */
static bool any_known(const struct pending_partitions *pending, const struct start_offsets *start)
{
    size_t count = pending_partitions_held(pending);
    size_t turn = (size_t)(clock_steady_us(&clock_system) / LOOK_INTERVAL_US);
    return count && start_offsets_known(start, pending->held->elems[turn % count].partition);
}

bool pending_partitions_again(struct pending_partitions *pending, const struct start_offsets *start,
                              const struct pending_prepare *prepare)
{
    int64_t now = clock_steady_us(&clock_system);
    if (pending->list || now < pending->look_us || !kafka_up())
        return false;
    pending->look_us = now + LOOK_INTERVAL_US;
    if (!any_known(pending, start) && !(prepare->may_go_on && prepare->may_go_on(prepare->context)))
        return false;
    if (pending->held) {
        rd_kafka_topic_partition_list_t *candidates = rd_kafka_topic_partition_list_copy(pending->held);
        leave_out_held(pending, candidates, start);
        drop_list(&candidates);
    } else {
        pending->list = rd_kafka_topic_partition_list_copy(pending->all);
    }
    pending->resolved = pending->logged = false;
    pending->since_us = now;
    return true;
}

/* --- getting ready --- */

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
    if (status == STATUS_UNAVAILABLE)
        note_waiting(pending, start);
    else if (status == STATUS_OK)
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
