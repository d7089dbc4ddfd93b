/* Reading and writing a group's records: see state_group.h. Main thread, for `scorer state`; blocks until brokers
 * answer. Must never write beside a scorer of the group, whose memory would not know of it: members are looked for
 * before anything is read and once more before the commit, and a scorer that starts in between waits for the open
 * transaction before it reads. */
#include "scorer/state_admin/state_group.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/employee_state.h"
#include "kafka/client.h"
#include "kafka/committed_offsets.h"
#include "kafka/member.h"
#include "kafka/transaction.h"
#include "scorer/check/check_topic.h"
#include "scorer/state/state_position.h"
#include "scorer/state/state_restore.h"
#include "scorer/state/state_row.h"

enum { ADMIN_MS = 15000, LOOKUP_MS = 10000, STEP_US = 200000, SESSION_US = 15000000, VISIBLE_US = 20000000 };

/* As long as brokers allow as they come: all is one transaction. */
static const char TRANSACTION_MS[] = "600000";

static const char where[] = "state";

struct state_group {
    const struct settings *settings;
    struct counters *counters;
    struct state *state;
    struct state_restore *restore;
    rd_kafka_t *consumer; /* of the group, which it never joins */
    struct transaction *transaction;
    char identity[300], *cluster;
    _Atomic bool stop;
    int inputs, parts;
    int32_t spread;                           /* partitions that the records are spread over; 0: no position says */
    rd_kafka_topic_partition_list_t *offsets; /* of the group, by input partition */
    struct cell *cells;
    struct buffer value;
};

/* --- opening --- */

