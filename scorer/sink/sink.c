/* The sink loop: Kafka → batch → PostgreSQL. See sink.h.
 *
 * Started by daemon.c on a thread of its own; ends when stopped, finished, or for good when the stored offsets and the
 * topics do not belong together. What may block it: Kafka's poll (100 ms), looking up a log's ends (5 s each), one
 * exchange with PostgreSQL (20 s); all far below max.poll.interval.ms, so it stays in the group.
 *
 * While PostgreSQL is unavailable the loop gives its partitions an empty assignment and goes on polling. That keeps the
 * group's membership and serves rebalances, and nothing is fetched. Not pause: librdkafka 2.0 can lose its place there.
 * When PostgreSQL is back, what was read is stored, and the partitions are assigned from one past it, as at first:
 * assign() throws away what was fetched. It never seeks, nor starts at Kafka's own offsets: they are for lag tools. */
#include "scorer/sink/sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "avro/registry_client.h"
#include "kafka/client.h"
#include "kafka/consumer.h"
#include "kafka/message.h"
#include "scorer/sink/sink_batch.h"
#include "scorer/sink/sink_input.h"
#include "scorer/sink/sink_reference.h"
#include "scorer/sink/sink_topics.h"

enum {
    READ_ONLY = -1, /* beside enum status: PostgreSQL answers, and takes no writes */
    POLL_MS = 100,
    BACKOFF_LEAST_US = 100 * 1000,
    BACKOFF_MOST_US = 10 * 1000 * 1000,
    STORE_LIMIT_US = 20 * 1000 * 1000, /* one exchange with PostgreSQL */
    LEAVE_LIMIT_US = 5 * 1000 * 1000,  /* the same while others wait for us: rebalance */
    STOP_LIMIT_US = 1000 * 1000,       /* all of them, once stopped: the input's partitions wait for the restart */
    CLOSE_LIMIT_US = 5 * 1000 * 1000,  /* leaving the group */
    COMMIT_EVERY_US = 1000 * 1000,
    ASSIGN_RETRY_US = 1000 * 1000,
    IDLE_LOOK_US = 2000 * 1000,
    POSITIONS_EVERY_US = 1000 * 1000, /* the ends of logs, without records */
};

struct sink {
    const struct settings *settings;
    struct counters *counters;
    char *group_id;
    const char *topics[SINK_TOPIC_COUNT];
    rd_kafka_t *consumer;
    char *cluster_id;
    struct sink_store *store;
    struct sink_rows *rows;
    struct sink_batch *batch;
    rd_kafka_topic_t *seen_topics[SINK_TOPIC_COUNT]; /* to know a message's topic by its pointer; borrowed */
    struct sink_headers headers;
    struct sink_topics group;
    struct sink_reference reference;
    bool joined;                    /* the group has given us our share, which may be nothing */
    bool unassigned;                /* the assignment is empty: partitions must be assigned again from `next` */
    bool waiting;                   /* PostgreSQL is unavailable, until retry_us at least */
    int why;                        /* of the wait: a status, or READ_ONLY */
    bool wants_schema;              /* not PostgreSQL but the schema registry is what is waited for */
    int64_t waiting_us, backoff_us; /* since when, and for how long next */
    int64_t retry_us;               /* while waiting or unassigned: nothing is tried before */
    int64_t asked_us;               /* when PostgreSQL was last asked anything from the loop */
    int64_t first_us;               /* when the batch got its first record */
    bool lag_stale;                 /* what is stored is not committed to Kafka yet */
    int64_t stored_us;              /* when anything was last stored, or tried to be */
    int64_t committed_us;           /* when offsets were last committed to Kafka */
    struct loop_progress progress;
    _Atomic bool stop, finish;
};

static int64_t now_us(void)
{
    return clock_steady_us(&clock_system);
}

/* --- PostgreSQL unavailable and back --- */

/* Nothing is fetched from here on, and what was fetched is forgotten. */
static void sink_unassign(struct sink *sink)
{
    if (sink->unassigned || !sink->joined)
        return;
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
    rd_kafka_resp_err_t code = sink_input_assign(sink->consumer, none);
    rd_kafka_topic_partition_list_destroy(none);
    if (code)
        log_warn("sink", "could not stop fetching: %s", rd_kafka_err2str(code));
    sink->unassigned = true;
}

