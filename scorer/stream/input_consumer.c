/* Consuming the input topic. See input_consumer.h.
 *
 * Thread: one score loop's. May block for seconds, not for good, on brokers while partitions are being assigned (where
 * each starts is asked for in every poll until it is known: start_offsets.h), and in the owner's `leaving`. Must never
 * let librdkafka resume a partition where it likes (partition_queue.h) and never subscribe to a missing topic. */
#include "scorer/stream/input_consumer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/frame.h"
#include "kafka/client.h"
#include "kafka/consumer.h"
#include "kafka/message.h"
#include "kafka/connect_error.h"
#include "kafka/prefetch.h"
#include "scorer/state/state_topic.h"
#include "scorer/stream/static_member.h"
#include "scorer/stream/input_ends.h"
#include "scorer/stream/input_lag.h"
#include "scorer/stream/input_position.h"
#include "scorer/stream/partition_queue.h"
#include "scorer/stream/start_offsets.h"

enum { LEAVE_LIMIT_US = 15000000 };

struct input_consumer {
    const struct settings *settings;
    struct counters *counters;
    struct input_consumer_owner owner;
    const _Atomic bool *stop;
    struct static_member member;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    struct start_offsets start;
    struct pending_partitions pending;
    struct input_ends ends;            /* as they were at the start */
    struct untaken_partitions untaken; /* new partitions; counted as lag by whoever has partition 0 */
    struct input_position *positions;
    int32_t position_count;
    bool assigned;
    bool unanswered;  /* the last rebalance was not followed by an assignment */
    bool leaving;     /* for good */
    bool reached_end; /* some position's eof is news */
    bool reassign;    /* all are to be assigned again, from their positions */
    size_t waiting_count;
    size_t queued_most; /* see prefetch_drained */
    bool disturbed;     /* partitions came or went within a poll: its messages are of both sides */
    rd_kafka_message_t **batch;
    size_t batch_count, batch_capacity;
    enum status failure;
    struct error failure_text;
};

static enum status input_consumer_fail(struct input_consumer *input, enum status status, const char *text)
{
    if (input->failure == STATUS_OK)
        input->failure = error_set(&input->failure_text, status, "%s", text);
    return input->failure;
}

static void fail_on(struct input_consumer *input, rd_kafka_resp_err_t code)
{
    if (code)
        input_consumer_fail(input, kafka_status(code), rd_kafka_err2str(code));
}

static struct input_position *position_at(struct input_consumer *input, int32_t partition)
{
    if (partition >= input->position_count) {
        int32_t count = partition + 1;
        input->positions = mem_resize(input->positions, (size_t)count, sizeof *input->positions);
        memset(input->positions + input->position_count, 0,
               (size_t)(count - input->position_count) * sizeof *input->positions);
        input->position_count = count;
    }
    return &input->positions[partition];
}

static void drop_batch(struct input_consumer *input)
{
    for (size_t i = 0; i < input->batch_count; i++)
        rd_kafka_message_destroy(input->batch[i]);
    input->batch_count = 0;
}

/* Where a partition's messages go: to the one queue that is read, or nowhere. */
static void forward_queue(struct input_consumer *input, int32_t partition, bool on)
{
    if (partition_queue_forward(input->consumer, input->queue, input->settings->input_topic, partition, on))
        input->positions[partition].forwarded = true;
}

static void note_waiting(struct input_consumer *input)
{
    counter_set(input->counters, COUNTER_PARTITIONS_WAITING,
                input->waiting_count + pending_partitions_held(&input->pending));
}

static void set_waiting(struct input_consumer *input, int32_t partition, bool waiting)
{
    struct input_position *position = &input->positions[partition];
    if (position->waiting == waiting)
        return;
    position->waiting = waiting;
    input->waiting_count += waiting ? 1 : (size_t)-1;
    note_waiting(input);
}

void input_consumer_set_waiting(struct input_consumer *input, const struct input_message *message)
{
    if (input->positions[message->partition].waiting)
        return;
    input->positions[message->partition].waiting_at = message->offset;
    set_waiting(input, message->partition, true);
    forward_queue(input, message->partition, false);
}

bool input_consumer_is_waiting(const struct input_consumer *input, int32_t partition)
{
    return input->positions[partition].waiting;
}

