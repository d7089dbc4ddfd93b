/* Transactions of one producer: see transaction.h.
 *
 * Called by a score loop (its commits in the background) and by the dead-letter replay. May block in new, start, begin
 * (a pause, or a fresh producer), send (a full queue), flush, commit and abort; all of them wait for brokers as long as
 * it takes. Must never begin while a request of an earlier transaction has no answer, never take an unknown commit for
 * either, and never replace the producer of a process that may have a successor.
 *
 * What it uses of librdkafka, all of it: rd_kafka_conf_set_dr_msg_cb, conf_set_opaque, topic_new, topic_destroy,
 * topic_name, headers_destroy, last_error, poll, flush, purge, destroy, fatal_error, begin_transaction,
 * send_offsets_to_transaction, commit_transaction, abort_transaction, consumer_group_metadata,
 * consumer_group_metadata_destroy, commit, topic_partition_list_copy, topic_partition_list_destroy, error_code,
 * error_string, error_is_retriable, error_destroy, err2str; and what the other files of kafka/ say of themselves. */
#include "kafka/transaction.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "kafka/committed_offsets.h"
#include "kafka/call_watchdog.h"
#include "kafka/transaction_identity.h"
#include "kafka/hanging_transactions.h"
#include "kafka/in_flight_requests.h"
#include "kafka/connect_error.h"

enum {
    CALL_MS = 10000,
    FULL_WAIT_MS = 10,
    CLOSELY_US = 200000,
    FLUSH_FIRST_US = 500,
    FLUSH_LAST_US = 4000,
    PAUSE_FIRST_MS = 100,
    PAUSE_LAST_MS = 5000
};
enum { SLOW_AFTER_US = 3000000, BACKOFF_US = 100000 };

struct transaction {
    struct transaction_setup setup;
    rd_kafka_t *producer;
    rd_kafka_topic_t *topics[TRANSACTION_TOPICS_MAX];
    struct in_flight_requests in_flight;
    struct call_watchdog watchdog;
    bool open; /* begun, neither committed nor rolled back */
    struct markers markers;
    struct hanging_transactions hanging;
    bool repeated; /* a call ran out of time and was made again: see retire_repeated */
    bool stale;    /* must not begin again: a fresh producer shall */
    bool fenced;   /* … because its epoch is an old one */
    char because[256];
    rd_kafka_resp_err_t broken; /* the first error of the open transaction */
    char broken_topic[256];
    unsigned rollbacks;   /* in a row */
    int64_t resume_us;    /* steady clock: begin waits until then */
    struct error failure; /* for good; status STATUS_OK: none */
    struct committed_offsets last;
};

/* --- what breaks a transaction --- */

void transaction_break(struct transaction *transaction, rd_kafka_resp_err_t code, const char *topic)
{
    if (transaction->broken && transaction->broken != RD_KAFKA_RESP_ERR__STATE) /* that one follows from another */
        return;
    transaction->broken = code;
    snprintf(transaction->broken_topic, sizeof transaction->broken_topic, "%s", topic ? topic : "");
}

rd_kafka_resp_err_t transaction_broken(const struct transaction *transaction)
{
    return transaction->broken;
}

const char *transaction_broken_topic(const struct transaction *transaction)
{
    return transaction->broken_topic[0] ? transaction->broken_topic : NULL;
}

/* Within rd_kafka_poll, flush, commit and abort. */
static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct transaction *transaction = opaque;
    if (transaction->markers.commits)
        return;
    if (transaction->hanging.sending) {
        hanging_transactions_report(&transaction->hanging, message);
        return;
    }
    if (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        return; /* of a transaction that was rolled back */
    if (transaction->setup.report)
        transaction->setup.report(transaction->setup.context, message);
    if (message->err)
        transaction_break(transaction, message->err, message->rkt ? rd_kafka_topic_name(message->rkt) : NULL);
}

/* The producer goes no further than the end of the open transaction. */
static void make_stale(struct transaction *transaction, rd_kafka_resp_err_t code, const char *because)
{
    transaction->fenced |= error_class_of(code) == ERROR_CLASS_FENCED;
    if (!transaction->stale)
        snprintf(transaction->because, sizeof transaction->because, "%.255s", because);
    transaction->stale = true;
}