static void postgresql_failed(struct sink *sink, const struct error *err)
{
    int why = strcmp(sink_store_sqlstate(sink->store), "25006") ? (int)err->status : READ_ONLY;
    counter_add(sink->counters, COUNTER_SINK_RETRIES, 1);
    sink->wants_schema =
        sink_store_is_open(sink->store) && sink->settings->registry && !registry_client_up(sink->settings->registry);
    if (!sink->wants_schema)
        counter_set(sink->counters, COUNTER_POSTGRESQL_UP, 0);
    if (!sink->waiting || sink->why != why)
        log_warn("sink", "%s; %zu records wait, trying again until it works", err->text,
                 sink->batch ? sink_batch_count(sink->batch) : 0);
    sink->waiting_us = sink->waiting ? sink->waiting_us : now_us();
    sink->backoff_us = sink->waiting ? sink->backoff_us * 2 : BACKOFF_LEAST_US;
    sink->backoff_us = sink->backoff_us > BACKOFF_MOST_US ? BACKOFF_MOST_US : sink->backoff_us;
    sink->waiting = true;
    sink->why = why;
    sink->retry_us = now_us() + sink->backoff_us;
}

static void postgresql_worked(struct sink *sink)
{
    counter_set(sink->counters, COUNTER_POSTGRESQL_UP, 1);
    if (sink->waiting)
        log_info("sink", "%s again after %.1f s",
                 sink->wants_schema ? "the schema registry answers" : "PostgreSQL works",
                 (double)(now_us() - sink->waiting_us) / 1e6);
    sink->waiting = false;
}

/* --- assignment --- */

/* Assigns every partition from one past what is stored or read. All of the batch's `next` are known by now. */
static enum status sink_assign(struct sink *sink, struct error *err)
{
    struct sink_partition *partitions;
    size_t count = sink_batch_partitions(sink->batch, &partitions);
    progress_step(&sink->progress, "looks up the ends of logs", WAITS_FOR_KAFKA);
    if (rd_kafka_assignment_lost(sink->consumer))
        return error_set(err, STATUS_UNAVAILABLE, "Kafka: the group has revoked the partitions");
    for (size_t p = 0; p < count; p++)
        if (sink_input_check_start(sink->consumer, &partitions[p], sink->cluster_id, err) != STATUS_OK)
            return err->status;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t p = 0; p < count; p++)
        rd_kafka_topic_partition_list_add(list, partitions[p].topic_name, partitions[p].id)->offset =
            sink_input_start(&partitions[p]);
    rd_kafka_resp_err_t code = sink_input_assign(sink->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return error_set(err, kafka_status(code), "Kafka: assigning %zu partitions: %s", count, rd_kafka_err2str(code));
    sink->unassigned = false;
    return STATUS_OK;
}

static int topic_of(const struct sink *sink, const char *name)
{
    for (int t = 0; t < SINK_TOPIC_COUNT; t++)
        if (sink->topics[t] && !strcmp(sink->topics[t], name))
            return t;
    return -1;
}

static void gained(struct sink *sink, const rd_kafka_topic_partition_list_t *list)
{
    sink_batch_clear(sink->batch);
    memset(sink->seen_topics, 0, sizeof sink->seen_topics); /* handles may have been freed meanwhile */
    for (int i = 0; i < list->cnt; i++) {
        int topic = topic_of(sink, list->elems[i].topic);
        if (topic >= 0)
            sink_batch_assign(sink->batch, (enum sink_topic)topic, sink->topics[topic], list->elems[i].partition);
    }
    counter_set(sink->counters, COUNTER_SINK_PARTITIONS_ASSIGNED, (uint64_t)list->cnt);
    sink_topics_assigned(&sink->group, list);
    sink->joined = true;
    sink->unassigned = false;
    sink->retry_us = 0;
    sink_unassign(sink); /* the loop assigns them once it has read where to start */
}