bool input_consumer_any_waiting(const struct input_consumer *input)
{
    return input->waiting_count > 0;
}

/* Before positions are gone back to, or revoked: nothing waits any more. */
static void release_all(struct input_consumer *input)
{
    for (int32_t p = 0; p < input->position_count && input->waiting_count; p++) {
        if (input->positions[p].waiting)
            forward_queue(input, p, true);
        set_waiting(input, p, false);
    }
}

/* --- assignment --- */

/* Every assignment of partitions goes through here. Has the queues read that librdkafka does not forward by itself any
 * more, but for those of partitions that wait. Partitions that are assigned already are stopped first, by another
 * thread: its answer to a question shows that it has done so. A lost assignment is about to be revoked, which an
 * assignment would undo: then nothing is done, and on_revoke makes it void. */
static rd_kafka_resp_err_t input_consumer_assign(struct input_consumer *input,
                                                 const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *assigned;
    input->reassign = rd_kafka_assignment_lost(input->consumer);
    if (input->reassign)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_assign(input->consumer, list);
    if (code || (code = rd_kafka_assignment(input->consumer, &assigned)))
        return code;
    rd_kafka_topic_partition_list_destroy(assigned);
    for (int32_t p = 0; p < input->position_count; p++)
        if (input->positions[p].assigned && input->positions[p].forwarded)
            forward_queue(input, p, !input->positions[p].waiting);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The partitions are ours; nothing is fetched before it is known from where. That is asked outside of the callback,
 * where the next rebalance would wait for the answer. */
static void on_assign(struct input_consumer *input, const rd_kafka_topic_partition_list_t *list)
{
    fail_on(input, partition_queue_assign_none(input->consumer));
    pending_partitions_set(&input->pending, list);
    static_member_note(&input->member, input->consumer);
    rd_kafka_yield(input->consumer);
}

static void take_partition(struct input_consumer *input, rd_kafka_topic_partition_t *element)
{
    struct input_position *position = position_at(input, element->partition);
    input_position_start(position, element->offset, element->metadata, element->metadata_size);
    element->offset = input_position_first_read(position);
    set_waiting(input, element->partition, false);
}

/* Their starts are known and committed. */
static void take_pending(struct input_consumer *input)
{
    rd_kafka_topic_partition_list_t *list = input->pending.list;
    int count = list->cnt;
    for (int i = 0; i < count; i++)
        take_partition(input, &list->elems[i]);
    FAILPOINT("score.assign");
    fail_on(input, input_consumer_assign(input, list));
    pending_partitions_taken(&input->pending);
    input->assigned = true;
    input->untaken.look_us = 0;
    counter_set(input->counters, COUNTER_PARTITIONS_ASSIGNED, (uint64_t)count);
    note_waiting(input);
    log_info("score", "%s: %d partition%s of %s", rd_kafka_name(input->consumer), count, count == 1 ? "" : "s",
             input->settings->input_topic);
}

static void resolve_pending(struct input_consumer *input)
{
    struct error err;
    bool ready;
    if (rd_kafka_assignment_lost(input->consumer))
        return; /* another member may say by now where they start */
    if (pending_partitions_step(&input->pending, &input->start, &input->owner.prepare, &ready, &err) != STATUS_OK) {
        static_member_explain(&input->member, input->consumer, input->settings->group_id, input->stop, &err);
        input_consumer_fail(input, err.status, err.text);
    } else if (ready)
        take_pending(input);
}

/* Partitions that are given up are followed by joining again, which throws out a process that has joined as this
 * instance meanwhile. Whoever has lost them asks before; whoever has failed has no reason to join at all. */
static bool may_join_again(struct input_consumer *input, bool lost)
{
    struct error err;
    if (lost && input->failure == STATUS_OK &&
        static_member_check(&input->member, input->consumer, input->settings->group_id, input->stop, &err) != STATUS_OK)
        input_consumer_fail(input, err.status, err.text);
    return !lost || (input->failure == STATUS_OK && !*input->stop);
}

/* What was read of them is committed, or rolled back. */
static void stop_reading(struct input_consumer *input, bool lost)
{
    input->owner.leaving(input->owner.context, lost);
    release_all(input);
    for (int32_t p = 0; p < input->position_count; p++)
        input->positions[p].assigned = false;
    input->assigned = input->reassign = false;
}

/* What was left out can be prepared now. A lost assignment is about to be revoked, as for input_consumer_assign. */
static void start_again(struct input_consumer *input)
{
    stop_reading(input, rd_kafka_assignment_lost(input->consumer));
    if (!rd_kafka_assignment_lost(input->consumer))
        fail_on(input, partition_queue_assign_none(input->consumer));
    input->disturbed = true;
}

static void on_revoke(struct input_consumer *input)
{
    bool lost = rd_kafka_assignment_lost(input->consumer);
    stop_reading(input, lost);
    FAILPOINT("score.revoke");
    pending_partitions_drop(&input->pending);
    note_waiting(input);
    input->untaken = (struct untaken_partitions){.known = input->untaken.known};
    counter_set(input->counters, COUNTER_PARTITIONS_ASSIGNED, 0);
    input->unanswered = input->leaving || !may_join_again(input, lost);
    if (!input->unanswered)
        rd_kafka_assign(input->consumer, NULL);
}

/* Within rd_kafka_consume_batch_queue, and while the consumer is closed, on the loop's thread. Whoever is leaving wants
 * no partitions, and leaves the answer to kafka_consumer_leave. */
static void on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                         void *opaque)
{
    struct input_consumer *input = opaque;
    input->disturbed = true;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        if (!input->leaving)
            on_assign(input, list);
        return;
    }
    if (code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
        log_warn("score", "%s: rebalance failed: %s", rd_kafka_name(consumer), rd_kafka_err2str(code));
    on_revoke(input);
}

