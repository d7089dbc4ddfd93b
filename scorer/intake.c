/* Consuming the input topic. See intake.h.
 *
 * Thread: one score loop's. May block on the group coordinator while partitions are being assigned (committed offsets
 * are looked up until they are had or the loop is stopped: a failed look-up is never taken for "none"), and in the
 * owner's `leaving`. Must never pause partitions (librdkafka 2.0 corrupts offsets then) and never subscribe to a
 * missing topic. */
#include "scorer/intake.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/frame.h"
#include "kafka/client.h"

enum { LOOKUP_MS = 5000, WATERMARK_MS = 10000, SEEK_MS = 10000, BACKOFF_US = 200000 };

/* One partition of the topic. Offsets may be RD_KAFKA_OFFSET_BEGINNING or _END until the first message came. */
struct position {
    bool assigned;
    int64_t eof;       /* end of the log as last reached, behind control records and gaps; -1: not reached */
    int64_t next;      /* behind the last message handled */
    int64_t committed; /* where a rewind goes */
    int64_t end;       /* end offset at the start; 0 where not looked up */
    bool held;         /* its queue is not read; what still comes of it is dropped, and read again from `next` */
    int64_t held_at;   /* the message it waits before */
    bool steered;    /* was held before: librdkafka leaves its queue to us ever since, and undoes what we did on stop */
    int64_t last_ms; /* timestamp of the last message handled; 0: none yet */
};

struct intake {
    const struct settings *settings;
    struct counters *counters;
    struct intake_owner owner;
    const _Atomic bool *stop;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    int64_t new_group_start; /* RD_KAFKA_OFFSET_BEGINNING or _END */
    struct position *positions;
    int32_t position_count;
    bool assigned;
    bool closing;
    bool reached_end; /* some position's eof is news */
    size_t held_count;
    bool disturbed; /* partitions came or went within a poll: its messages are of both sides */
    rd_kafka_message_t **batch;
    size_t batch_count, batch_capacity;
    enum status failure;
    struct error failure_text;
};

static enum status fail(struct intake *intake, enum status status, const char *text)
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

/* Waiting partitions */

/* Where a partition's messages go: to the one queue that is read, or nowhere. Not pause: librdkafka 2.0 corrupts the
 * offsets of paused partitions in batch consumers. */
static void forward(struct intake *intake, int32_t partition, bool on)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_partition(intake->consumer, intake->settings->input_topic, partition);
    if (!queue)
        return; /* not assigned any more */
    intake->positions[partition].steered = true;
    rd_kafka_queue_forward(queue, on ? intake->queue : NULL);
    rd_kafka_queue_destroy(queue);
}

static void set_held(struct intake *intake, int32_t partition, bool held)
{
    struct position *position = &intake->positions[partition];
    if (position->held == held)
        return;
    position->held = held;
    intake->held_count += held ? 1 : (size_t)-1;
    counter_set(intake->counters, COUNTER_PARTITIONS_WAITING, intake->held_count);
}

void intake_hold(struct intake *intake, const struct intake_message *message)
{
    if (intake->positions[message->partition].held)
        return;
    intake->positions[message->partition].held_at = message->offset;
    set_held(intake, message->partition, true);
    forward(intake, message->partition, false);
}

bool intake_holds(const struct intake *intake, int32_t partition)
{
    return intake->positions[partition].held;
}

bool intake_holds_any(const struct intake *intake)
{
    return intake->held_count > 0;
}

/* Before positions are gone back to, or given away: nothing waits any more. */
static void release_all(struct intake *intake, bool assigned)
{
    for (int32_t p = 0; p < intake->position_count && intake->held_count; p++) {
        if (intake->positions[p].held && assigned)
            forward(intake, p, true);
        set_held(intake, p, false);
    }
}

/* Assignment */

/* Assigns, and has the queues read that librdkafka does not forward by itself any more. Partitions that are assigned
 * already are stopped first, by another thread: its answer to a question tells that it has done so. */
