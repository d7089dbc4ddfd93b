/* Consuming the input topic. See intake.h.
 *
 * Thread: one score loop's. May block for seconds, not for good, on brokers while partitions are being assigned (where
 * each starts is asked for in every poll until it is known: intake_start.h), and in the owner's `leaving`. Must never
 * let librdkafka resume a partition where it likes (intake_queue.h) and never subscribe to a missing topic. */
#include "scorer/stream/intake.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/frame.h"
#include "kafka/client.h"
#include "kafka/consumer.h"
#include "kafka/message.h"
#include "scorer/stream/intake_member.h"
#include "scorer/stream/intake_position.h"
#include "scorer/stream/intake_queue.h"
#include "scorer/stream/intake_start.h"

enum { LOOKUP_MS = 5000, BACKOFF_US = 200000, LEAVE_LIMIT_US = 15000000 };

struct intake {
    const struct settings *settings;
    struct counters *counters;
    struct intake_owner owner;
    const _Atomic bool *stop;
    struct intake_member member;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    struct intake_start start;
    rd_kafka_topic_partition_list_t *pending; /* assigned, and not read until their starts are known; NULL: none */
    bool pending_logged;
    int64_t pending_us;            /* steady clock: when to ask again */
    struct intake_untaken untaken; /* new partitions; counted as lag by whoever has partition 0 */
    struct position *positions;
    int32_t position_count;
    bool assigned;
    bool reached_end; /* some position's eof is news */
    bool reassign;    /* all are to be assigned again, from their positions */
    size_t waiting_count;
    size_t queued_most; /* see intake_queue_sank */
    bool disturbed;     /* partitions came or went within a poll: its messages are of both sides */
    rd_kafka_message_t **batch;
    size_t batch_count, batch_capacity;
    enum status failure;
    struct error failure_text;
};

static enum status intake_fail(struct intake *intake, enum status status, const char *text)
{
    if (intake->failure == STATUS_OK)
        intake->failure = error_set(&intake->failure_text, status, "%s", text);
    return intake->failure;
}

static struct position *position_at(struct intake *intake, int32_t partition)
{
    if (partition >= intake->position_count) {
        int32_t count = partition + 1;
        intake->positions = mem_resize(intake->positions, (size_t)count, sizeof *intake->positions);
        memset(intake->positions + intake->position_count, 0,
               (size_t)(count - intake->position_count) * sizeof *intake->positions);
        intake->position_count = count;
    }
    return &intake->positions[partition];
}

static void drop_batch(struct intake *intake)
{
    for (size_t i = 0; i < intake->batch_count; i++)
        rd_kafka_message_destroy(intake->batch[i]);
    intake->batch_count = 0;
}

/* Where a partition's messages go: to the one queue that is read, or nowhere. */
static void steer(struct intake *intake, int32_t partition, bool on)
{
    if (intake_queue_steer(intake->consumer, intake->queue, intake->settings->input_topic, partition, on))
        intake->positions[partition].steered = true;
}

static void set_waiting(struct intake *intake, int32_t partition, bool waiting)
{
    struct position *position = &intake->positions[partition];
    if (position->waiting == waiting)
        return;
    position->waiting = waiting;
    intake->waiting_count += waiting ? 1 : (size_t)-1;
    counter_set(intake->counters, COUNTER_PARTITIONS_WAITING, intake->waiting_count);
}

void intake_set_waiting(struct intake *intake, const struct intake_message *message)
{
    if (intake->positions[message->partition].waiting)
        return;
    intake->positions[message->partition].waiting_at = message->offset;
    set_waiting(intake, message->partition, true);
    steer(intake, message->partition, false);
}

bool intake_is_waiting(const struct intake *intake, int32_t partition)
{
    return intake->positions[partition].waiting;
}

bool intake_any_waiting(const struct intake *intake)
{
    return intake->waiting_count > 0;
}

/* Before positions are gone back to, or revoked: nothing waits any more. */
static void release_all(struct intake *intake)
{
    for (int32_t p = 0; p < intake->position_count && intake->waiting_count; p++) {
        if (intake->positions[p].waiting)
            steer(intake, p, true);
        set_waiting(intake, p, false);
    }
}

/* --- assignment --- */

