/* Aborting what was left open: see transaction_leftovers.h.
 *
 * Called by kafka/transaction.c when a producer starts, on the thread of its owner. Waits for brokers as long as it
 * takes, unless the process is stopping. Must never commit anything. What it uses of librdkafka: begin_transaction,
 * produce, flush, send_offsets_to_transaction, abort_transaction, consumer_group_metadata_new,
 * consumer_group_metadata_destroy, topic_partition_list_new, topic_partition_list_add, topic_partition_list_destroy,
 * committed, last_error, error_code, error_string, error_is_retriable, error_is_fatal, error_txn_requires_abort,
 * error_destroy, err2str. */
#include "kafka/transaction_leftovers.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "kafka/client.h"

enum { CALL_MS = 10000, BACKOFF_US = 100000, LOOKUP_MS = 2000 };

struct round {
    const struct transaction_setup *setup;
    rd_kafka_t *producer;
    struct overdue *overdue;
    rd_kafka_topic_t *const *topics;
    rd_kafka_resp_err_t *report;
    bool *repeated;
    bool records; /* of a topic that refuses them for good nothing can be left */
};

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
        *round->repeated = true;
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

/* One to each partition: a key, for topics that are compacted, and no value. */
static rd_kafka_resp_err_t send_to_topic(const struct round *round, size_t topic)
{
    struct error err;
    const char *key = round->setup->identity;
    int count = 0;
    enum status status = kafka_topic_partitions(round->producer, round->setup->topics[topic], &count, &err);
    if (status == STATUS_UNAVAILABLE)
        return RD_KAFKA_RESP_ERR__TRANSPORT;
    if (status != STATUS_OK) /* its owner says so when it writes there */
        log_debug(round->setup->where, "%s", err.text);
    for (int32_t p = 0; p < count; p++)
        if (rd_kafka_produce(round->topics[topic], p, RD_KAFKA_MSG_F_COPY, NULL, 0, key, strlen(key), NULL))
            return rd_kafka_last_error();
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void send_records(const struct round *round)
{
    for (size_t t = 0; t < round->setup->topic_count && !*round->report; t++)
        *round->report = send_to_topic(round, t);
}

static void await_records(const struct round *round)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(round->producer, CALL_MS);
    if (!*round->report)
        *round->report = code;
}

/* One transaction, aborted. NULL: done, but for what is reported of the records. */
static rd_kafka_error_t *abort_one(const struct round *round)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(round->producer);
    *round->report = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error)
        return error;
    if (round->records)
        send_records(round);
    if (round->setup->offsets_topic)
        error = send_an_offset(round);
    await_records(round);
    return first_error(error, abort_until_done(round));
}

/* Whether the records were refused for a reason that does not pass. That a broker does not know a partition does: one
 * that has just come back says so of all of them, and topics that do not exist are left out before. */
static bool are_refused(const struct round *round)
{
    enum remedy remedy = transaction_remedy(*round->report);
    return *round->report && (remedy == REMEDY_END || remedy == REMEDY_SMALLER || remedy == REMEDY_UNTIMED);
}

/* Takes the error. True: once more. */
static bool is_worth_another(const struct round *round, rd_kafka_error_t *error, struct error *err)
{
    bool again = !error || rd_kafka_error_is_retriable(error) || rd_kafka_error_txn_requires_abort(error);
    again = again && !(error && rd_kafka_error_is_fatal(error)) && !*round->setup->stop;
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : *round->report;
    error_set(err, kafka_status(code), "%s: cannot end what earlier transactions of %s may have left open: %s",
              round->setup->where, round->setup->identity,
              error ? rd_kafka_error_string(error) : rd_kafka_err2str(code));
    if (error)
        rd_kafka_error_destroy(error);
    if (!again && !*round->report)
        *round->report = code;
    return again;
}

enum status leftovers_check(const struct transaction_setup *setup, bool *ended, struct error *err)
{
    *ended = true;
    if (!setup->member || !setup->offsets_topic)
        return STATUS_OK;
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

enum status leftovers_abort(const struct transaction_setup *setup, rd_kafka_t *producer, struct overdue *overdue,
                            rd_kafka_topic_t *const *topics, rd_kafka_resp_err_t *report, bool *repeated,
                            struct error *err)
{
    struct round round = {setup, producer, overdue, topics, report, repeated, true};
    for (bool told = false;; usleep(BACKOFF_US)) {
        rd_kafka_error_t *error = abort_one(&round);
        if (!error && !*report)
            return STATUS_OK;
        if (!is_worth_another(&round, error, err))
            return err->status;
        round.records = round.records && !are_refused(&round);
        if (!told && round.records)
            log_warn(setup->where, "%s; trying again", err->text);
        told = told || round.records;
    }
}