static enum status open_consumer(struct state_group *group, struct error *err)
{
    const struct kafka_property fixed[] = {
        {"group.id", group->settings->group_id}, {"isolation.level", "read_committed"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    enum status status = kafka_conf(group->settings->options, RD_KAFKA_CONSUMER, fixed, &conf, err);
    if (status == STATUS_OK)
        status = kafka_client_new(RD_KAFKA_CONSUMER, &conf, &group->consumer, err);
    if (status == STATUS_OK)
        status = kafka_wait_for_broker(group->consumer, where, 0, &group->stop, err);
    return status == STATUS_OK ? kafka_cluster_id(group->consumer, &group->cluster, err) : status;
}

static enum status check_stopped(struct state_group *group, struct error *err)
{
    const struct member_wait wait = {&group->stop, where};
    size_t members = 0;
    enum status status = kafka_member_count(group->consumer, group->settings->group_id, &wait, &members, err);
    if (status != STATUS_OK || !members)
        return status;
    return error_set(err, STATUS_CONFLICT,
                     "group %s has %zu members: stop its scorers first (one that was stopped is a member for "
                     "session.timeout.ms more)",
                     group->settings->group_id, members);
}

/* Static members stay in their group until their session ends, also when their scorer was stopped. */
static enum status wait_until_stopped(struct state_group *group, struct error *err)
{
    int64_t until_us = clock_steady_us(&clock_system) + SESSION_US;
    enum status status = check_stopped(group, err);
    if (status == STATUS_CONFLICT)
        log_info(where, "group %s has members; waiting %d s for sessions of stopped scorers to end",
                 group->settings->group_id, SESSION_US / 1000000);
    while (status == STATUS_CONFLICT && clock_steady_us(&clock_system) < until_us) {
        usleep(STEP_US);
        status = check_stopped(group, err);
    }
    return status;
}

static enum status find_topics(struct state_group *group, struct error *err)
{
    const char *topic = group->settings->state_topic;
    enum status status = kafka_topic_partitions(group->consumer, group->settings->input_topic, &group->inputs, err);
    if (status != STATUS_OK)
        return status;
    status = kafka_topic_partitions(group->consumer, topic, &group->parts, err);
    if (status == STATUS_NOT_FOUND)
        status = check_topic_make(group->consumer, topic, group->inputs, CHECK_TOPIC_STATE, err);
    return status == STATUS_OK ? kafka_topic_partitions(group->consumer, topic, &group->parts, err) : status;
}

static enum status find_offsets(struct state_group *group, struct error *err)
{
    group->offsets = rd_kafka_topic_partition_list_new(group->inputs);
    for (int p = 0; p < group->inputs; p++)
        rd_kafka_topic_partition_list_add(group->offsets, group->settings->input_topic, p);
    return committed_offsets_read(group->consumer, group->offsets, where, &group->stop, err);
}

static enum status open_transaction(struct state_group *group, struct error *err)
{
    const struct settings *settings = group->settings;
    snprintf(group->identity, sizeof group->identity, "%s-state-admin", settings->group_id);
    const struct transaction_setup setup = {
        .options = settings->options,
        .where = where,
        .name = where,
        .identity = group->identity,
        .timeout_ms = TRANSACTION_MS,
        .group = settings->group_id,
        .offsets_topic = settings->input_topic,
        .topics = &settings->state_topic,
        .topic_count = 1,
        .stop = &group->stop,
    };
    enum status status = transaction_new(&setup, &group->transaction, err);
    return status == STATUS_OK ? transaction_start(group->transaction, err) : status;
}

enum status state_group_new(const struct settings *settings, struct state_group **out, struct error *err)
{
    struct state_group *group = mem_zeroed(1, sizeof *group);
    group->settings = settings;
    group->counters = aligned_alloc(_Alignof(struct counters), sizeof *group->counters);
    if (!group->counters)
        abort();
    memset(group->counters, 0, sizeof *group->counters);
    group->state = state_new();
    group->restore = state_restore_new(settings, group->state, NULL, group->counters);
    state_restore_any_spread(group->restore, &group->spread);
    group->cells = mem_zeroed(settings->schema->column_count, sizeof *group->cells);
    enum status status = open_consumer(group, err);
    if (status == STATUS_OK)
        status = wait_until_stopped(group, err);
    if (status == STATUS_OK)
        status = find_topics(group, err);
    if (status == STATUS_OK)
        status = open_transaction(group, err); /* ends an earlier one of ours, so that what follows is final */
    if (status == STATUS_OK)
        status = find_offsets(group, err);
    if (status != STATUS_OK) {
        state_group_free(group);
        return status;
    }
    *out = group;
    return STATUS_OK;
}

void state_group_free(struct state_group *group)
{
    if (!group)
        return;
    transaction_free(group->transaction);
    state_restore_free(group->restore);
    state_free(group->state);
    if (group->offsets)
        rd_kafka_topic_partition_list_destroy(group->offsets);
    kafka_client_free(group->consumer);
    buffer_free(&group->value);
    free(group->counters);
    free(group->cells);
    free(group->cluster);
    free(group);
}

const char *state_group_cluster(const struct state_group *group)
{
    return group->cluster;
}

int32_t state_group_inputs(const struct state_group *group)
{
    return group->inputs;
}

int32_t state_group_parts(const struct state_group *group)
{
    return group->parts;
}

int32_t state_group_spread(const struct state_group *group)
{
    return group->spread ? group->spread : group->parts;
}

struct state *state_group_records(struct state_group *group)
{
    return group->state;
}

/* --- partitions --- */

static enum status find_ends(struct state_group *group, int32_t partition, int64_t *low, int64_t *high,
                             struct error *err)
{
    const char *topic = group->settings->input_topic;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(group->consumer, topic, partition, low, high, LOOKUP_MS);
    return code ? error_set(err, kafka_status(code), "looking up the ends of %s [%" PRId32 "]: %s", topic, partition,
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

enum status state_group_lag(struct state_group *group, int64_t *out, struct error *err)
{
    *out = 0;
    for (int32_t p = 0; p < group->parts && p < group->inputs; p++) {
        int64_t low, high;
        if (find_ends(group, p, &low, &high, err) != STATUS_OK)
            return err->status;
        int64_t next = group->offsets->elems[p].offset;
        *out += high - (next > low ? next : low);
    }
    return STATUS_OK;
}

static enum status widened(rd_kafka_event_t *event, const char *topic, struct error *err)
{
    size_t count = 0;
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    const char *text = event ? rd_kafka_event_error_string(event) : rd_kafka_err2str(code);
    const rd_kafka_CreatePartitions_result_t *result = event ? rd_kafka_event_CreatePartitions_result(event) : NULL;
    if (!code && result) {
        const rd_kafka_topic_result_t **topics = rd_kafka_CreatePartitions_result_topics(result, &count);
        code = count ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
        text = count ? rd_kafka_topic_result_error_string(topics[0]) : rd_kafka_err2str(code);
    }
    return code ? error_set(err, kafka_status(code), "topic %s cannot get more partitions: %s", topic, text)
                : STATUS_OK;
}

/* The producer has to know of them before it can write there. */
static enum status see_partitions(struct state_group *group, struct error *err)
{
    int found = 0;
    int64_t until_us = clock_steady_us(&clock_system) + VISIBLE_US;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && found < group->inputs && clock_steady_us(&clock_system) < until_us) {
        status =
            kafka_topic_partitions(transaction_client(group->transaction), group->settings->state_topic, &found, err);
        if (status == STATUS_OK && found < group->inputs)
            usleep(STEP_US);
    }
    if (status == STATUS_OK && found < group->inputs)
        return error_set(err, STATUS_UNAVAILABLE, "%s: its new partitions are not there yet; run it again",
                         group->settings->state_topic);
    group->parts = group->inputs;
    return status;
}

enum status state_group_widen(struct state_group *group, struct error *err)
{
    char text[256];
    const char *topic = group->settings->state_topic;
    rd_kafka_NewPartitions_t *wanted = rd_kafka_NewPartitions_new(topic, (size_t)group->inputs, text, sizeof text);
    if (!wanted)
        return error_set(err, STATUS_INVALID, "topic %s: %s", topic, text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(group->consumer);
    rd_kafka_CreatePartitions(group->consumer, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_MS);
    enum status status = widened(event, topic, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewPartitions_destroy(wanted);
    return status == STATUS_OK ? see_partitions(group, err) : status;
}

/* --- reading --- */

enum status state_group_read(struct state_group *group, struct error *err)
{
    struct state_start *starts = mem_zeroed((size_t)group->inputs + 1, sizeof *starts);
    size_t count = 0;
    bool done = false;
    for (int32_t p = 0; p < group->inputs && p < group->parts; p++)
        if (group->offsets->elems[p].offset >= 0)
            starts[count++] = (struct state_start){.partition = p, .committed = group->offsets->elems[p].offset};
    enum status status = STATUS_OK;
    while (!done && (status == STATUS_OK || status == STATUS_UNAVAILABLE))
        status = state_restore_step(group->restore, starts, count, &done, err);
    free(starts);
    return status;
}

/* --- writing --- */

static enum status broken(const struct state_group *group, struct error *err)
{
    rd_kafka_resp_err_t code = transaction_broken(group->transaction);
    return code ? error_set(err, kafka_status(code), "writing to %s: %s", group->settings->state_topic,
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

static enum status send_record(struct state_group *group, int32_t partition, struct span key, struct span value,
                               struct error *err)
{
    const struct transaction_record record = {.partition = partition, .key = key, .value = value};
    enum status status = transaction_begin(group->transaction, err);
    if (status != STATUS_OK)
        return status;
    rd_kafka_resp_err_t code = transaction_send(group->transaction, &record);
    if (code)
        return error_set(err, kafka_status(code), "writing to %s: %s", group->settings->state_topic,
                         rd_kafka_err2str(code));
    return broken(group, err);
}

enum status state_group_write(struct state_group *group, int32_t partition, struct span employee_id, struct span value,
                              struct error *err)
{
    return send_record(group, partition, employee_id, value, err);
}

enum status state_group_write_record(struct state_group *group, int32_t partition, const struct state_record *record,
                                     struct error *err)
{
    const struct schema *schema = group->settings->schema;
    struct employee_state out = {
        .employee_id = record->employee_id,
        .occurred_at_ms = record->occurred_at_ms,
        .source_topic = span_of(group->settings->input_topic),
        .source_partition = partition,
        .source_offset = record->source_offset,
        .scored = record->scored,
        .label = record->label,
        .probability = record->probability,
        .margin = record->margin,
        .alerted = record->alerted,
        .alerted_label = record->alerted_label,
        .alerted_probability = record->alerted_probability,
    };
    if (record->scored) {
        const struct state_model *model = state_model_at(group->state, record->model);
        out.threshold = model->threshold;
        out.model_name = model->name;
        out.model_version = model->version;
    }
    if (!record->left) {
        state_row_unpack(schema, record->row.data, group->cells);
        out.cells = group->cells;
    }
    buffer_clear(&group->value);
    employee_state_encode(schema, &out, &group->value);
    return send_record(group, partition, record->employee_id, buffer_span(&group->value), err);
}

/* A partition that nobody has taken yet is read from its beginning, as whoever takes it would. */
static enum status add_start(struct state_group *group, int32_t partition, rd_kafka_topic_partition_list_t *starts,
                             struct error *err)
{
    int64_t low, high;
    rd_kafka_topic_partition_t *known = &group->offsets->elems[partition];
    if (known->offset >= 0)
        return STATUS_OK;
    if (find_ends(group, partition, &low, &high, err) != STATUS_OK)
        return err->status;
    known->offset = low;
    rd_kafka_topic_partition_list_add(starts, group->settings->input_topic, partition)->offset = low;
    return STATUS_OK;
}

static enum status write_position(struct state_group *group, int32_t partition, int64_t count, struct error *err)
{
    int64_t known = state_position(group->state, partition), committed = group->offsets->elems[partition].offset;
    const struct state_position position = {
        .group = group->settings->group_id,
        .topic = group->settings->input_topic,
        .partition = partition,
        .partitions = group->parts,
        .offset = known > committed ? known : committed,
        .records = count,
        .begun_us = clock_real_us(&clock_system),
    };
    buffer_clear(&group->value);
    state_position_write(&position, &group->value);
    return send_record(group, partition, STATE_POSITION_KEY, buffer_span(&group->value), err);
}

static enum status commit(struct state_group *group, const rd_kafka_topic_partition_list_t *starts, struct error *err)
{
    enum transaction_result result =
        transaction_commit(group->transaction, group->consumer, starts->cnt ? starts : NULL, err);
    if (result == TRANSACTION_ROLLED_BACK)
        return error_set(err, STATUS_UNAVAILABLE, "nothing was written, run it again: %.300s",
                         rd_kafka_err2str(transaction_broken(group->transaction)));
    return result == TRANSACTION_COMMITTED ? STATUS_OK : err->status;
}

enum status state_group_commit(struct state_group *group, const int64_t *counts, struct error *err)
{
    rd_kafka_topic_partition_list_t *starts = rd_kafka_topic_partition_list_new(group->inputs);
    enum status status = STATUS_OK;
    for (int32_t p = 0; p < group->parts && status == STATUS_OK; p++) {
        status = add_start(group, p, starts, err);
        if (status == STATUS_OK)
            status = write_position(group, p, counts[p], err);
    }
    if (status == STATUS_OK)
        status = check_stopped(group, err);
    if (status == STATUS_OK)
        status = commit(group, starts, err);
    rd_kafka_topic_partition_list_destroy(starts);
    return status;
}