/* Every assignment of partitions goes through here. Has the queues read that librdkafka does not forward by itself any
 * more, but for those of partitions that wait. Partitions that are assigned already are stopped first, by another
 * thread: its answer to a question shows that it has done so. A lost assignment is about to be revoked, which an
 * assignment would undo: then nothing is done, and on_revoke makes it void. */
static rd_kafka_resp_err_t intake_assign(struct intake *intake, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *assigned;
    intake->reassign = rd_kafka_assignment_lost(intake->consumer);
    if (intake->reassign)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_assign(intake->consumer, list);
    if (code || (code = rd_kafka_assignment(intake->consumer, &assigned)))
        return code;
    rd_kafka_topic_partition_list_destroy(assigned);
    for (int32_t p = 0; p < intake->position_count; p++)
        if (intake->positions[p].assigned && intake->positions[p].steered)
            steer(intake, p, !intake->positions[p].waiting);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void drop_list(rd_kafka_topic_partition_list_t **list)
{
    if (*list)
        rd_kafka_topic_partition_list_destroy(*list);
    *list = NULL;
}

/* The partitions are ours; nothing is fetched before it is known from where. That is asked outside of the callback,
 * where the next rebalance would wait for the answer. */
static void on_assign(struct intake *intake, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
    rd_kafka_resp_err_t code = rd_kafka_assign(intake->consumer, none);
    rd_kafka_topic_partition_list_destroy(none);
    if (code)
        intake_fail(intake, kafka_status(code), rd_kafka_err2str(code));
    drop_list(&intake->pending);
    intake->pending = rd_kafka_topic_partition_list_copy(list);
    intake->pending_logged = false;
    intake->pending_us = 0;
    intake_member_note(&intake->member, intake->consumer);
    rd_kafka_yield(intake->consumer);
}

static void take_partition(struct intake *intake, rd_kafka_topic_partition_t *element)
{
    struct position *position = position_at(intake, element->partition);
    position_start(position, element->offset, element->metadata, element->metadata_size);
    element->offset = position_first_read(position);
    set_waiting(intake, element->partition, false);
}

/* Their starts are known and committed. */
static void take_pending(struct intake *intake)
{
    int count = intake->pending->cnt;
    for (int i = 0; i < count; i++)
        take_partition(intake, &intake->pending->elems[i]);
    FAULT_POINT("score.assign");
    rd_kafka_resp_err_t code = intake_assign(intake, intake->pending);
    if (code)
        intake_fail(intake, kafka_status(code), rd_kafka_err2str(code));
    drop_list(&intake->pending);
    intake->assigned = true;
    intake->untaken.look_us = 0;
    counter_set(intake->counters, COUNTER_PARTITIONS_ASSIGNED, (uint64_t)count);
    log_info("score", "%s: %d partition%s of %s", rd_kafka_name(intake->consumer), count, count == 1 ? "" : "s",
             intake->settings->input_topic);
}

static void resolve_pending(struct intake *intake)
{
    struct error err;
    int64_t now = clock_steady_us(&clock_system);
    if (now < intake->pending_us || rd_kafka_assignment_lost(intake->consumer))
        return; /* lost: another member may say by now where they start */
    enum status status = intake_start_resolve(&intake->start, intake->pending, &err);
    if (status == STATUS_OK) {
        take_pending(intake);
    } else if (status != STATUS_UNAVAILABLE) {
        intake_fail(intake, status, err.text);
    } else {
        intake->pending_us = clock_steady_us(&clock_system) + BACKOFF_US;
        if (!intake->pending_logged)
            log_warn("score", "where group %s starts %s is not known yet (%s); trying again until it is",
                     intake->settings->group_id, intake->settings->input_topic, err.text);
        intake->pending_logged = true;
    }
}

static void on_revoke(struct intake *intake)
{
    struct error err;
    bool lost = rd_kafka_assignment_lost(intake->consumer);
    intake->owner.leaving(intake->owner.context, lost);
    release_all(intake);
    for (int32_t p = 0; p < intake->position_count; p++)
        intake->positions[p].assigned = false;
    FAULT_POINT("score.revoke");
    intake->assigned = intake->reassign = false;
    drop_list(&intake->pending);
    intake->untaken = (struct intake_untaken){.known = intake->untaken.known};
    counter_set(intake->counters, COUNTER_PARTITIONS_ASSIGNED, 0);
    if (lost && intake->failure == STATUS_OK && !*intake->stop &&
        intake_member_check(&intake->member, intake->consumer, intake->settings->group_id, intake->stop, &err) !=
            STATUS_OK)
        intake_fail(intake, err.status, err.text); /* gives nothing up, and so does not join again */
    else
        rd_kafka_assign(intake->consumer, NULL);
}

/* Within rd_kafka_consume_batch_queue and rd_kafka_consumer_close, on the loop's thread. */
static void on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                         void *opaque)
{
    struct intake *intake = opaque;
    intake->disturbed = true;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        on_assign(intake, list);
        return;
    }
    if (code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
        log_warn("score", "%s: rebalance failed: %s", rd_kafka_name(consumer), rd_kafka_err2str(code));
    on_revoke(intake);
}