/* A call that is made again after its time-out sends a second request, which librdkafka may repeat by itself once more:
 * answered or not, it may reach the coordinator in the middle of the next transaction of this epoch. */
static void retire_repeated(struct transaction *transaction)
{
    if (transaction->repeated || transaction->hanging.repeated || transaction->markers.repeated)
        make_stale(transaction, RD_KAFKA_RESP_ERR_NO_ERROR, "a call that ends a transaction had to be made again");
    transaction->repeated = transaction->hanging.repeated = transaction->markers.repeated = false;
}

/* The code behind "fatal". */
static rd_kafka_resp_err_t code_of(const struct transaction *transaction, rd_kafka_resp_err_t code)
{
    char text[8];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(transaction->producer, text, sizeof text);
    return fatal ? fatal : code;
}

/* --- start and end --- */

static void close_producer(struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->setup.topic_count; i++) {
        if (transaction->topics[i])
            rd_kafka_topic_destroy(transaction->topics[i]);
        transaction->topics[i] = NULL;
    }
    if (!transaction->producer)
        return;
    rd_kafka_purge(transaction->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(transaction->producer, 0);
    rd_kafka_destroy(transaction->producer);
    call_watchdog_remove(&transaction->watchdog);
    transaction->producer = NULL;
}

static enum status make_producer(struct transaction *transaction, struct error *err)
{
    const struct transaction_setup *setup = &transaction->setup;
    const struct kafka_property fixed[] = {
        {"enable.idempotence", "true"},
        {"delivery.report.only.error", setup->all_reports ? "false" : "true"},
        {setup->identity ? "transactional.id" : NULL, setup->identity},
        {setup->timeout_ms ? "transaction.timeout.ms" : NULL, setup->timeout_ms},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf;
    enum status status = kafka_conf(setup->options, RD_KAFKA_PRODUCER, fixed, &conf, err);
    if (status != STATUS_OK)
        return status;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, transaction);
    status = in_flight_requests_add(&transaction->in_flight, conf, err);
    if (status == STATUS_OK)
        status = setup->identity ? markers_add(&transaction->markers, conf, err) : STATUS_OK;
    if (status == STATUS_OK && setup->last)
        status = last_offsets_watch(setup->last, conf, err);
    if (status != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    call_watchdog_add(&transaction->watchdog, conf, transaction, setup->name);
    status = kafka_client_new(RD_KAFKA_PRODUCER, &conf, &transaction->producer, err);
    if (status != STATUS_OK)
        call_watchdog_remove(&transaction->watchdog);
    return status;
}

static enum status take_topics(struct transaction *transaction, struct error *err)
{
    const struct transaction_setup *setup = &transaction->setup;
    for (size_t i = 0; i < setup->topic_count; i++) {
        transaction->topics[i] = rd_kafka_topic_new(transaction->producer, setup->topics[i], NULL);
        if (!transaction->topics[i])
            return error_set(err, STATUS_INVALID, "topic %s: %s", setup->topics[i],
                             rd_kafka_err2str(rd_kafka_last_error()));
    }
    return STATUS_OK;
}

static enum status open_producer(struct transaction *transaction, struct error *err)
{
    enum status status = make_producer(transaction, err);
    if (status == STATUS_OK)
        status =
            kafka_wait_for_broker(transaction->producer, transaction->setup.where, 0, transaction->setup.stop, err);
    return status == STATUS_OK ? take_topics(transaction, err) : status;
}

enum status transaction_new(const struct transaction_setup *setup, struct transaction **out, struct error *err)
{
    struct transaction *transaction = mem_zeroed(1, sizeof *transaction);
    assert(setup->topic_count <= TRANSACTION_TOPICS_MAX);
    transaction->setup = *setup;
    transaction->markers.topics = transaction->setup.topics;
    transaction->markers.topic_count = setup->topic_count;
    enum status status = open_producer(transaction, err);
    if (status != STATUS_OK) {
        close_producer(transaction);
        markers_free(&transaction->markers);
        free(transaction);
        return status;
    }
    *out = transaction;
    return STATUS_OK;
}

static struct markers_client client_of(const struct transaction *transaction)
{
    return (struct markers_client){&transaction->setup, transaction->producer, transaction->topics,
                                   (struct call_watchdog *)&transaction->watchdog, &transaction->in_flight};
}

static enum status confirmed(struct transaction *transaction, enum markers_result result, const struct error *err)
{
    retire_repeated(transaction);
    if (result == MARKERS_RENEW)
        make_stale(transaction, RD_KAFKA_RESP_ERR_NO_ERROR, "results of the last commit were not committed again");
    return result == MARKERS_FAILED ? err->status : STATUS_OK;
}

/* Delivery reports come within it, and are of no transaction. */
enum status transaction_start(struct transaction *transaction, struct error *err)
{
    rd_kafka_resp_err_t code;
    if (!transaction->setup.identity)
        return STATUS_OK;
    enum status status = transaction_identity_take(&transaction->setup, transaction->producer, &code, err);
    const struct markers_client client = client_of(transaction);
    if (status == STATUS_OK)
        status = confirmed(transaction, markers_confirm_last(&transaction->markers, &client, err), err);
    if (status == STATUS_OK && transaction->stale)
        return STATUS_OK;
    if (status == STATUS_OK) {
        status = hanging_transactions_end(&transaction->hanging, &transaction->markers, &client, err);
        code = transaction->hanging.report;
        retire_repeated(transaction);
        if (status == STATUS_OK && transaction->hanging.unfinished)
            make_stale(transaction, RD_KAFKA_RESP_ERR_NO_ERROR,
                       "a request of the transaction that ends leftovers has no answer");
    }
    if (error_class_of(code) != ERROR_CLASS_FATAL) /* a right that was withdrawn: aborting without it is fatal too */
        code = code_of(transaction, code);
    enum error_class class = error_class_of(code);
    if (status == STATUS_OK || (class != ERROR_CLASS_FENCED && class != ERROR_CLASS_NEW_PRODUCER))
        return status;
    make_stale(transaction, code, err->text); /* too slow, or another process: begin asks which of them stays */
    return STATUS_OK;
}

void transaction_free(struct transaction *transaction)
{
    if (!transaction)
        return;
    transaction_abort(transaction);
    if (transaction->markers.unconfirmed)
        markers_report(&transaction->markers, &transaction->setup);
    close_producer(transaction);
    hanging_transactions_free(&transaction->hanging);
    markers_free(&transaction->markers);
    committed_offsets_free(&transaction->last);
    free(transaction);
}

rd_kafka_t *transaction_client(const struct transaction *transaction)
{
    return transaction->producer;
}

/* --- a fresh producer --- */

/* Offsets that are not reported although brokers were waited for: once more, with one more fresh producer. */
static enum status retry_unavailable(struct transaction *transaction, enum status status, const struct error *err)
{
    if (status != STATUS_UNAVAILABLE || *transaction->setup.stop)
        return status;
    make_stale(transaction, RD_KAFKA_RESP_ERR_NO_ERROR, err->text);
    transaction_pause(transaction);
    return STATUS_OK;
}

static enum status renew_producer(struct transaction *transaction, struct error *err)
{
    enum status status = transaction_identity_check(&transaction->setup, transaction->fenced, err);
    if (status != STATUS_OK)
        return status;
    log_warn(transaction->setup.where, "%s: goes on with a fresh producer: %s", transaction->setup.name,
             transaction->because);
    close_producer(transaction);
    status = open_producer(transaction, err);
    transaction->stale = transaction->fenced = transaction->repeated = false;
    if (status == STATUS_OK)
        status = transaction_start(transaction, err);
    if (status == STATUS_OK && !transaction->stale) /* skipped markers of an acknowledged commit are aborts by now */
        status = retry_unavailable(
            transaction,
            committed_offsets_check(&transaction->last, transaction->setup.where, transaction->setup.stop, err), err);
    return status;
}

/* --- beginning --- */

int transaction_pause(struct transaction *transaction)
{
    int pause_ms = PAUSE_FIRST_MS;
    for (unsigned i = 0; i < transaction->rollbacks && pause_ms < PAUSE_LAST_MS; i++)
        pause_ms *= 2;
    if (pause_ms > PAUSE_LAST_MS)
        pause_ms = PAUSE_LAST_MS;
    transaction->rollbacks++;
    transaction->resume_us = clock_steady_us(&clock_system) + pause_ms * 1000LL;
    return pause_ms;
}

static void wait_out_pause(struct transaction *transaction)
{
    for (int64_t left; !*transaction->setup.stop; usleep((useconds_t)(left < BACKOFF_US ? left : BACKOFF_US)))
        if ((left = transaction->resume_us - clock_steady_us(&clock_system)) <= 0)
            return;
}

/* Whether a fresh producer must come first: what a fresh one asks when it starts may go unanswered too. */
static bool needs_fresh(struct transaction *transaction)
{
    if (!transaction->stale && transaction->setup.identity && !in_flight_requests_all_answered(&transaction->in_flight))
        make_stale(transaction, RD_KAFKA_RESP_ERR_NO_ERROR,
                   "a request of the last transaction has no answer and may still reach the broker");
    return transaction->stale;
}

/* After the pause: fresh producers, with a pause between them, until one may begin. */
static enum status make_fresh(struct transaction *transaction, struct error *err)
{
    enum status status = STATUS_OK;
    for (wait_out_pause(transaction); status == STATUS_OK && needs_fresh(transaction); wait_out_pause(transaction)) {
        status = renew_producer(transaction, err);
        if (status == STATUS_OK && transaction->stale)
            transaction_pause(transaction);
    }
    return status;
}

/* A librdkafka transaction on a producer that may begin one. */
static enum status begin_fresh(struct transaction *transaction, struct error *err)
{
    enum status status = make_fresh(transaction, err);
    if (status != STATUS_OK || !transaction->setup.identity)
        return status;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(transaction->producer);
    if (!error)
        return STATUS_OK;
    make_stale(transaction, code_of(transaction, rd_kafka_error_code(error)), rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return STATUS_OK;
}

enum status transaction_begin(struct transaction *transaction, struct error *err)
{
    if (transaction->open)
        return STATUS_OK;
    if (transaction->failure.status != STATUS_OK)
        return error_set(err, transaction->failure.status, "%s", transaction->failure.text);
    do {
        if (begin_fresh(transaction, err) != STATUS_OK) {
            transaction->failure = *err;
            return err->status;
        }
        if (transaction->stale)
            transaction_pause(transaction);
    } while (transaction->stale);
    markers_begin(&transaction->markers);
    transaction->open = true;
    transaction->broken = RD_KAFKA_RESP_ERR_NO_ERROR;
    transaction->broken_topic[0] = '\0';
    return STATUS_OK;
}

bool transaction_is_confirmed(const struct transaction *transaction)
{
    return transaction->open || transaction->stale || !transaction->markers.unconfirmed;
}

enum status transaction_confirm(struct transaction *transaction, struct error *err)
{
    if (transaction_is_confirmed(transaction) || transaction->failure.status != STATUS_OK)
        return STATUS_OK;
    const struct markers_client client = client_of(transaction);
    if (confirmed(transaction, markers_confirm(&transaction->markers, &client, true, err), err) != STATUS_OK)
        transaction->failure = *err;
    return transaction->failure.status;
}

enum status transaction_end_leftovers(struct transaction *transaction, struct error *err)
{
    if (transaction->open || !transaction->setup.identity || transaction->failure.status != STATUS_OK)
        return STATUS_OK;
    make_stale(transaction, RD_KAFKA_RESP_ERR_NO_ERROR, "the group's offsets wait for the end of a transaction");
    return make_fresh(transaction, err);
}

void transaction_forget_offsets(struct transaction *transaction)
{
    committed_offsets_free(&transaction->last);
}

bool transaction_is_open(const struct transaction *transaction)
{
    return transaction->open;
}

bool transaction_is_stale(const struct transaction *transaction)
{
    return transaction->stale || hanging_transactions_are_due(&transaction->hanging) ||
           (transaction->setup.identity && !in_flight_requests_all_answered(&transaction->in_flight));
}

/* --- sending --- */

static bool must_stop(const struct transaction *transaction)
{
    return transaction->setup.stop_at_once && *transaction->setup.stop;
}

rd_kafka_resp_err_t transaction_send(struct transaction *transaction, const struct transaction_record *record)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__STATE;
    assert(transaction->open && record->topic < transaction->setup.topic_count);
    FAILPOINT("score.produce");
    while (!transaction->broken) {
        code = transaction_record_produce(transaction->producer, transaction->topics[record->topic], record);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || must_stop(transaction))
            break;
        rd_kafka_poll(transaction->producer,
                      FULL_WAIT_MS); /* slows the input down while brokers are slow or unavailable */
    }
    FAILPOINT("score.produced");
    if (code && record->headers)
        rd_kafka_headers_destroy(record->headers);
    if (code && !error_class_is_of_record(code))
        transaction_break(transaction, code, transaction->setup.topics[record->topic]);
    return code;
}