static rd_kafka_resp_err_t assign(struct intake *intake, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *assigned;
    rd_kafka_resp_err_t code = rd_kafka_assign(intake->consumer, list);
    if (code || (code = rd_kafka_assignment(intake->consumer, &assigned)))
        return code;
    rd_kafka_topic_partition_list_destroy(assigned);
    for (int32_t p = 0; p < intake->position_count; p++)
        if (intake->positions[p].assigned && intake->positions[p].steered)
            forward(intake, p, true);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Committed offsets of the partitions into `list`; tries until it has them or the loop stops. */
static bool look_up_committed(struct intake *intake, rd_kafka_topic_partition_list_t *list)
{
    for (bool told = false; !*intake->stop && !intake->closing; usleep(BACKOFF_US)) {
        rd_kafka_resp_err_t code = rd_kafka_committed(intake->consumer, list, LOOKUP_MS);
        for (int i = 0; i < list->cnt && !code; i++)
            code = list->elems[i].err;
        if (!code)
            return true;
        if (kafka_status(code) == STATUS_DENIED) {
            fail(intake, STATUS_DENIED,
                 "score: the broker refuses to tell the group's committed offsets: allow READ on it");
            return false;
        }
        if (!told)
            log_warn("score", "cannot look up the committed offsets of group %s (%s); trying again until it succeeds",
                     intake->settings->group_id, rd_kafka_err2str(code));
        told = true;
    }
    return false;
}

/* "The end" is a moment: kept as a number, so that going back after an aborted transaction does not skip what came
 * since. */
static int64_t new_group_start(struct intake *intake, int32_t partition)
{
    int64_t low, high;
    if (intake->new_group_start == RD_KAFKA_OFFSET_BEGINNING)
        return RD_KAFKA_OFFSET_BEGINNING;
    for (; !*intake->stop; usleep(BACKOFF_US))
        if (!rd_kafka_query_watermark_offsets(intake->consumer, intake->settings->input_topic, partition, &low, &high,
                                              LOOKUP_MS))
            return high;
    return RD_KAFKA_OFFSET_END;
}

static void take_partition(struct intake *intake, rd_kafka_topic_partition_t *element)
{
    struct position *position = position_at(intake, element->partition);
    if (element->offset == RD_KAFKA_OFFSET_INVALID)
        element->offset = new_group_start(intake, element->partition);
    position->assigned = true;
    set_held(intake, element->partition, false);
    position->eof = -1;
    position->next = position->committed = element->offset;
}

static void on_assign(struct intake *intake, rd_kafka_topic_partition_list_t *list)
{
    if (list->cnt && !look_up_committed(intake, list)) {
        rd_kafka_assign(intake->consumer, NULL); /* stopping, or failed for good */
        return;
    }
    for (int i = 0; i < list->cnt; i++)
        take_partition(intake, &list->elems[i]);
    rd_kafka_resp_err_t code = assign(intake, list);
    if (code)
        fail(intake, kafka_status(code), rd_kafka_err2str(code));
    intake->assigned = true;
    counter_set(intake->counters, COUNTER_PARTITIONS_ASSIGNED, (uint64_t)list->cnt);
    log_info("score", "%s: %d partition%s of %s", rd_kafka_name(intake->consumer), list->cnt, list->cnt == 1 ? "" : "s",
             intake->settings->input_topic);
}

static void on_revoke(struct intake *intake)
{
    intake->owner.leaving(intake->owner.context, rd_kafka_assignment_lost(intake->consumer));
    release_all(intake, false);
    for (int32_t p = 0; p < intake->position_count; p++)
        intake->positions[p].assigned = false;
    intake->assigned = false;
    counter_set(intake->counters, COUNTER_PARTITIONS_ASSIGNED, 0);
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

/* Start and end */

/* What a group without committed offsets starts at: KAFKA_AUTO_OFFSET_RESET, and for nothing else. */
static enum status read_reset(struct intake *intake, rd_kafka_conf_t *conf, struct error *err)
{
    char value[32], text[256];
    size_t bytes = sizeof value;
    if (rd_kafka_conf_get(conf, "auto.offset.reset", value, &bytes) != RD_KAFKA_CONF_OK)
        return error_set(err, STATUS_INVALID, "librdkafka does not tell auto.offset.reset");
    bool latest = !strcmp(value, "latest") || !strcmp(value, "largest") || !strcmp(value, "end");
    intake->new_group_start = latest ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
    if (rd_kafka_conf_set(conf, "auto.offset.reset", "error", text, sizeof text) != RD_KAFKA_CONF_OK)
        return error_set(err, STATUS_INVALID, "%s", text);
    return STATUS_OK;
}

static enum status make_consumer(struct intake *intake, unsigned worker, struct error *err)
{
    const struct settings *settings = intake->settings;
    char instance[300];
    snprintf(instance, sizeof instance, "%s-%u", settings->instance_id, worker);
    const struct kafka_property fixed[] = {
        {"group.id", settings->group_id},
        {"group.instance.id", instance},
        {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"partition.assignment.strategy", "range,roundrobin"},
        {"enable.partition.eof", "true"}, /* tells positions behind control records */
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf;
    enum status status = kafka_conf(settings->options, RD_KAFKA_CONSUMER, fixed, &conf, err);
    if (status != STATUS_OK)
        return status;
    status = read_reset(intake, conf, err);
    if (status != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, intake);
    return kafka_client_new(RD_KAFKA_CONSUMER, &conf, &intake->consumer, err);
}

static enum status look_up_ends(struct intake *intake, int partitions, struct error *err)
{
    for (int32_t p = 0; p < partitions && !*intake->stop;) {
        int64_t low, high;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(intake->consumer, intake->settings->input_topic, p,
                                                                    &low, &high, WATERMARK_MS);
        if (!code)
            position_at(intake, p++)->end = high;
        else if (kafka_status(code) != STATUS_UNAVAILABLE)
            return error_set(err, kafka_status(code), "score: cannot look up the end of %s [%d]: %s",
                             intake->settings->input_topic, p, rd_kafka_err2str(code));
        else
            usleep(BACKOFF_US);
    }
    return STATUS_OK;
}

static enum status subscribe(struct intake *intake, struct error *err)
{
    rd_kafka_poll_set_consumer(intake->consumer);
    intake->queue = rd_kafka_queue_get_consumer(intake->consumer);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, intake->settings->input_topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(intake->consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code)
        return error_set(err, kafka_status(code), "score: cannot subscribe to %s: %s", intake->settings->input_topic,
                         rd_kafka_err2str(code));
    return STATUS_OK;
}

enum status intake_new(const struct settings *settings, unsigned worker, struct counters *counters,
                       const struct intake_owner *owner, const _Atomic bool *stop, struct intake **out, int *partitions,
                       struct error *err)
{
    struct intake *intake = mem_zeroed(1, sizeof *intake);
    int count = 0;
    *intake = (struct intake){.settings = settings, .counters = counters, .owner = *owner, .stop = stop};
    enum status status = make_consumer(intake, worker, err);
    if (status == STATUS_OK)
        status = kafka_wait_for_broker(intake->consumer, "score", 0, stop, err);
    if (status == STATUS_OK)
        status = kafka_topic_partitions(intake->consumer, settings->input_topic, &count, err);
    if (status == STATUS_OK && settings->exit_at_end)
        status = look_up_ends(intake, count, err);
    if (status == STATUS_OK)
        status = subscribe(intake, err);
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
    intake->closing = true;
    if (intake->queue)
        rd_kafka_queue_destroy(intake->queue);
    if (intake->consumer) {
        rd_kafka_consumer_close(intake->consumer);
        rd_kafka_destroy(intake->consumer);
    }
    free(intake->batch);
    free(intake->positions);
    free(intake);
}

/* Taking messages */

/* The committed offset is not in the log: nothing but a person may decide to go on behind a gap. */
static void tell_gone(struct intake *intake, const rd_kafka_message_t *message)
{
    const char *topic = intake->settings->input_topic;
    int32_t p = message->partition;
    int64_t wanted = p >= 0 && p < intake->position_count ? intake->positions[p].next : -1, low = 0, high = 0;
    char text[400];
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(intake->consumer, topic, p, &low, &high, WATERMARK_MS);
    if (!code && wanted >= 0 && wanted < low)
        snprintf(
            text, sizeof text,
            "%s [%d]: the committed offset %lld is gone, the log starts at %lld now: %lld messages are lost. To go on "
            "behind them: kafka-consumer-groups --reset-offsets --to-earliest --group %s --topic %s:%d --execute",
            topic, p, (long long)wanted, (long long)low, (long long)(low - wanted), intake->settings->group_id, topic,
            p);
    else if (!code && wanted > high)
        snprintf(
            text, sizeof text,
            "%s [%d]: the committed offset %lld is beyond the log's end %lld: the topic was made anew. To start over: "
            "kafka-consumer-groups --reset-offsets --to-earliest --group %s --topic %s:%d --execute",
            topic, p, (long long)wanted, (long long)high, intake->settings->group_id, topic, p);
    else
        snprintf(text, sizeof text, "%s [%d]: offset %lld cannot be read (%s)", topic, p, (long long)wanted,
                 rd_kafka_message_errstr(message));
    fail(intake, STATUS_INVALID, text);
}

/* A message that is an event of the client. Fatal ones end up in intake->failure. */
static void handle_error(struct intake *intake, const rd_kafka_message_t *message)
{
    char text[640], fatal[256];
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (message->partition >= 0 && message->partition < intake->position_count)
            intake->positions[message->partition].eof = message->offset;
        intake->reached_end = true;
        return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        tell_gone(intake, message);
        return;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        if (!rd_kafka_fatal_error(intake->consumer, fatal, sizeof fatal))
            snprintf(fatal, sizeof fatal, "%s", rd_kafka_message_errstr(message));
        snprintf(text, sizeof text, "the group threw this process out (%s): another one runs with instance id %s",
                 fatal, intake->settings->instance_id);
        fail(intake, STATUS_CONFLICT, text);
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
        fail(intake, status, text);
    else
        log_warn("score", "%s", text);
}

/* Asked, too: the message that says it may have gone with a batch that a rebalance made us drop. */
static const rd_kafka_message_t fatal_message = {.err = RD_KAFKA_RESP_ERR__FATAL};

static size_t fetch(struct intake *intake, int timeout_ms, int64_t *left_us)
{
    if (rd_kafka_fatal_error(intake->consumer, NULL, 0))
        handle_error(intake, &fatal_message);
    /* Waiting for the first alone: a batch call would wait out the time-out even with messages in hand. */
    ssize_t got = rd_kafka_consume_batch_queue(intake->queue, timeout_ms, intake->batch, 1);
    *left_us = clock_steady_us(&clock_system);
    if (got <= 0)
        return 0;
    ssize_t more = rd_kafka_consume_batch_queue(intake->queue, 0, intake->batch + 1, intake->batch_capacity - 1);
    return (size_t)(got + (more > 0 ? more : 0));
}

/* Costs next to nothing where a message has no headers. */
static struct span schema_header(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    struct span header = SPAN_NULL;
    if (rd_kafka_message_headers(message, &headers) ||
        rd_kafka_header_get_last(headers, FRAME_HEADER, &value, &header.bytes))
        return SPAN_NULL;
    header.data = value ? value : "";
    return header;
}

static void hand_out(struct intake *intake, struct intake_message *messages, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < intake->batch_count; i++) {
        rd_kafka_message_t *message = intake->batch[i];
        if (message->err) {
            handle_error(intake, message);
            rd_kafka_message_destroy(message);
            continue;
        }
        if (intake->held_count && intake->positions[message->partition].held) { /* from before it was held */
            rd_kafka_message_destroy(message);
            continue;
        }
        intake->batch[kept] = message;
        messages[kept++] = (struct intake_message){
            .key = {message->key, message->key_len},
            .value = {message->payload, message->len},
            .schema_header = schema_header(message),
            .partition = message->partition,
            .offset = message->offset,
            .origin = message,
        };
    }
    intake->batch_count = kept;
    *count = kept;
}

/* Everything before the end is handled: what stands between the last message and it are control records and gaps. */
static void move_to_ends(struct intake *intake)
{
    for (int32_t p = 0; p < intake->position_count; p++) {
        struct position *position = &intake->positions[p];
        if (position->assigned && !position->held && position->eof > position->next)
            position->next = position->eof;
    }
    intake->reached_end = false;
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
    intake->batch_count = fetch(intake, timeout_ms, left_us);
    if (intake->disturbed && intake->batch_count) {
        drop_batch(intake);
        status = intake_rewind(intake, err);
    } else {
        hand_out(intake, messages, count);
    }
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
        const struct position *position = &intake->positions[message->partition];
        if (position->held && message->offset >= position->held_at)
            continue;
        intake->positions[message->partition].next = message->offset + 1;
        intake->positions[message->partition].last_ms = rd_kafka_message_timestamp(message, NULL);
    }
    drop_batch(intake);
    if (intake->reached_end)
        move_to_ends(intake);
}

/* Positions */

rd_kafka_topic_partition_list_t *intake_offsets(const struct intake *intake)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    for (int32_t p = 0; p < intake->position_count; p++) {
        const struct position *position = &intake->positions[p];
        if (!position->assigned || position->next == position->committed)
            continue;
        if (!list)
            list = rd_kafka_topic_partition_list_new(intake->position_count);
        rd_kafka_topic_partition_list_add(list, intake->settings->input_topic, p)->offset = position->next;
    }
    return list;
}