/* The partitions assigned, or the waiting ones among them, to be read from their positions. */
static rd_kafka_topic_partition_list_t *positions_to_read(struct intake *intake, bool waiting_alone)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(intake->position_count);
    for (int32_t p = 0; p < intake->position_count; p++) {
        struct position *position = &intake->positions[p];
        if (!position->assigned || (waiting_alone && !position->waiting))
            continue;
        position_read_again(position);
        rd_kafka_topic_partition_list_add(list, intake->settings->input_topic, p)->offset =
            position_first_read(position);
    }
    return list;
}

/* All are fetched again, from their positions. */
static rd_kafka_resp_err_t assign_positions(struct intake *intake)
{
    rd_kafka_topic_partition_list_t *list = positions_to_read(intake, false);
    rd_kafka_resp_err_t code = intake_assign(intake, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

/* --- start and end --- */

static enum status make_consumer(struct intake *intake, unsigned worker, struct error *err)
{
    rd_kafka_conf_t *conf;
    intake_member_name(&intake->member, intake->settings, worker);
    if (intake_member_conf(&intake->member, intake->settings, &conf, err) != STATUS_OK)
        return err->status;
    if (intake_start_policy(&intake->start, conf, err) != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return err->status;
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, intake);
    enum status status = kafka_client_new(RD_KAFKA_CONSUMER, &conf, &intake->consumer, err);
    intake->start.consumer = intake->consumer;
    return status;
}

static enum status look_up_ends(struct intake *intake, int partitions, struct error *err)
{
    for (int32_t p = 0; p < partitions; p++)
        if (intake_start_find_end(&intake->start, p, intake->stop, &position_at(intake, p)->end, err) != STATUS_OK)
            return err->status;
    return STATUS_OK;
}

enum status intake_new(const struct settings *settings, unsigned worker, struct counters *counters,
                       const struct intake_owner *owner, const _Atomic bool *stop, struct intake **out, int *partitions,
                       struct error *err)
{
    struct intake *intake = mem_zeroed(1, sizeof *intake);
    int count = 0;
    *intake = (struct intake){
        .settings = settings,
        .counters = counters,
        .owner = *owner,
        .stop = stop,
        .start = {.topic = settings->input_topic, .group = settings->group_id, .loop = "score"},
    };
    enum status status = make_consumer(intake, worker, err);
    if (status == STATUS_OK)
        status = kafka_wait_for_broker(intake->consumer, "score", 0, stop, err);
    if (status == STATUS_OK)
        status = kafka_topic_partitions(intake->consumer, settings->input_topic, &count, err);
    if (status == STATUS_OK && settings->exit_at_end)
        status = look_up_ends(intake, count, err);
    if (status == STATUS_OK) {
        rd_kafka_poll_set_consumer(intake->consumer);
        intake->queue = rd_kafka_queue_get_consumer(intake->consumer);
        status = intake_member_join(intake->consumer, settings->input_topic, err);
    }
    if (status != STATUS_OK) {
        intake_free(intake);
        return status;
    }
    *partitions = count;
    *out = intake;
    return STATUS_OK;
}

void intake_free(struct intake *intake)
{
    if (!intake)
        return;
    drop_batch(intake);
    if (intake->queue)
        rd_kafka_queue_destroy(intake->queue);
    if (intake->consumer)
        kafka_consumer_leave(&intake->consumer, LEAVE_LIMIT_US, on_rebalance, intake);
    drop_list(&intake->pending);
    free(intake->batch);
    free(intake->positions);
    free(intake);
}

/* --- taking messages --- */

/* The offset is not in the log: nothing but a person may decide to go on after a gap. */
static void report_gone(struct intake *intake, const rd_kafka_message_t *message)
{
    struct error err;
    int32_t p = message->partition;
    if (p < 0 || p >= intake->position_count || !intake->positions[p].assigned)
        return;                          /* somebody else's */
    if (intake->positions[p].checking) { /* deleted by retention since; what follows it need not be */
        position_give_up_check(&intake->positions[p]);
        intake->reassign = true;
        return;
    }
    enum status status =
        intake_start_report_gone(&intake->start, p, intake->positions[p].next, rd_kafka_message_errstr(message), &err);
    intake_fail(intake, status, err.text);
}

/* A message that is an event of the client. Fatal ones end up in intake->failure. */
static void handle_error(struct intake *intake, const rd_kafka_message_t *message)
{
    char text[1024];
    struct error err;
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (message->partition >= 0 && message->partition < intake->position_count)
            position_reach_end(&intake->positions[message->partition], message->offset);
        intake->reached_end = true;
        return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        report_gone(intake, message);
        return;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        intake_fail(
            intake,
            kafka_consumer_fatal(intake->consumer, message, intake->settings->group_id, intake->member.instance, &err),
            err.text);
        return;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        log_warn("score", "%s", rd_kafka_message_errstr(message));
        return;
    default:
        break;
    }
    enum status status = kafka_status(message->err);
    snprintf(text, sizeof text, "%s: %s", intake->settings->input_topic, rd_kafka_message_errstr(message));
    if (status == STATUS_NOT_FOUND || status == STATUS_DENIED)
        intake_fail(intake, status, text);
    else
        log_warn("score", "%s", text);
}

/* False: to be dropped. Behind a rebalance librdkafka drops by itself what was fetched before it. */
static bool is_wanted(struct intake *intake, const rd_kafka_message_t *message)
{
    struct error err;
    int32_t p = message->partition;
    if (message->err) {
        handle_error(intake, message);
        return false;
    }
    if (p < 0 || p >= intake->position_count || !intake->positions[p].assigned) {
        log_warn("score", "%s [%d]: a message came of a partition that is not assigned; it is not taken",
                 intake->settings->input_topic, p);
        return false;
    }
    struct position *position = &intake->positions[p];
    if (position->waiting) /* from before it waited */
        return false;
    enum position_result result = position_decide(position, message->offset, rd_kafka_message_timestamp(message, NULL));
    if (result == POSITION_CHANGED)
        intake_fail(intake, intake_start_report_changed(&intake->start, p, message->offset, &err), err.text);
    return result == POSITION_TAKE;
}

static void hand_out(struct intake *intake, struct intake_message *messages, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < intake->batch_count; i++) {
        rd_kafka_message_t *message = intake->batch[i];
        if (!is_wanted(intake, message)) {
            rd_kafka_message_destroy(message);
            continue;
        }
        intake->batch[kept] = message;
        messages[kept++] = (struct intake_message){
            .key = {message->key, message->key_len},
            .value = {message->payload, message->len},
            .schema_header = kafka_message_header(message, FRAME_HEADER),
            .partition = message->partition,
            .offset = message->offset,
            .origin = message,
        };
    }
    intake->batch_count = kept;
    *count = kept;
}

