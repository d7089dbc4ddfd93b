/* Aborting what was left open: see transaction_leftovers.h.
 *
 * Called by kafka/transaction.c when a producer starts, on the thread of its owner. Waits for brokers as long as it
 * takes, unless the process is stopping. Must never commit anything. What it uses of librdkafka: begin_transaction,
 * produce, flush, send_offsets_to_transaction, abort_transaction, consumer_group_metadata_new,
 * consumer_group_metadata_destroy, topic_partition_list_new, topic_partition_list_add, topic_partition_list_destroy,
 * committed, query_watermark_offsets, conf_interceptor_add_on_new, interceptor_add_on_acknowledgement, last_error,
 * error_code, error_string, error_is_retriable, error_is_fatal, error_txn_requires_abort, error_destroy, err2str. */
#include "kafka/transaction_leftovers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/client.h"
#include "kafka/transaction_remedy.h"

enum { CALL_MS = 10000, BACKOFF_US = 100000, LOOKUP_MS = 2000, LOOK_STEP_US = 2000, UNSTABLE_MOST = 15 };

struct round {
    struct leftovers *leftovers;
    const struct transaction_setup *setup;
    rd_kafka_t *producer;
    struct overdue *overdue;
    rd_kafka_topic_t *const *topics;
    bool records; /* of a topic that refuses them for good nothing can be left */
};

/* Where records are acknowledged. The producer reports only failures (delivery.report.only.error), so librdkafka's
 * interceptor is asked; its broker threads call this before the record's delivery counts as over. */
static rd_kafka_resp_err_t on_acknowledged(rd_kafka_t *client, rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct leftovers *leftovers = opaque;
    rd_kafka_topic_partition_t *place = message->_private;
    if (atomic_load(&leftovers->sending) && place && !message->err)
        place->offset = message->offset;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text,
                                  size_t capacity)
{
    (void)conf;
    rd_kafka_resp_err_t code =
        rd_kafka_interceptor_add_on_acknowledgement(client, "leftovers", on_acknowledged, opaque);
    if (code)
        snprintf(text, capacity, "cannot see acknowledgements: %s", rd_kafka_err2str(code));
    return code;
}

enum status leftovers_add(struct leftovers *leftovers, rd_kafka_conf_t *conf, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_conf_interceptor_add_on_new(conf, "leftovers", on_new, leftovers);
    return code ? error_set(err, STATUS_UNSUPPORTED, "this librdkafka does not show acknowledgements: %s",
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

void leftovers_free(struct leftovers *leftovers)
{
    if (leftovers->sent)
        rd_kafka_topic_partition_list_destroy(leftovers->sent);
    leftovers->sent = NULL;
}

/* Takes the second where there is a first. */
static rd_kafka_error_t *first_error(rd_kafka_error_t *first, rd_kafka_error_t *second)
{
    if (first && second)
        rd_kafka_error_destroy(second);
    return first ? first : second;
}

static rd_kafka_error_t *abort_until_done(const struct round *round)
{
    rd_kafka_error_t *error;
    for (;;) {
        overdue_begin(round->overdue, "the call that aborts");
        error = rd_kafka_abort_transaction(round->producer, CALL_MS);
        overdue_end(round->overdue);
        if (!error || !rd_kafka_error_is_retriable(error) || *round->setup->stop)
            return error;
        round->leftovers->repeated = true;
        rd_kafka_error_destroy(error);
    }
}

static rd_kafka_error_t *send_an_offset(const struct round *round)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(round->setup->group);
    rd_kafka_topic_partition_list_add(offsets, round->setup->offsets_topic, 0)->offset = 0;
    overdue_begin(round->overdue, "the call that sends offsets");
    rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(round->producer, offsets, group, CALL_MS);
    overdue_end(round->overdue);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    return error;
}

/* The places of the records, one in each partition, each with its topic's handle until a marker has reached it. */
static rd_kafka_resp_err_t list_places(const struct round *round)
{
    round->leftovers->sent = rd_kafka_topic_partition_list_new(1);
    for (size_t t = 0; t < round->setup->topic_count; t++) {
        struct error err;
        int count = 0;
        const char *topic = round->setup->topics[t];
        enum status status = kafka_topic_partitions(round->producer, topic, &count, &err);
        if (status == STATUS_UNAVAILABLE) {
            leftovers_free(round->leftovers);
            return RD_KAFKA_RESP_ERR__TRANSPORT;
        }
        if (status != STATUS_OK) /* its owner says so when it writes there */
            log_debug(round->setup->where, "%s", err.text);
        for (int32_t p = 0; p < count; p++)
            rd_kafka_topic_partition_list_add(round->leftovers->sent, topic, p)->opaque = round->topics[t];
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* A key, for topics that are compacted, and no value. */
static rd_kafka_resp_err_t send_records(const struct round *round)
{
    const char *key = round->setup->identity;
    rd_kafka_resp_err_t code = round->leftovers->sent ? RD_KAFKA_RESP_ERR_NO_ERROR : list_places(round);
    for (int i = 0; !code && i < round->leftovers->sent->cnt; i++) {
        rd_kafka_topic_partition_t *place = &round->leftovers->sent->elems[i];
        place->offset = RD_KAFKA_OFFSET_INVALID;
        if (place->opaque &&
            rd_kafka_produce(place->opaque, place->partition, RD_KAFKA_MSG_F_COPY, NULL, 0, key, strlen(key), place))
            code = rd_kafka_last_error();
    }
    return code;
}

static void await_records(const struct round *round)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(round->producer, CALL_MS);
    if (!round->leftovers->report)
        round->leftovers->report = code;
}

/* One transaction, aborted. NULL: done, but for what is reported of the records. */
static rd_kafka_error_t *abort_one(const struct round *round)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(round->producer);
    round->leftovers->report = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error)
        return error;
    if (round->records)
        round->leftovers->report = send_records(round);
    if (round->setup->offsets_topic)
        error = send_an_offset(round);
    await_records(round);
    return first_error(error, abort_until_done(round));
}