void transaction_flush(struct transaction *transaction)
{
    while (rd_kafka_flush(transaction->producer, CALL_MS) == RD_KAFKA_RESP_ERR__TIMED_OUT && !*transaction->setup.stop)
        ;
}

/* --- ending --- */

/* Takes the error. True: try again. Says so once when it takes long. */
static bool retry(struct transaction *transaction, rd_kafka_error_t *error, const char *action, int64_t started_us,
                  bool *logged)
{
    if (!rd_kafka_error_is_retriable(error) || must_stop(transaction))
        return false;
    if (!*logged && clock_steady_us(&clock_system) - started_us > SLOW_AFTER_US) {
        log_warn(transaction->setup.where, "%s cannot %s yet: %s; trying until it succeeds", transaction->setup.name,
                 action, rd_kafka_error_string(error));
        *logged = true;
    }
    rd_kafka_error_destroy(error);
    transaction->repeated = true;
    return true;
}

static rd_kafka_error_t *send_offsets(struct transaction *transaction, rd_kafka_t *consumer,
                                      const rd_kafka_topic_partition_list_t *offsets)
{
    int64_t started = clock_steady_us(&clock_system);
    rd_kafka_error_t *error = NULL;
    FAILPOINT("score.offsets");
    for (bool logged = false; offsets && offsets->cnt;) {
        rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer);
        call_watchdog_begin(&transaction->watchdog, "the call that sends offsets");
        error = rd_kafka_send_offsets_to_transaction(transaction->producer, offsets, group, CALL_MS);
        call_watchdog_end(&transaction->watchdog);
        rd_kafka_consumer_group_metadata_destroy(group);
        if (!error || !retry(transaction, error, "send the offsets", started, &logged))
            break;
    }
    return error;
}

