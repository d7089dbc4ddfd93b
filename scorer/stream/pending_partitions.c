/* Getting partitions ready: see pending_partitions.h. Called by input_consumer.c in every poll until it is done, on the
 * score loop's thread and outside of the rebalance callback, so that a rebalance that makes it void is noticed. */
#include "scorer/stream/pending_partitions.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "scorer/stream/offset_metadata.h"

enum { BACKOFF_US = 200000, LOOK_INTERVAL_US = 10000000, LOOKS_US = 5000000 };

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

/* --- those that somebody's open transaction holds --- */

size_t pending_partitions_held(const struct pending_partitions *pending)
{
    return pending->held ? (size_t)pending->held->cnt : 0;
}

static bool is_listed(const rd_kafka_topic_partition_list_t *list, const rd_kafka_topic_partition_t *one)
{
    return list && rd_kafka_topic_partition_list_find(list, one->topic, one->partition);
}

/* The list is all that is not held, from the beginning. */
static void list_others(struct pending_partitions *pending)
{
    drop_list(&pending->list);
    pending->list = rd_kafka_topic_partition_list_new(pending->all->cnt);
    for (int i = 0; i < pending->all->cnt; i++)
        if (!is_listed(pending->held, &pending->all->elems[i]))
            rd_kafka_topic_partition_list_add(pending->list, pending->all->elems[i].topic,
                                              pending->all->elems[i].partition);
    pending->resolved = pending->logged = false;
    pending->since_us = clock_steady_us(&clock_system);
}

static void hold(struct pending_partitions *pending, const rd_kafka_topic_partition_t *one)
{
    if (!pending->held)
        pending->held = rd_kafka_topic_partition_list_new(1);
    if (!is_listed(pending->held, one))
        rd_kafka_topic_partition_list_add(pending->held, one->topic, one->partition);
}

/* The look-up of all has failed for long: those without an answer alone are left out, unless none has one. Time for
 * some of them; the others have theirs when this has failed again. */
static void hold_unknown(struct pending_partitions *pending, const struct start_offsets *start)
{
    int count = pending->list->cnt;
    int64_t end = clock_steady_us(&clock_system) + LOOKS_US;
    rd_kafka_topic_partition_list_t *unknown = rd_kafka_topic_partition_list_new(count);
    for (int i = 0; i < count && clock_steady_us(&clock_system) < end; i++)
        if (!start_offsets_known(start, pending->list->elems[i].partition))
            rd_kafka_topic_partition_list_add(unknown, start->topic, pending->list->elems[i].partition);
    for (int i = 0; i < unknown->cnt && unknown->cnt < count; i++) {
        log_error("score",
                  "%s [%d] waits: group %s does not say where it starts, as while a transaction is open there "
                  "(kafka-transactions find-hanging); the others go on",
                  start->topic, (int)unknown->elems[i].partition, start->group);
        hold(pending, &unknown->elems[i]);
    }
    rd_kafka_topic_partition_list_destroy(unknown);
    list_others(pending);
}

static void note_waiting(struct pending_partitions *pending, const struct start_offsets *start)
{
    int64_t now = clock_steady_us(&clock_system);
    if (!kafka_up() || pending->list->cnt == 1)
        pending->since_us = now;
    if (now - pending->since_us >= PENDING_PATIENCE_US)
        hold_unknown(pending, start);
}

/* From the next one on, until one is held still. */
static bool release(struct pending_partitions *pending, const struct start_offsets *start,
                    const struct pending_prepare *prepare)
{
    bool any = false;
    for (int count; (count = pending->held->cnt) > 0; any = true) {
        int at = (int)(pending->looks++ % (size_t)count);
        int32_t partition = pending->held->elems[at].partition;
        if (!start_offsets_known(start, partition) ||
            (prepare->may_go_on && !prepare->may_go_on(prepare->context, partition)))
            return any;
        rd_kafka_topic_partition_list_del_by_idx(pending->held, at);
    }
    return any;
}

bool pending_partitions_again(struct pending_partitions *pending, const struct start_offsets *start,
                              const struct pending_prepare *prepare)
{
    int64_t now = clock_steady_us(&clock_system);
    if (!pending_partitions_held(pending) || now < pending->look_us || !kafka_up())
        return false;
    pending->look_us = now + LOOK_INTERVAL_US;
    if (!release(pending, start, prepare))
        return false;
    list_others(pending);
    return true;
}

/* --- getting ready --- */

/* Those that are left out are not in the list any more. */
static void hold_left_out(struct pending_partitions *pending, const struct state_start *starts, size_t count)
{
    for (size_t i = count; i > 0; i--)
        if (starts[i - 1].held) {
            hold(pending, &pending->list->elems[i - 1]);
            rd_kafka_topic_partition_list_del_by_idx(pending->list, (int)i - 1);
        }
}

static enum status prepare_all(struct pending_partitions *pending, const struct pending_prepare *prepare, bool *done,
                               struct error *err)
{
    size_t count = (size_t)pending->list->cnt;
    *done = true;
    if (!prepare->step)
        return STATUS_OK;
    struct state_start *starts = mem_zeroed(count, sizeof *starts);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *element = &pending->list->elems[i];
        starts[i] = (struct state_start){
            .partition = element->partition,
            .committed = element->offset,
            .with_records = offset_metadata_has_current_records(element->metadata, element->metadata_size)};
    }
    enum status status = prepare->step(prepare->context, starts, count, done, err);
    if (status == STATUS_OK && *done)
        hold_left_out(pending, starts, count);
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