/* Whether the records were refused for a reason that does not pass. That a broker does not know a partition does: one
 * that has just come back says so of all of them, and topics that do not exist are left out before. */
static bool are_refused(const struct round *round)
{
    enum remedy remedy = transaction_remedy(round->leftovers->report);
    return round->leftovers->report && (remedy == REMEDY_END || remedy == REMEDY_SMALLER || remedy == REMEDY_UNTIMED);
}

/* Takes the error. True: once more. */
static bool is_worth_another(const struct round *round, rd_kafka_error_t *error, struct error *err)
{
    bool again = !error || rd_kafka_error_is_retriable(error) || rd_kafka_error_txn_requires_abort(error);
    again = again && !(error && rd_kafka_error_is_fatal(error)) && !*round->setup->stop;
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : round->leftovers->report;
    error_set(err, kafka_status(code), "%s: cannot end what earlier transactions of %s may have left open: %s",
              round->setup->where, round->setup->identity,
              error ? rd_kafka_error_string(error) : rd_kafka_err2str(code));
    if (error)
        rd_kafka_error_destroy(error);
    if (!again && !round->leftovers->report)
        round->leftovers->report = code;
    return again;
}

/* Until nothing refuses it. */
static enum status abort_all(struct round *round, struct error *err)
{
    round->records = true;
    for (bool logged = false;; usleep(BACKOFF_US)) {
        rd_kafka_error_t *error = abort_one(round);
        if (!error && !round->leftovers->report)
            return STATUS_OK;
        if (!is_worth_another(round, error, err))
            return err->status;
        round->records = round->records && !are_refused(round);
        if (!logged && round->records)
            log_warn(round->setup->where, "%s; trying again", err->text);
        logged = logged || round->records;
    }
}

/* Whether the markers have reached the group. No answer is false. */
static enum status check_group(const struct round *round, bool *ended, struct error *err)
{
    const struct transaction_setup *setup = round->setup;
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, setup->offsets_topic, 0);
    rd_kafka_resp_err_t code = rd_kafka_committed(setup->member, offsets, LOOKUP_MS);
    if (!code)
        code = offsets->elems[0].err;
    rd_kafka_topic_partition_list_destroy(offsets);
    *ended = !code;
    if (!code || kafka_status(code) == STATUS_UNAVAILABLE)
        return STATUS_OK;
    return error_set(err, kafka_status(code), "%s: cannot look up the offsets of group %s: %s", setup->where,
                     setup->group, rd_kafka_err2str(code));
}

/* Whether they have reached the record there. Look-ups of this producer are read_committed as well, librdkafka's
 * default, so the end of a partition is its last stable offset; and it knows the leaders already. No answer is false.
 */
static bool has_ended(const struct round *round, const rd_kafka_topic_partition_t *place)
{
    int64_t low, high = -1;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(round->producer, place->topic, place->partition, &low, &high, LOOKUP_MS);
    return !code && high > place->offset;
}

/* They are written after the call that aborts has returned. False: some are missing after a while. */
static bool await_markers(const struct round *round)
{
    bool all = true;
    int64_t deadline = clock_steady_us(&clock_system) + LOOKUP_MS * 1000LL;
    for (int i = 0; round->leftovers->sent && i < round->leftovers->sent->cnt; i++) {
        rd_kafka_topic_partition_t *place = &round->leftovers->sent->elems[i];
        bool sent = place->offset >= 0, ended = !place->opaque || (!sent && !round->records);
        while (sent && !ended && !(ended = has_ended(round, place)) && clock_steady_us(&clock_system) < deadline &&
               !*round->setup->stop)
            usleep(LOOK_STEP_US);
        if (ended && sent)
            place->opaque = NULL;
        all = all && ended;
    }
    return all;
}

static enum status check_markers(const struct round *round, bool *ended, struct error *err)
{
    enum status status = STATUS_OK;
    *ended = true;
    if (round->setup->member && round->setup->offsets_topic)
        status = check_group(round, ended, err);
    if (status == STATUS_OK && *ended)
        *ended = await_markers(round);
    if (status == STATUS_OK && !*ended && *round->setup->stop)
        status = error_set(err, STATUS_UNAVAILABLE, "%s: stopped before what %s left open was ended",
                           round->setup->where, round->setup->identity);
    return status;
}

enum status leftovers_end(struct leftovers *leftovers, const struct transaction_setup *setup, rd_kafka_t *producer,
                          struct overdue *overdue, rd_kafka_topic_t *const *topics, struct error *err)
{
    struct round round = {leftovers, setup, producer, overdue, topics, true};
    enum status status = STATUS_OK;
    unsigned unstable = 0; /* look-ups that brokers answered with that */
    leftovers_free(leftovers);
    atomic_store(&leftovers->sending, true);
    for (bool ended = false; status == STATUS_OK && !ended && unstable < UNSTABLE_MOST; unstable += kafka_up()) {
        status = abort_all(&round, err);
        if (status == STATUS_OK)
            status = check_markers(&round, &ended, err);
    }
    atomic_store(&leftovers->sending, false);
    return status;
}