static void lost(struct sink *sink)
{
    struct error err;
    if (!rd_kafka_assignment_lost(sink->consumer) && !sink->waiting && sink_batch_is_unstored(sink->batch)) {
        sink_store_limit(sink->store, LEAVE_LIMIT_US);
        progress_step(&sink->progress, "stores before its partitions leave", WAITS_FOR_POSTGRESQL);
        if (sink_batch_write(sink->batch, &err) != STATUS_OK)
            log_info("sink", "partitions leave before their last records are stored: %s; they are read again",
                     err.text);
        sink_store_limit(sink->store, STORE_LIMIT_US);
    }
    sink_batch_clear(sink->batch);
    counter_set(sink->counters, COUNTER_SINK_PARTITIONS_ASSIGNED, 0);
    sink->joined = sink->unassigned = false;
    progress_step(&sink->progress, "asks who has its place in the group", WAITS_FOR_KAFKA);
    if (sink_topics_may_join(&sink->group, &sink->stop))
        rd_kafka_assign(sink->consumer, NULL);
}

/* Within a poll, on the sink's thread. */
static void on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                         void *opaque)
{
    struct sink *sink = opaque;
    (void)consumer;
    if (code != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        lost(sink);
    else if (!sink->group.leaving) /* or kafka_consumer_leave gives them back */
        gained(sink, list);
}

/* --- records --- */

static int message_topic(struct sink *sink, const rd_kafka_message_t *message)
{
    for (int t = 0; t < SINK_TOPIC_COUNT; t++)
        if (sink->seen_topics[t] == message->rkt)
            return t;
    int topic = topic_of(sink, rd_kafka_topic_name(message->rkt));
    if (topic >= 0)
        sink->seen_topics[topic] = message->rkt;
    return topic;
}

static void release_message(void *origin)
{
    rd_kafka_message_destroy(origin);
}

/* NULL: it is not assigned any more, or the message is of no partition. */
static struct sink_partition *partition_of(struct sink *sink, const rd_kafka_message_t *message)
{
    int topic = message->rkt ? message_topic(sink, message) : -1;
    return topic < 0 ? NULL : sink_batch_partition(sink->batch, (enum sink_topic)topic, message->partition);
}

/* Takes the message over, unless it fails. */
static enum status take_record(struct sink *sink, rd_kafka_message_t *message, struct error *err)
{
    struct sink_partition *partition = partition_of(sink, message);
    if (!partition || sink->unassigned) { /* of an assignment that has ended: it is read again */
        rd_kafka_message_destroy(message);
        return STATUS_OK;
    }
    struct sink_record record = sink_input_record(message, &sink->headers);
    record.topic = partition->topic;
    record.topic_name = partition->topic_name;
    bool verifies = partition->verify != SINK_NO_OFFSET;
    if (verifies && sink_input_verify(partition, &record, sink->cluster_id, err) != STATUS_OK)
        return err->status;
    if (verifies && record.offset < partition->next) {
        rd_kafka_message_destroy(message);
        return STATUS_OK;
    }
    if (!sink_batch_count(sink->batch))
        sink->first_us = now_us();
    sink_batch_add(sink->batch, partition, &record, message);
    return STATUS_OK;
}

static void take_end(struct sink *sink, const rd_kafka_message_t *message)
{
    struct sink_partition *partition = sink->unassigned ? NULL : partition_of(sink, message);
    if (partition && partition->next < message->offset)
        partition->next = message->offset;
}

/* Whether it was the last stored record, to be verified, that is not in the log any more: deleted since its log's ends
 * were looked up, what follows it need not be. All partitions are assigned once more, and the others keep what is to be
 * verified there. */
static bool give_up_verifying(struct sink *sink, const rd_kafka_message_t *message)
{
    struct sink_partition *partition = partition_of(sink, message);
    if (!partition || (partition->verify == SINK_NO_OFFSET && !sink->unassigned))
        return false;
    partition->verify = SINK_NO_OFFSET;
    partition->checked = false;
    sink_unassign(sink);
    return true;
}

static enum status take_other(struct sink *sink, const rd_kafka_message_t *message, struct error *err)
{
    const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : "";
    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: /* a control record */
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        take_end(sink, message);
        return STATUS_OK;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return kafka_consumer_fatal(sink->consumer, message, sink->group_id, sink->group.instance, err);
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        if (sink_input_ask_cluster(sink->consumer, sink->cluster_id, err) != STATUS_OK)
            return err->status;
        if (give_up_verifying(sink, message))
            return STATUS_OK;
        return error_set(
            err, STATUS_CONFLICT,
            "%s [%" PRId32
            "]: the position of the sink is not in the log any more (%s); start it again to read what is gone",
            topic, message->partition, rd_kafka_message_errstr(message));
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        return error_set(err, STATUS_DENIED,
                         "Kafka denies %s%sgroup %s (%s); grant READ and DESCRIBE on the topics and READ on the group",
                         topic, *topic ? " to " : "", sink->group_id, rd_kafka_message_errstr(message));
    default:
        log_warn("sink", "Kafka: %s; going on", rd_kafka_message_errstr(message));
        return STATUS_OK;
    }
}