/* While it flushes, librdkafka's thread spins if records wait for the answer to those before them, and takes a core
 * from the broker if that is on this machine. So it flushes for a moment, and again a little later. The commit by
 * itself would look only every 10 ms whether all is flushed. */
static void flush_gently(const struct transaction *transaction)
{
    int64_t end = clock_steady_us(&clock_system) + CLOSELY_US;
    for (useconds_t pause = FLUSH_FIRST_US; rd_kafka_flush(transaction->producer, 1);) {
        if (clock_steady_us(&clock_system) > end)
            return;
        usleep(pause);
        pause = pause < FLUSH_LAST_US ? 2 * pause : pause;
    }
}

static rd_kafka_error_t *commit_transaction(struct transaction *transaction)
{
    int64_t started = clock_steady_us(&clock_system);
    rd_kafka_error_t *error;
    bool logged = false;
    FAILPOINT("score.commit");
    flush_gently(transaction);
    do
        error = rd_kafka_commit_transaction(transaction->producer, transaction_commit_ms(&transaction->setup));
    while (error && retry(transaction, error, "commit a transaction", started, &logged));
    return error;
}

void transaction_abort(struct transaction *transaction)
{
    int64_t started = clock_steady_us(&clock_system);
    rd_kafka_error_t *error = NULL;
    bool logged = false, aborts = transaction->open && transaction->setup.identity && !transaction->stale;
    FAILPOINT("score.abort");
    if (aborts)
        do {
            call_watchdog_begin(&transaction->watchdog, "the call that aborts");
            error = rd_kafka_abort_transaction(transaction->producer, CALL_MS);
            call_watchdog_end(&transaction->watchdog);
        } while (error && retry(transaction, error, "abort a transaction", started, &logged));
    transaction->open = false;
    if (error)
        make_stale(transaction, code_of(transaction, rd_kafka_error_code(error)), rd_kafka_error_string(error));
    else if (aborts) /* its markers may be skipped, and the next commit would be theirs too */
        make_stale(transaction, RD_KAFKA_RESP_ERR_NO_ERROR, "the last transaction was aborted");
    if (error)
        rd_kafka_error_destroy(error);
}