/* The partitions assigned, or the waiting ones among them, to be read from their positions. */
static rd_kafka_topic_partition_list_t *positions_to_read(struct input_consumer *input, bool waiting_alone)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(input->position_count);
    for (int32_t p = 0; p < input->position_count; p++) {
        struct input_position *position = &input->positions[p];
        if (!position->assigned || (waiting_alone && !position->waiting))
            continue;
        input_position_read_again(position);
        rd_kafka_topic_partition_list_add(list, input->settings->input_topic, p)->offset =
            input_position_first_read(position);
    }
    return list;
}

/* All are fetched again, from their positions. */
static rd_kafka_resp_err_t assign_positions(struct input_consumer *input)
{
    rd_kafka_topic_partition_list_t *list = positions_to_read(input, false);
    rd_kafka_resp_err_t code = input_consumer_assign(input, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

/* --- start and end --- */

static enum status make_consumer(struct input_consumer *input, unsigned worker, struct error *err)
{
    rd_kafka_conf_t *conf;
    static_member_name(&input->member, input->settings, worker);
    if (static_member_conf(&input->member, input->settings, &conf, err) != STATUS_OK)
        return err->status;
    if (start_offsets_policy(&input->start, conf, err) != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return err->status;
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, input);
    enum status status = kafka_client_new(RD_KAFKA_CONSUMER, &conf, &input->consumer, err);
    input->start.consumer = input->consumer;
    return status;
}

enum status input_consumer_new(const struct settings *settings, unsigned worker, struct counters *counters,
                               const struct input_consumer_owner *owner, const _Atomic bool *stop,
                               struct input_consumer **out, int *partitions, struct error *err)
{
    struct input_consumer *input = mem_zeroed(1, sizeof *input);
    int count = 0;
    *input = (struct input_consumer){
        .settings = settings,
        .counters = counters,
        .owner = *owner,
        .stop = stop,
        .start = {.topic = settings->input_topic, .group = settings->group_id, .loop = "score"},
    };
    enum status status = make_consumer(input, worker, err);
    if (status == STATUS_OK)
        status = kafka_wait_for_broker(input->consumer, "score", 0, stop, err);
    if (status == STATUS_OK)
        status = kafka_topic_partitions(input->consumer, settings->input_topic, &count, err);
    if (status == STATUS_OK && settings->exit_at_end)
        status = input_ends_look_up(&input->ends, &input->start, count, stop, err);
    if (status == STATUS_OK)
        status = state_topic_make(input->consumer, settings, err); /* a member that asks for other topics joins again */
    if (status == STATUS_OK) {
        rd_kafka_poll_set_consumer(input->consumer);
        input->queue = rd_kafka_queue_get_consumer(input->consumer);
        status = static_member_join(input->consumer, settings->input_topic, err);
    }
    if (status != STATUS_OK) {
        input_consumer_free(input);
        return status;
    }
    *partitions = count;
    *out = input;
    return STATUS_OK;
}

void input_consumer_free(struct input_consumer *input)
{
    if (!input)
        return;
    drop_batch(input);
    release_all(input); /* while there is a queue */
    if (input->queue)
        rd_kafka_queue_destroy(input->queue);
    input->leaving = true;
    if (input->consumer)
        kafka_consumer_leave(&input->consumer, LEAVE_LIMIT_US, input->unanswered, on_rebalance, input);
    pending_partitions_drop(&input->pending);
    free(input->batch);
    input_ends_free(&input->ends);
    free(input->positions);
    free(input);
}

/* --- taking messages --- */

/* The offset is not in the log: nothing but a person may decide to go on after a gap. */
static void report_gone(struct input_consumer *input, const rd_kafka_message_t *message)
{
    struct error err;
    int32_t p = message->partition;
    if (p < 0 || p >= input->position_count || !input->positions[p].assigned)
        return;                         /* somebody else's */
    if (input->positions[p].checking) { /* deleted by retention since; what follows it need not be */
        input_position_give_up_check(&input->positions[p]);
        input->reassign = true;
        return;
    }
    enum status status =
        start_offsets_report_gone(&input->start, p, input->positions[p].next, rd_kafka_message_errstr(message), &err);
    input_consumer_fail(input, status, err.text);
}

/* A message that is an event of the client. Fatal ones end up in input->failure. */
static void handle_error(struct input_consumer *input, const rd_kafka_message_t *message)
{
    char text[1024];
    struct error err;
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (message->partition >= 0 && message->partition < input->position_count)
            input_position_reach_end(&input->positions[message->partition], message->offset);
        input->reached_end = true;
        return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        report_gone(input, message);
        return;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        input_consumer_fail(
            input,
            kafka_consumer_fatal(input->consumer, message, input->settings->group_id, input->member.instance, &err),
            err.text);
        return;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        log_warn("score", "%s", rd_kafka_message_errstr(message));
        return;
    default:
        break;
    }
    enum status status = kafka_status(message->err);
    snprintf(text, sizeof text, "%s: %s%s", input->settings->input_topic, rd_kafka_message_errstr(message),
             connect_error_denied_hint(status));
    if (status == STATUS_NOT_FOUND || status == STATUS_DENIED)
        input_consumer_fail(input, status, text);
    else
        log_warn("score", "%s", text);
}

/* False: to be dropped. Behind a rebalance librdkafka drops by itself what was fetched before it. */
static bool is_wanted(struct input_consumer *input, const rd_kafka_message_t *message)
{
    struct error err;
    int32_t p = message->partition;
    if (message->err) {
        handle_error(input, message);
        return false;
    }
    if (p < 0 || p >= input->position_count || !input->positions[p].assigned) {
        log_warn("score", "%s [%d]: a message came of a partition that is not assigned; it is not taken",
                 input->settings->input_topic, p);
        return false;
    }
    struct input_position *position = &input->positions[p];
    if (position->waiting) /* from before it waited */
        return false;
    enum input_position_result result =
        input_position_decide(position, message->offset, rd_kafka_message_timestamp(message, NULL));
    if (result == INPUT_POSITION_CHANGED)
        input_consumer_fail(input, start_offsets_report_changed(&input->start, p, message->offset, &err), err.text);
    return result == INPUT_POSITION_TAKE;
}

static void hand_out(struct input_consumer *input, struct input_message *messages, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < input->batch_count; i++) {
        rd_kafka_message_t *message = input->batch[i];
        if (!is_wanted(input, message)) {
            rd_kafka_message_destroy(message);
            continue;
        }
        input->batch[kept] = message;
        messages[kept++] = (struct input_message){
            .key = {message->key, message->key_len},
            .value = {message->payload, message->len},
            .schema_header = kafka_message_header(message, FRAME_HEADER),
            .partition = message->partition,
            .offset = message->offset,
            .origin = message,
        };
    }
    input->batch_count = kept;
    *count = kept;
}