rd_kafka_t *intake_client(struct intake *intake)
{
    return intake->consumer;
}

void intake_committed(struct intake *intake)
{
    for (int32_t p = 0; p < intake->position_count; p++)
        intake->positions[p].committed = intake->positions[p].next;
}

static void add_position(struct intake *intake, rd_kafka_topic_partition_list_t *list, int32_t partition)
{
    struct position *position = &intake->positions[partition];
    position->eof = -1;
    rd_kafka_topic_partition_list_add(list, intake->settings->input_topic, partition)->offset = position->next;
}

static rd_kafka_topic_partition_list_t *committed_positions(struct intake *intake)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(intake->position_count);
    for (int32_t p = 0; p < intake->position_count; p++) {
        if (!intake->positions[p].assigned)
            continue;
        intake->positions[p].next = intake->positions[p].committed;
        add_position(intake, list, p);
    }
    return list;
}

/* A seek moves the partition's version, so that what is still in the queue from before is dropped by librdkafka. */
static rd_kafka_resp_err_t seek_to(struct intake *intake, rd_kafka_topic_partition_list_t *list)
{
    /* 2.0 takes the time-out's milliseconds for microseconds */
    int timeout = rd_kafka_version() < 0x02010000 ? SEEK_MS * 1000 : SEEK_MS;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(intake->consumer, list, timeout);
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error)
        rd_kafka_error_destroy(error);
    for (int i = 0; i < list->cnt && !code; i++)
        code = list->elems[i].err;
    return code;
}