/* Rolls the transaction back for the reason in err, or ends where that is for good. */
static enum transaction_result roll_back_open(struct transaction *transaction, rd_kafka_resp_err_t code)
{
    rd_kafka_resp_err_t reason = code_of(transaction, code);
    if (reason != code || error_class_of(reason) == ERROR_CLASS_NEW_PRODUCER ||
        error_class_of(reason) == ERROR_CLASS_FENCED)
        make_stale(transaction, reason, rd_kafka_err2str(reason));
    transaction_abort(transaction);
    if (error_class_is_of_record(
            transaction->broken)) /* its numbering has a gap now, of which the next transaction would die */
        make_stale(transaction, RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_err2str(transaction->broken));
    return error_class_of(reason) == ERROR_CLASS_FATAL ? TRANSACTION_FAILED : TRANSACTION_ROLLED_BACK;
}

static enum status read_offsets(struct transaction *transaction, rd_kafka_t *consumer,
                                rd_kafka_topic_partition_list_t *list, struct error *err)
{
    enum status status;
    do {
        status = make_fresh(transaction, err);
        if (status == STATUS_OK && list->cnt)
            status = retry_unavailable(
                transaction,
                committed_offsets_read(consumer, list, transaction->setup.where, transaction->setup.stop, err), err);
    } while (status == STATUS_OK && transaction->stale);
    return status;
}