static void move_to_ends(struct intake *intake)
{
    for (int32_t p = 0; p < intake->position_count; p++)
        position_move_to_end(&intake->positions[p]);
    intake->reached_end = false;
}

/* Members of a group with static membership that start again get what they had before, and their client, which has
 * never seen another partition count, asks for nothing else: so the group is asked to assign again. Every member
 * does, since the broker listens to the group's leader alone, and none knows whether it is that. */
static enum status watch_untaken(struct intake *intake, struct error *err)
{
    intake_untaken_look(&intake->untaken, &intake->start);
    if (!intake_untaken_overdue(&intake->untaken))
        return STATUS_OK;
    log_info("score", "%s: %zu new partitions of %s are nobody's yet; joining the group once more",
             rd_kafka_name(intake->consumer), intake->untaken.count, intake->settings->input_topic);
    return intake_member_join(intake->consumer, intake->settings->input_topic, err);
}

/* Without this a backlog is read in bursts with pauses between them. */
static void keep_fetching(struct intake *intake)
{
    if (!intake->assigned || !intake_queue_sank(intake->queue, &intake->queued_most))
        return;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(intake->position_count);
    for (int32_t p = 0; p < intake->position_count; p++)
        if (intake->positions[p].assigned && !intake->positions[p].waiting)
            rd_kafka_topic_partition_list_add(list, intake->settings->input_topic, p);
    if (list->cnt)
        intake_queue_look(intake->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
}

enum status intake_poll(struct intake *intake, int timeout_ms, struct intake_message *messages, size_t capacity,
                        size_t *count, int64_t *left_us, struct error *err)
{
    enum status status = STATUS_OK;
    drop_batch(intake);
    if (intake->batch_capacity != capacity) {
        intake->batch = mem_resize(intake->batch, capacity, sizeof *intake->batch);
        intake->batch_capacity = capacity;
    }
    intake->disturbed = intake->reached_end = false;
    *count = 0;
    if (intake->pending)
        resolve_pending(intake);
    if (intake->assigned)
        status = watch_untaken(intake, err);
    rd_kafka_resp_err_t code = intake->reassign ? assign_positions(intake) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (code)
        intake_fail(intake, kafka_status(code), rd_kafka_err2str(code));
    if (rd_kafka_fatal_error(intake->consumer, NULL, 0)) /* its message may have gone with a batch that was dropped */
        handle_error(intake, &(const rd_kafka_message_t){.err = RD_KAFKA_RESP_ERR__FATAL});
    intake->batch_count = intake_queue_fetch(intake->queue, timeout_ms, intake->batch, capacity, left_us);
    if (intake->disturbed && intake->batch_count) /* it is of both sides of a rebalance: read again */
        status = intake_rewind(intake, err);
    else
        hand_out(intake, messages, count);
    keep_fetching(intake);
    if (intake->failure != STATUS_OK)
        return error_set(err, intake->failure, "%s", intake->failure_text.text);
    if (!*count && intake->reached_end)
        move_to_ends(intake);
    return status;
}

void intake_accept(struct intake *intake)
{
    for (size_t i = 0; i < intake->batch_count; i++) {
        const rd_kafka_message_t *message = intake->batch[i];
        position_handle(&intake->positions[message->partition], message->offset,
                        rd_kafka_message_timestamp(message, NULL));
    }
    drop_batch(intake);
    if (intake->reached_end)
        move_to_ends(intake);
}

/* --- positions --- */

/* With a note of the last record: a start that finds another one there knows that the log was exchanged. */
static void add_offset(rd_kafka_topic_partition_t *element, const struct position *position)
{
    char note[POSITION_NOTE_BYTES];
    position_write_note(position, note);
    element->offset = position->next;
    element->metadata_size = strlen(note);
    element->metadata = element->metadata_size ? mem_text(note) : NULL; /* the list frees it */
}

rd_kafka_topic_partition_list_t *intake_offsets(const struct intake *intake)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    for (int32_t p = 0; p < intake->position_count; p++) {
        const struct position *position = &intake->positions[p];
        if (!position_moved(position))
            continue;
        if (!list)
            list = rd_kafka_topic_partition_list_new(intake->position_count);
        add_offset(rd_kafka_topic_partition_list_add(list, intake->settings->input_topic, p), position);
    }
    return list;
}