static enum status tell_stuck(const struct intake *intake, const char *what, rd_kafka_resp_err_t code,
                              struct error *err)
{
    return error_set(err, kafka_status(code), "score: cannot go %s of %s: %s", what, intake->settings->input_topic,
                     rd_kafka_err2str(code));
}

/* Where a seek is not possible (the partition is only just starting) the same positions are assigned anew. */
enum status intake_rewind(struct intake *intake, struct error *err)
{
    drop_batch(intake);
    release_all(intake, true);
    rd_kafka_topic_partition_list_t *list = committed_positions(intake);
    rd_kafka_resp_err_t code = list->cnt ? seek_to(intake, list) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (code)
        code = assign(intake, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? tell_stuck(intake, "back to the committed offsets", code, err) : STATUS_OK;
}

/* The same for the positions reached: those of held partitions alone, or all where that cannot be. */
enum status intake_go_on(struct intake *intake, struct error *err)
{
    assert(!intake->batch_count);
    rd_kafka_topic_partition_list_t *held = rd_kafka_topic_partition_list_new(intake->position_count);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(intake->position_count);
    for (int32_t p = 0; p < intake->position_count; p++) {
        if (intake->positions[p].assigned && intake->positions[p].held)
            add_position(intake, held, p);
        if (intake->positions[p].assigned)
            add_position(intake, all, p);
    }
    rd_kafka_resp_err_t code = held->cnt ? seek_to(intake, held) : RD_KAFKA_RESP_ERR_NO_ERROR;
    release_all(intake, true);
    if (code)
        code = assign(intake, all);
    rd_kafka_topic_partition_list_destroy(held);
    rd_kafka_topic_partition_list_destroy(all);
    return code ? tell_stuck(intake, "on from the positions", code, err) : STATUS_OK;
}

bool intake_assigned(const struct intake *intake)
{
    return intake->assigned;
}

bool intake_moved(const struct intake *intake)
{
    for (int32_t p = 0; p < intake->position_count; p++)
        if (intake->positions[p].assigned && intake->positions[p].next != intake->positions[p].committed)
            return true;
    return false;
}

/* A new group that starts at the end: nothing of this partition is ever committed. */
static bool started_behind(const struct position *position)
{
    return position->assigned && position->committed >= 0 && position->committed >= position->end;
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
        at_end = !list->elems[i].err && (list->elems[i].offset >= intake->positions[list->elems[i].partition].end ||
                                         started_behind(&intake->positions[list->elems[i].partition]));
    rd_kafka_topic_partition_list_destroy(list);
    return at_end;
}

size_t intake_lags(const struct intake *intake, struct partition_lag *out, size_t capacity)
{
    size_t count = 0;
    for (int32_t p = 0; p < intake->position_count && count < capacity; p++) {
        const struct position *position = &intake->positions[p];
        int64_t low, high;
        if (position->assigned && position->next >= 0 &&
            !rd_kafka_get_watermark_offsets(intake->consumer, intake->settings->input_topic, p, &low, &high))
            out[count++] = (struct partition_lag){p, position->next, high > 0 ? high : 0, position->last_ms};
    }
    return count;
}

uint64_t intake_lag(const struct intake *intake)
{
    uint64_t lag = 0;
    for (int32_t p = 0; p < intake->position_count; p++) {
        const struct position *position = &intake->positions[p];
        int64_t low, high;
        if (position->assigned && position->next >= 0 &&
            !rd_kafka_get_watermark_offsets(intake->consumer, intake->settings->input_topic, p, &low, &high) &&
            high > position->next)
            lag += (uint64_t)(high - position->next);
    }
    return lag;
}