/* The commit left and no result came. A fresh producer ends the transaction either way; then it is looked up. */
static enum transaction_result learn_result(struct transaction *transaction, rd_kafka_t *consumer,
                                            const rd_kafka_topic_partition_list_t *offsets, struct error *err)
{
    const struct error reason = *err;
    rd_kafka_topic_partition_list_t *list =
        offsets ? rd_kafka_topic_partition_list_copy(offsets) : rd_kafka_topic_partition_list_new(0);
    transaction->open = false;
    enum status status = read_offsets(transaction, consumer, list, err);
    bool known = status == STATUS_OK && list->cnt, committed = known && committed_offsets_equal(offsets, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (status != STATUS_OK)
        return TRANSACTION_FAILED;
    if (known)
        log_info(transaction->setup.where, "%s: by the group's offsets, the transaction was %s",
                 transaction->setup.name, committed ? "committed" : "not committed");
    *err = reason;
    if (committed)
        committed_offsets_note(&transaction->last, consumer, offsets);
    return committed ? TRANSACTION_COMMITTED : TRANSACTION_ROLLED_BACK;
}

static rd_kafka_resp_err_t explain(const struct transaction *transaction, rd_kafka_error_t *error, const char *action,
                                   struct error *err)
{
    rd_kafka_resp_err_t code = code_of(transaction, rd_kafka_error_code(error));
    error_set(err, kafka_status(code), "%s: cannot %s: %s%s", transaction->setup.where, action,
              rd_kafka_error_string(error), connect_error_denied_hint(kafka_status(code)));
    rd_kafka_error_destroy(error);
    return code;
}

static enum transaction_result commit_exactly_once(struct transaction *transaction, rd_kafka_t *consumer,
                                                   const rd_kafka_topic_partition_list_t *offsets, struct error *err)
{
    rd_kafka_error_t *error = send_offsets(transaction, consumer, offsets);
    if (error)
        return roll_back_open(transaction, explain(transaction, error, "send the offsets", err));
    markers_commit_asked(&transaction->markers, consumer, offsets);
    error = commit_transaction(transaction);
    if (!error) {
        transaction->open = false;
        retire_repeated(transaction);
        committed_offsets_note(&transaction->last, consumer, offsets);
        markers_commit_acknowledged(&transaction->markers);
        if (needs_fresh(transaction)) /* it will look, before it aborts anything */
            return TRANSACTION_COMMITTED;
        const struct markers_client client = client_of(transaction);
        enum markers_result result = markers_await(&transaction->markers, &client, err);
        return confirmed(transaction, result, err) == STATUS_OK ? TRANSACTION_COMMITTED : TRANSACTION_FAILED;
    }
    rd_kafka_resp_err_t code = explain(transaction, error, "commit a transaction", err);
    if (transaction->broken || error_class_is_of_record(code)) { /* and so the commit never left */
        markers_commit_dropped(&transaction->markers);
        return roll_back_open(transaction, code);
    }
    make_stale(transaction, code, err->text);
    return learn_result(transaction, consumer, offsets, err);
}

static enum transaction_result commit_offsets(struct transaction *transaction, rd_kafka_t *consumer,
                                              const rd_kafka_topic_partition_list_t *offsets, struct error *err)
{
    rd_kafka_resp_err_t code = offsets && offsets->cnt ? rd_kafka_commit(consumer, offsets, 0) : 0;
    transaction->open = false;
    if (!code || code == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return TRANSACTION_COMMITTED;
    error_set(err, kafka_status(code), "%s: cannot commit offsets: %s", transaction->setup.where,
              rd_kafka_err2str(code));
    return err->status == STATUS_CONFLICT || err->status == STATUS_DENIED ? TRANSACTION_FAILED
                                                                          : TRANSACTION_ROLLED_BACK;
}

static enum transaction_result commit_at_least_once(struct transaction *transaction, rd_kafka_t *consumer,
                                                    const rd_kafka_topic_partition_list_t *offsets, struct error *err)
{
    int64_t started = clock_steady_us(&clock_system);
    for (bool logged = false; rd_kafka_flush(transaction->producer, 1000) == RD_KAFKA_RESP_ERR__TIMED_OUT;) {
        if (must_stop(transaction)) {
            error_set(err, STATUS_UNAVAILABLE, "%s: stopped before everything was acknowledged",
                      transaction->setup.where);
            return roll_back_open(transaction, RD_KAFKA_RESP_ERR__TIMED_OUT);
        }
        if (!logged && clock_steady_us(&clock_system) - started > SLOW_AFTER_US)
            log_warn(transaction->setup.where, "%s: outputs are not acknowledged yet; waiting",
                     transaction->setup.name);
        logged = logged || clock_steady_us(&clock_system) - started > SLOW_AFTER_US;
    }
    rd_kafka_resp_err_t code = code_of(transaction, transaction->broken);
    if (!code)
        return commit_offsets(transaction, consumer, offsets, err);
    error_set(err, kafka_status(code), "%s: a record was not delivered: %s", transaction->setup.where,
              rd_kafka_err2str(code));
    return roll_back_open(transaction, code);
}

static enum transaction_result commit_open(struct transaction *transaction, rd_kafka_t *consumer,
                                           const rd_kafka_topic_partition_list_t *offsets, struct error *err)
{
    rd_kafka_resp_err_t code = transaction->broken ? code_of(transaction, transaction->broken) : 0;
    if (code != transaction->broken) /* fatal is the producer, not a topic of it */
        transaction->broken_topic[0] = '\0';
    const char *topic = transaction->broken_topic;
    if (transaction->broken && transaction->setup.identity) {
        error_set(err, kafka_status(code), "%s: %s%s%s%s", transaction->setup.where, topic, topic[0] ? ": " : "",
                  rd_kafka_err2str(code), connect_error_denied_hint(kafka_status(code)));
        return roll_back_open(transaction, transaction->broken);
    }
    enum transaction_result result = transaction->setup.identity
                                         ? commit_exactly_once(transaction, consumer, offsets, err)
                                         : commit_at_least_once(transaction, consumer, offsets, err);
    if (result == TRANSACTION_COMMITTED)
        transaction->rollbacks = 0;
    return result;
}

/* What failed for good stays so: a commit while leaving the group would be of the positions alone. */
enum transaction_result transaction_commit(struct transaction *transaction, rd_kafka_t *consumer,
                                           const rd_kafka_topic_partition_list_t *offsets, struct error *err)
{
    if (transaction_begin(transaction, err) != STATUS_OK)
        return TRANSACTION_FAILED;
    enum transaction_result result = commit_open(transaction, consumer, offsets, err);
    if (result == TRANSACTION_FAILED)
        transaction->failure = *err;
    return result;
}