rd_kafka_t *intake_client(struct intake *intake)
{
    return intake->consumer;
}

void intake_committed(struct intake *intake, const rd_kafka_topic_partition_list_t *offsets)
{
    for (int i = 0; offsets && i < offsets->cnt; i++)
        intake->positions[offsets->elems[i].partition].committed = offsets->elems[i].offset;
}

static enum status report_stuck(const struct intake *intake, const char *what, rd_kafka_resp_err_t code,
                                struct error *err)
{
    return error_set(err, kafka_status(code), "score: cannot go %s of %s: %s", what, intake->settings->input_topic,
                     rd_kafka_err2str(code));
}

/* Where a seek is not possible (the partition is only just starting) all are assigned again. */
enum status intake_rewind(struct intake *intake, struct error *err)
{
    FAULT_POINT("score.rewind");
    drop_batch(intake);
    release_all(intake);
    for (int32_t p = 0; p < intake->position_count; p++)
        if (intake->positions[p].assigned)
            position_rewind(&intake->positions[p]);
    rd_kafka_topic_partition_list_t *list = positions_to_read(intake, false);
    rd_kafka_resp_err_t code = list->cnt ? intake_queue_seek(intake->consumer, list) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_destroy(list);
    intake->reassign = false;
    if (code)
        code = assign_positions(intake);
    return code ? report_stuck(intake, "back to the committed offsets", code, err) : STATUS_OK;
}