static void move_to_ends(struct input_consumer *input)
{
    for (int32_t p = 0; p < input->position_count; p++)
        input_position_move_to_end(&input->positions[p]);
    input->reached_end = false;
}

/* Members of a group with static membership that start again get what they had before, and their client, which has
 * never seen another partition count, asks for nothing else: so the group is asked to assign again. Every member
 * does, since the broker listens to the group's leader alone, and none knows whether it is that. */
static enum status watch_untaken(struct input_consumer *input, struct error *err)
{
    untaken_partitions_look(&input->untaken, &input->start);
    if (!untaken_partitions_overdue(&input->untaken))
        return STATUS_OK;
    log_info("score", "%s: %zu new partitions of %s are not assigned yet; joining the group again",
             rd_kafka_name(input->consumer), input->untaken.count, input->settings->input_topic);
    return static_member_join(input->consumer, input->settings->input_topic, err);
}

/* Without this a backlog is read in bursts with pauses between them. */
static void keep_fetching(struct input_consumer *input)
{
    if (!input->assigned || !prefetch_drained(input->queue, &input->queued_most))
        return;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(input->position_count);
    for (int32_t p = 0; p < input->position_count; p++)
        if (input->positions[p].assigned && !input->positions[p].waiting)
            rd_kafka_topic_partition_list_add(list, input->settings->input_topic, p);
    if (list->cnt)
        prefetch_look(input->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
}

enum status input_consumer_poll(struct input_consumer *input, int timeout_ms, struct input_message *messages,
                                size_t capacity, size_t *count, int64_t *left_us, struct error *err)
{
    enum status status = STATUS_OK;
    drop_batch(input);
    if (input->batch_capacity != capacity) {
        input->batch = mem_resize(input->batch, capacity, sizeof *input->batch);
        input->batch_capacity = capacity;
    }
    input->disturbed = input->reached_end = false;
    *count = 0;
    if (!rd_kafka_assignment_lost(input->consumer) &&
        pending_partitions_again(&input->pending, &input->start, &input->owner.prepare))
        start_again(input);
    if (input->pending.list)
        resolve_pending(input);
    if (input->assigned)
        status = watch_untaken(input, err);
    if (input->reassign)
        fail_on(input, assign_positions(input));
    if (rd_kafka_fatal_error(input->consumer, NULL, 0)) /* its message may have gone with a batch that was dropped */
        handle_error(input, &(const rd_kafka_message_t){.err = RD_KAFKA_RESP_ERR__FATAL});
    input->batch_count = partition_queue_fetch(input->queue, timeout_ms, input->batch, capacity, left_us);
    if (input->disturbed && input->batch_count) /* it is of both sides of a rebalance: read again */
        status = input_consumer_rewind(input, err);
    else
        hand_out(input, messages, count);
    keep_fetching(input);
    if (input->failure != STATUS_OK)
        return error_set(err, input->failure, "%s", input->failure_text.text);
    if (!*count && input->reached_end)
        move_to_ends(input);
    return status;
}

void input_consumer_accept(struct input_consumer *input)
{
    for (size_t i = 0; i < input->batch_count; i++) {
        const rd_kafka_message_t *message = input->batch[i];
        input_position_handle(&input->positions[message->partition], message->offset,
                              rd_kafka_message_timestamp(message, NULL));
    }
    drop_batch(input);
    if (input->reached_end)
        move_to_ends(input);
}

/* --- positions --- */

static void add_offset(rd_kafka_topic_partition_t *element, const struct input_position *position, bool records)
{
    char metadata[OFFSET_METADATA_BYTES];
    offset_metadata_write(position->next, &position->last, records, metadata);
    element->offset = position->next;
    element->metadata_size = strlen(metadata);
    element->metadata = element->metadata_size ? mem_text(metadata) : NULL; /* the list frees it */
}

rd_kafka_topic_partition_list_t *input_consumer_offsets(const struct input_consumer *input)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    for (int32_t p = 0; p < input->position_count; p++) {
        const struct input_position *position = &input->positions[p];
        if (!input_position_moved(position))
            continue;
        if (!list)
            list = rd_kafka_topic_partition_list_new(input->position_count);
        add_offset(rd_kafka_topic_partition_list_add(list, input->settings->input_topic, p), position,
                   input->settings->state_topic != NULL);
    }
    return list;
}