static bool batch_full(const struct sink *sink)
{
    return sink_batch_count(sink->batch) >= (size_t)sink->settings->sink_rows ||
           sink_batch_bytes(sink->batch) >= (size_t)sink->settings->sink_batch_bytes;
}

static bool blocked(const struct sink *sink)
{
    return sink->waiting || (sink->joined && sink->unassigned);
}

/* How long a poll may wait: not beyond what is due next. */
static int poll_ms(const struct sink *sink)
{
    int64_t wait_us = POLL_MS * 1000, now = now_us();
    if (blocked(sink))
        wait_us = sink->retry_us - now;
    else if (sink_batch_count(sink->batch))
        wait_us = sink->first_us + sink->settings->sink_interval_us - now;
    if (wait_us > POLL_MS * 1000)
        wait_us = POLL_MS * 1000;
    return wait_us > 0 ? (int)(wait_us / 1000) : 0;
}

/* One by one: a batch consumer would hand out records of partitions that a callback has just revoked. Polls at least
 * once, however full the batch: that keeps us in the group while PostgreSQL is unavailable. */
static enum status take(struct sink *sink, struct error *err)
{
    progress_step(&sink->progress, "polls", WAITS_FOR_KAFKA);
    int timeout_ms = poll_ms(sink);
    for (int64_t n = 0; !n || (n < sink->settings->sink_rows && !batch_full(sink)); n++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(sink->consumer, n ? 0 : timeout_ms);
        if (!message)
            return STATUS_OK;
        bool is_record = !message->err && !kafka_message_is_control(message);
        enum status status = is_record ? take_record(sink, message, err) : take_other(sink, message, err);
        if (!is_record || status != STATUS_OK)
            rd_kafka_message_destroy(message);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* --- ends --- */

static enum status look_up_ends(struct sink *sink, struct error *err)
{
    struct sink_partition *partitions;
    size_t count = sink_batch_partitions(sink->batch, &partitions);
    for (size_t p = 0; p < count; p++)
        if (partitions[p].end == SINK_NO_OFFSET) {
            progress_step(&sink->progress, "looks up the ends of logs", WAITS_FOR_KAFKA);
            return sink_input_find_ends(sink->settings->options, partitions, count, err);
        }
    return STATUS_OK;
}

/* Everything up to the ends is read (not yet stored, perhaps). */
static bool ends_reached(const struct sink *sink)
{
    struct sink_partition *partitions;
    size_t count = sink_batch_partitions(sink->batch, &partitions);
    if (!sink->finish || !sink->joined || sink->unassigned)
        return false;
    for (size_t p = 0; p < count; p++)
        if (partitions[p].end == SINK_NO_OFFSET || (partitions[p].end > 0 && partitions[p].next < partitions[p].end))
            return false;
    return true;
}

/* --- the loop --- */

static void on_commit(rd_kafka_t *consumer, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                      void *opaque)
{
    struct sink *sink = opaque;
    (void)consumer, (void)list;
    if (!code || code == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return;
    log_debug("sink", "committing offsets: %s; trying again", rd_kafka_err2str(code));
    sink->lag_stale = true;
}

/* For lag tools, and to say which partitions are read at all. A rebalance makes it fail; the next is as good. */
static void commit_to_kafka(struct sink *sink)
{
    struct sink_partition *partitions;
    size_t count = sink_batch_partitions(sink->batch, &partitions);
    if (!sink->lag_stale || sink_batch_count(sink->batch) || sink->unassigned || !count ||
        now_us() - sink->committed_us < COMMIT_EVERY_US)
        return;
    sink->lag_stale = false;
    sink->committed_us = now_us();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t p = 0; p < count; p++)
        if (partitions[p].next >= 0)
            rd_kafka_topic_partition_list_add(list, partitions[p].topic_name, partitions[p].id)->offset =
                partitions[p].next;
    if (list->cnt)
        on_commit(sink->consumer, rd_kafka_commit(sink->consumer, list, 1), list, sink);
    rd_kafka_topic_partition_list_destroy(list);
}

static bool flush_due(const struct sink *sink)
{
    if (!sink_batch_count(sink->batch))
        return sink_batch_is_ahead(sink->batch) && now_us() - sink->stored_us >= POSITIONS_EVERY_US;
    return batch_full(sink) || ends_reached(sink) || now_us() - sink->first_us >= sink->settings->sink_interval_us;
}

/* With nothing to store, PostgreSQL being unavailable would stay unnoticed, and so would another cluster. */
static enum status look_when_idle(struct sink *sink, struct error *err)
{
    struct error problem;
    if (blocked(sink) || sink_batch_count(sink->batch) || now_us() - sink->asked_us < IDLE_LOOK_US)
        return STATUS_OK;
    sink->asked_us = now_us();
    progress_step(&sink->progress, "asks", WAITS_FOR_POSTGRESQL);
    if (sink_store_ping(sink->store, &problem) != STATUS_OK || sink_batch_sync(sink->batch, &problem) != STATUS_OK) {
        sink_unassign(sink);
        postgresql_failed(sink, &problem);
    } else if (sink_batch_take_rewound(sink->batch))
        sink_unassign(sink); /* another server, which has less: read again from there */
    progress_step(&sink->progress, "asks", WAITS_FOR_KAFKA);
    return sink_input_ask_cluster(sink->consumer, sink->cluster_id, err);
}

/* Stores what is due and assigns what is not. PostgreSQL's failures end in a wait, Kafka's in a retry, others here. */
static enum status work(struct sink *sink, struct error *err)
{
    if (blocked(sink) ? now_us() < sink->retry_us : !flush_due(sink))
        return look_when_idle(sink, err);
    struct error problem;
    progress_step(&sink->progress, "stores", WAITS_FOR_POSTGRESQL);
    if (sink_input_check_cluster(sink->consumer, sink->cluster_id, err) != STATUS_OK)
        return err->status;
    sink->asked_us = sink->stored_us = now_us();
    if (sink_batch_write(sink->batch, &problem) != STATUS_OK) {
        sink_unassign(sink);
        postgresql_failed(sink, &problem);
        return STATUS_OK;
    }
    postgresql_worked(sink);
    sink_reference_exchange(&sink->reference, sink->store, sink->counters);
    progress_committed(&sink->progress, now_us());
    sink->lag_stale = true;
    if (sink_batch_take_rewound(sink->batch))
        sink_unassign(sink);
    if (sink->joined && sink->unassigned && sink_assign(sink, err) != STATUS_OK) {
        if (err->status != STATUS_UNAVAILABLE)
            return err->status;
        log_warn("sink", "%s; trying again", err->text);
        sink->retry_us = now_us() + ASSIGN_RETRY_US;
    }
    return STATUS_OK;
}

/* Not while PostgreSQL is waited for: what is not stored has no committed offset. */
static enum status look_at_topics(struct sink *sink, struct error *err)
{
    sink_topics_count_lag(&sink->group, sink->batch, sink->counters);
    if (!sink->joined || blocked(sink))
        return STATUS_OK;
    progress_step(&sink->progress, "looks for new partitions", WAITS_FOR_KAFKA);
    return sink_topics_watch(&sink->group, err);
}

/* An unavailable server is named; a batch that PostgreSQL refuses is not a wait, and must end in a commit. */
static void note_turn(struct sink *sink)
{
    bool works = sink_batch_is_unstored(sink->batch) || (sink->joined && sink->unassigned);
    enum loop_wait wait = kafka_up() ? WAITS_FOR_NOTHING : WAITS_FOR_KAFKA;
    if (sink->waiting && (sink->wants_schema || sink->why == STATUS_UNAVAILABLE || sink->why == READ_ONLY))
        wait = sink->wants_schema ? WAITS_FOR_REGISTRY : WAITS_FOR_POSTGRESQL;
    sink->progress.assigned = sink->joined;
    progress_turn(&sink->progress, works, wait, now_us());
}

static enum status loop(struct sink *sink, struct error *err)
{
    while (!sink->stop) {
        note_turn(sink);
        if (take(sink, err) != STATUS_OK || sink_topics_failure(&sink->group, err) != STATUS_OK ||
            work(sink, err) != STATUS_OK)
            return err->status;
        commit_to_kafka(sink);
        if (look_at_topics(sink, err) != STATUS_OK)
            return err->status;
        if (!sink->finish || !sink->joined || sink->unassigned)
            continue;
        if (look_up_ends(sink, err) != STATUS_OK)
            return err->status;
        if (ends_reached(sink) && !sink_batch_count(sink->batch))
            return STATUS_OK;
    }
    return STATUS_OK;
}

/* --- start and end --- */

static enum status make_consumer(struct sink *sink, struct error *err)
{
    const struct kafka_property fixed[] = {
        {"group.id", sink->group_id},
        {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        {"partition.assignment.strategy", "range,roundrobin"},
        {sink->settings->instance_id[0] ? "group.instance.id" : NULL, sink->settings->instance_id},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf;
    if (kafka_conf(sink->settings->options, RD_KAFKA_CONSUMER, fixed, &conf, err) != STATUS_OK)
        return err->status;
    rd_kafka_conf_set_opaque(conf, sink);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    if (kafka_client_new(RD_KAFKA_CONSUMER, &conf, &sink->consumer, err) != STATUS_OK)
        return err->status;
    rd_kafka_poll_set_consumer(sink->consumer);
    sink_topics_start(&sink->group, sink->consumer, sink->group_id, sink->settings->instance_id, sink->topics);
    return STATUS_OK;
}

/* Before the first poll nobody waits for us, so this may sleep. Only an unavailable server does not end the sink. */
static enum status wait_for_postgresql(struct sink *sink, struct error *err)
{
    progress_step(&sink->progress, "starts", WAITS_FOR_POSTGRESQL);
    while (!sink->stop) {
        enum status status = sink_store_open(sink->store, err);
        if (status == STATUS_OK) {
            postgresql_worked(sink);
            return STATUS_OK;
        }
        if (status != STATUS_UNAVAILABLE)
            return status;
        postgresql_failed(sink, err);
        progress_turn(&sink->progress, false, WAITS_FOR_POSTGRESQL, now_us());
        while (!sink->stop && now_us() < sink->retry_us)
            usleep(20 * 1000);
    }
    return STATUS_OK;
}

/* Waits until the cluster can be asked, and asks what must be known before subscribing. */
static enum status meet_kafka(struct sink *sink, struct error *err)
{
    enum status status;
    do {
        free(sink->cluster_id);
        sink->cluster_id = NULL;
        status = kafka_wait_for_broker(sink->consumer, "sink", 0, &sink->stop, err);
        if (status == STATUS_OK)
            status = kafka_cluster_id(sink->consumer, &sink->cluster_id, err);
        if (status == STATUS_OK)
            status = sink_topics_check(&sink->group, sink->settings, err);
    } while (status == STATUS_UNAVAILABLE && !sink->stop);
    return status;
}

static enum status sink_start(struct sink *sink, struct error *err)
{
    if (make_consumer(sink, err) != STATUS_OK || meet_kafka(sink, err) != STATUS_OK ||
        sink_rows_new(sink->settings->schema, sink->cluster_id, &sink->rows, err) != STATUS_OK)
        return err->status;
    sink_rows_use_registry(sink->rows, sink->settings->registry);
    sink_store_cluster(sink->store, sink->cluster_id);
    sink->batch = sink_batch_new(sink->store, sink->rows, sink->counters, release_message);
    sink_batch_erase_by(sink->batch, options_text(sink->settings->options, OPTION_ERASURE));
    if (wait_for_postgresql(sink, err) != STATUS_OK)
        return err->status;
    return sink->stop ? STATUS_OK : sink_topics_join(&sink->group, err);
}

/* Stores what was read, once and in bounded time, unless PostgreSQL is waited for: the rest is read again. */
static void flush_last(struct sink *sink)
{
    struct error err = {.text = "PostgreSQL is waited for"};
    if (!sink->batch || !sink_batch_is_unstored(sink->batch))
        return;
    sink_store_limit(sink->store, LEAVE_LIMIT_US);
    if (!sink->waiting && sink_batch_write(sink->batch, &err) == STATUS_OK)
        return;
    log_warn("sink", "%s; %zu records are not stored and will be read again at the next start", err.text,
             sink_batch_count(sink->batch));
    sink_batch_clear(sink->batch); /* or leaving would try once more */
}

static void leave(struct sink *sink)
{
    if (!sink->consumer)
        return;
    if (sink->batch) {
        sink->committed_us = 0;
        commit_to_kafka(sink);
        sink_batch_clear(sink->batch); /* its messages are the consumer's */
    }
    sink->group.leaving = true;
    kafka_consumer_leave(&sink->consumer, CLOSE_LIMIT_US, sink->group.unanswered, on_rebalance, sink);
}

enum status sink_run(struct sink *sink, struct error *err)
{
    progress_start(&sink->progress, now_us());
    enum status status = sink_start(sink, err);
    if (status == STATUS_OK)
        status = loop(sink, err);
    progress_step(&sink->progress, "ends", WAITS_FOR_POSTGRESQL);
    if (status == STATUS_OK)
        flush_last(sink);
    else if (sink->batch)
        sink_batch_clear(sink->batch); /* what was read may not be what its positions are of */
    leave(sink);
    sink_store_close(sink->store);
    progress_end(&sink->progress);
    return sink->stop && status == STATUS_UNAVAILABLE ? STATUS_OK : status;
}

enum status sink_new(const struct settings *settings, struct counters *counters, struct sink **out, struct error *err)
{
    struct buffer group = {0};
    struct sink_store *store;
    buffer_printf(&group, "%s-sink", settings->group_id);
    char *group_id = mem_text_n(group.data, group.bytes);
    buffer_free(&group);
    if (sink_store_new(settings->database_url, group_id, &store, err) != STATUS_OK) {
        free(group_id);
        return err->status;
    }
    struct sink *sink = mem_zeroed(1, sizeof *sink);
    sink->settings = settings;
    sink->counters = counters;
    sink->group_id = group_id;
    sink->store = store;
    const char *const topics[] = {settings->output_topic, settings->dlq_topic, settings->outcome_topic,
                                  settings->alert_topic};
    memcpy(sink->topics, topics, sizeof sink->topics);
    sink_store_limit(store, STORE_LIMIT_US);
    *out = sink;
    return STATUS_OK;
}

void sink_use_models(struct sink *sink, struct model_holder *models)
{
    sink->reference.models = models;
}

void sink_free(struct sink *sink)
{
    if (!sink)
        return;
    sink_batch_free(sink->batch);
    sink_rows_free(sink->rows);
    sink_store_free(sink->store);
    free(sink->cluster_id);
    free(sink->group_id);
    free(sink->headers.items);
    free(sink);
}

const struct loop_progress *sink_progress(const struct sink *sink)
{
    return &sink->progress;
}

void sink_stop(struct sink *sink)
{
    sink->stop = true;
    sink_store_hurry(sink->store, STOP_LIMIT_US);
}

void sink_finish(struct sink *sink)
{
    sink->finish = true;
}

enum status sink_check(const struct settings *settings, struct error *err)
{
    struct sink_store *store;
    if (sink_store_new(settings->database_url, "", &store, err) != STATUS_OK)
        return err->status;
    sink_store_limit(store, LEAVE_LIMIT_US);
    enum status status = sink_store_open(store, err);
    if (status == STATUS_OK)
        status = sink_store_check(store, err);
    sink_store_free(store);
    return status;
}