enum status intake_go_on(struct intake *intake, struct error *err)
{
    assert(!intake->batch_count);
    rd_kafka_topic_partition_list_t *waiting = positions_to_read(intake, true);
    rd_kafka_resp_err_t code = waiting->cnt ? intake_queue_seek(intake->consumer, waiting) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_destroy(waiting);
    release_all(intake);
    if (code)
        code = assign_positions(intake);
    return code ? report_stuck(intake, "on from the positions", code, err) : STATUS_OK;
}

bool intake_joined(const struct intake *intake)
{
    return intake->pending || intake->assigned;
}

bool intake_starts_wait(const struct intake *intake)
{
    return intake->pending && intake->pending_logged;
}

bool intake_assigned(const struct intake *intake)
{
    return intake->assigned;
}

bool intake_moved(const struct intake *intake)
{
    bool moved = false;
    for (int32_t p = 0; p < intake->position_count && !moved; p++)
        moved = position_moved(&intake->positions[p]);
    return moved;
}

/* By the group's committed offsets, because other members handle partitions too, and one that died holds its own until
 * its session ends. */
bool intake_at_end(struct intake *intake)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(intake->position_count);
    for (int32_t p = 0; p < intake->position_count; p++)
        rd_kafka_topic_partition_list_add(list, intake->settings->input_topic, p);
    bool at_end = !rd_kafka_committed(intake->consumer, list, LOOKUP_MS);
    for (int i = 0; i < list->cnt && at_end; i++)
        at_end = !list->elems[i].err && list->elems[i].offset >= intake->positions[list->elems[i].partition].end;
    rd_kafka_topic_partition_list_destroy(list);
    return at_end;
}

static struct partition_lag lag_of(const struct intake *intake, int32_t partition)
{
    const struct position *position = &intake->positions[partition];
    int64_t low, high;
    if (rd_kafka_get_watermark_offsets(intake->consumer, intake->settings->input_topic, partition, &low, &high) ||
        high < 0)
        high = 0;
    return (struct partition_lag){partition, position->next, high, position->last_ms};
}

/* What nobody has, one member counts. */
static size_t untaken_count(const struct intake *intake)
{
    return intake->position_count && intake->positions[0].assigned ? intake->untaken.count : 0;
}

size_t intake_lags(const struct intake *intake, struct partition_lag *out, size_t capacity)
{
    size_t count = 0;
    for (int32_t p = 0; p < intake->position_count && count < capacity; p++)
        if (intake->positions[p].assigned)
            out[count++] = lag_of(intake, p);
    for (size_t i = 0; i < untaken_count(intake) && count < capacity; i++)
        out[count++] = intake->untaken.lags[i];
    return count;
}

static uint64_t messages_of(struct partition_lag lag)
{
    return lag.end > lag.next ? (uint64_t)(lag.end - lag.next) : 0;
}

uint64_t intake_lag(const struct intake *intake)
{
    uint64_t messages = 0;
    for (int32_t p = 0; p < intake->position_count; p++)
        if (intake->positions[p].assigned)
            messages += messages_of(lag_of(intake, p));
    return untaken_count(intake) ? messages + intake_untaken_messages(&intake->untaken) : messages;
}

bool intake_behind(const struct intake *intake)
{
    for (int32_t p = 0; p < intake->position_count; p++) {
        const struct position *position = &intake->positions[p];
        if (position->assigned && !position->waiting && position->eof != position->next &&
            messages_of(lag_of(intake, p)))
            return true;
    }
    return false;
}