rd_kafka_t *input_consumer_client(struct input_consumer *input)
{
    return input->consumer;
}

void input_consumer_committed(struct input_consumer *input, const rd_kafka_topic_partition_list_t *offsets)
{
    for (int i = 0; offsets && i < offsets->cnt; i++)
        input->positions[offsets->elems[i].partition].committed = offsets->elems[i].offset;
}

static enum status report_stuck(const struct input_consumer *input, const char *what, rd_kafka_resp_err_t code,
                                struct error *err)
{
    return error_set(err, kafka_status(code), "score: cannot go %s of %s: %s", what, input->settings->input_topic,
                     rd_kafka_err2str(code));
}

/* Where a seek is not possible (the partition is only just starting) all are assigned again. */
enum status input_consumer_rewind(struct input_consumer *input, struct error *err)
{
    FAILPOINT("score.rewind");
    drop_batch(input);
    release_all(input);
    for (int32_t p = 0; p < input->position_count; p++)
        if (input->positions[p].assigned)
            input_position_rewind(&input->positions[p]);
    rd_kafka_topic_partition_list_t *list = positions_to_read(input, false);
    rd_kafka_resp_err_t code = list->cnt ? partition_queue_seek(input->consumer, list) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_destroy(list);
    input->reassign = false;
    if (code)
        code = assign_positions(input);
    return code ? report_stuck(input, "back to the committed offsets", code, err) : STATUS_OK;
}

enum status input_consumer_go_on(struct input_consumer *input, struct error *err)
{
    assert(!input->batch_count);
    rd_kafka_topic_partition_list_t *waiting = positions_to_read(input, true);
    rd_kafka_resp_err_t code =
        waiting->cnt ? partition_queue_seek(input->consumer, waiting) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_destroy(waiting);
    release_all(input);
    if (code)
        code = assign_positions(input);
    return code ? report_stuck(input, "on from the positions", code, err) : STATUS_OK;
}

bool input_consumer_joined(const struct input_consumer *input)
{
    return input->pending.list || input->assigned;
}

bool input_consumer_starts_wait(const struct input_consumer *input)
{
    return input->pending.list && input->pending.logged;
}

bool input_consumer_any_held(const struct input_consumer *input)
{
    return pending_partitions_held(&input->pending) > 0;
}

bool input_consumer_assigned(const struct input_consumer *input)
{
    return input->assigned;
}

bool input_consumer_moved(const struct input_consumer *input)
{
    for (int32_t p = 0; p < input->position_count; p++)
        if (input_position_moved(&input->positions[p]))
            return true;
    return false;
}

/* Not before its own partitions are ready: lost current records are found by whoever has nothing to handle, too. */
bool input_consumer_at_end(struct input_consumer *input)
{
    return !input->pending.list && !input_consumer_any_held(input) && input_ends_reached(&input->ends, &input->start);
}

static struct input_lag lag_of(const struct input_consumer *input)
{
    return (struct input_lag){input->consumer, input->settings->input_topic, input->positions, input->position_count};
}

/* What nobody has, one member counts. */
static size_t untaken_count(const struct input_consumer *input)
{
    return input->position_count && input->positions[0].assigned ? input->untaken.count : 0;
}

size_t input_consumer_lags(const struct input_consumer *input, struct partition_lag *out, size_t capacity)
{
    const struct input_lag lag = lag_of(input);
    size_t count = input_lag_list(&lag, out, capacity);
    for (size_t i = 0; i < untaken_count(input) && count < capacity; i++)
        out[count++] = input->untaken.lags[i];
    return count;
}

uint64_t input_consumer_lag(const struct input_consumer *input)
{
    const struct input_lag lag = lag_of(input);
    return input_lag_messages(&lag) + (untaken_count(input) ? untaken_partitions_messages(&input->untaken) : 0);
}

bool input_consumer_behind(const struct input_consumer *input)
{
    const struct input_lag lag = lag_of(input);
    return input_lag_any(&lag);
}
