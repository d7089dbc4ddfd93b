/* Aborting what hangs: see hanging_transactions.h.
 *
 * Called by kafka/transaction.c when a producer starts, on the thread of its owner. Waits for brokers as long as it
 * takes, unless the process is stopping. Must never commit anything. What it uses of librdkafka: begin_transaction,
 * produce, flush, send_offsets_to_transaction, abort_transaction, consumer_group_metadata_new,
 * consumer_group_metadata_destroy, topic_partition_list_new, topic_partition_list_add, topic_partition_list_destroy,
 * topic_partition_list_find, committed, offsets_for_times, last_error, error_code, error_string, error_is_retriable,
 * error_is_fatal, error_txn_requires_abort, error_destroy, err2str. */
#include "kafka/hanging_transactions.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/client.h"
#include "kafka/error_class.h"

enum { CALL_MS = 10000, LOOKUP_MS = 2000, BACKOFF_US = 100000, LOOK_FIRST_US = 2000, LOOK_LAST_US = 64000 };

/* How long markers may be late before records are sent again: our own are written within milliseconds; other processes
 * commit every five seconds at the most seldom. And all in all. */
enum { OWN_US = 500000, OTHERS_US = 6000000, MOST_US = 30000000, AGAIN_US = 60000000 };

struct round {
    struct hanging_transactions *hanging;
    struct markers *markers;
    const struct markers_client *client;
    const struct transaction_setup *setup; /* the client's */
};

void hanging_transactions_free(struct hanging_transactions *hanging)
{
    if (hanging->sent)
        rd_kafka_topic_partition_list_destroy(hanging->sent);
    hanging->sent = NULL;
}

static bool is_purged(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

/* For a reason that does not pass. That a broker does not know a partition does: one that has just come back says so of
 * all of them, and topics that do not exist are left out before. */
static bool is_refused(rd_kafka_resp_err_t code)
{
    return code && (error_class_of(code) == ERROR_CLASS_FATAL || error_class_is_of_record(code));
}

/* In a topic that refuses records nothing can be left. What is purged follows from another failure. */
void hanging_transactions_report(struct hanging_transactions *hanging, const rd_kafka_message_t *message)
{
    const rd_kafka_topic_partition_t *refused = message->_private;
    if (!message->err)
        return;
    if (!hanging->report || is_purged(hanging->report))
        hanging->report = message->err;
    if (!is_refused(message->err))
        return;
    hanging->refused = true;
    for (int i = 0; i < hanging->sent->cnt; i++)
        if (!strcmp(hanging->sent->elems[i].topic, refused->topic))
            hanging->sent->elems[i].opaque = NULL;
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
        call_watchdog_begin(round->client->watchdog, "the call that aborts");
        error = rd_kafka_abort_transaction(round->client->producer, CALL_MS);
        call_watchdog_end(round->client->watchdog);
        if (!error || !rd_kafka_error_is_retriable(error) || *round->setup->stop)
            return error;
        round->hanging->repeated = true;
        rd_kafka_error_destroy(error);
    }
}

static rd_kafka_error_t *send_an_offset(const struct round *round)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(round->setup->group);
    rd_kafka_topic_partition_list_add(offsets, round->setup->offsets_topic, 0)->offset = 0;
    call_watchdog_begin(round->client->watchdog, "the call that sends offsets");
    rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(round->client->producer, offsets, group, CALL_MS);
    call_watchdog_end(round->client->watchdog);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    return error;
}

/* The places of the records, one in each partition, each with its topic's handle until it is done with: a marker has
 * reached it, or the topic refuses records. */
static rd_kafka_resp_err_t list_places(const struct round *round)
{
    round->hanging->sent = rd_kafka_topic_partition_list_new(1);
    for (size_t t = 0; t < round->setup->topic_count; t++) {
        struct error err;
        int count = 0;
        const char *topic = round->setup->topics[t];
        enum status status = kafka_topic_partitions(round->client->producer, topic, &count, &err);
        if (status == STATUS_UNAVAILABLE) {
            hanging_transactions_free(round->hanging);
            return RD_KAFKA_RESP_ERR__TRANSPORT;
        }
        if (status != STATUS_OK) /* its owner says so when it writes there */
            log_debug(round->setup->where, "%s", err.text);
        for (int32_t p = 0; p < count; p++)
            rd_kafka_topic_partition_list_add(round->hanging->sent, topic, p)->opaque = round->client->topics[t];
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* A key, for topics that are compacted, and no value. */
static rd_kafka_resp_err_t send_records(const struct round *round)
{
    const char *key = round->setup->identity;
    rd_kafka_resp_err_t code = round->hanging->sent ? RD_KAFKA_RESP_ERR_NO_ERROR : list_places(round);
    for (int i = 0; !code && i < round->hanging->sent->cnt; i++) {
        rd_kafka_topic_partition_t *place = &round->hanging->sent->elems[i];
        if (place->opaque &&
            rd_kafka_produce(place->opaque, place->partition, RD_KAFKA_MSG_F_COPY, NULL, 0, key, strlen(key), place))
            code = rd_kafka_last_error();
    }
    return code;
}

/* One transaction, aborted. NULL: done, but for what is reported of the records. They come first: where one fails, the
 * call after them says why. */
static rd_kafka_error_t *abort_one(const struct round *round)
{
    struct hanging_transactions *hanging = round->hanging;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(round->client->producer);
    markers_begin(round->markers);
    hanging->report = RD_KAFKA_RESP_ERR_NO_ERROR;
    hanging->refused = false;
    if (error)
        return error;
    rd_kafka_resp_err_t code = send_records(round), flushed = rd_kafka_flush(round->client->producer, CALL_MS);
    if (!hanging->report)
        hanging->report = code ? code : flushed;
    if (round->setup->offsets_topic)
        error = send_an_offset(round);
    return first_error(error, abort_until_done(round));
}

/* Takes the error. True: once more. */
static bool is_worth_another(const struct round *round, rd_kafka_error_t *error, struct error *err)
{
    rd_kafka_resp_err_t *report = &round->hanging->report;
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : *report;
    bool denied = error && !round->hanging->refused && error_class_of(code) == ERROR_CLASS_FATAL;
    bool again = !error || rd_kafka_error_is_retriable(error) || rd_kafka_error_txn_requires_abort(error);
    again = again && !denied && !(error && rd_kafka_error_is_fatal(error)) && !*round->setup->stop;
    error_set(
        err, kafka_status(code), "%s: cannot end what earlier transactions of %s may have left open: %s%s",
        round->setup->where, round->setup->identity, error ? rd_kafka_error_string(error) : rd_kafka_err2str(code),
        denied ? "; the client needs the right to write to each output topic and to read as its group (kafka-acls)"
               : "");
    if (error)
        rd_kafka_error_destroy(error);
    if (!again && (denied || !*report))
        *report = code;
    return again;
}

/* Until nothing refuses it, or a fresh producer must follow. */
static enum status abort_all(const struct round *round, struct error *err)
{
    for (bool logged = false;; usleep(BACKOFF_US)) {
        rd_kafka_error_t *error = abort_one(round);
        /* a late request would be taken for one of the next transaction */
        round->hanging->unfinished = !in_flight_requests_all_answered(round->client->in_flight);
        if (!error && !round->hanging->report)
            return STATUS_OK;
        if (!is_worth_another(round, error, err))
            return err->status;
        if (round->hanging->unfinished)
            return STATUS_OK;
        if (!logged && !round->hanging->refused)
            log_warn(round->setup->where, "%s; trying again", err->text);
        logged = logged || !round->hanging->refused;
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

/* What is not done with: how many, how many of these our own record alone holds back, and the first. */
struct open_places {
    size_t count, own;
    const rd_kafka_topic_partition_t *first;
};

static rd_kafka_topic_partition_list_t *list_open(const rd_kafka_topic_partition_list_t *sent)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    for (int i = 0; sent && i < sent->cnt; i++)
        if (sent->elems[i].opaque)
            rd_kafka_topic_partition_list_add(list, sent->elems[i].topic, sent->elems[i].partition)->offset =
                RD_KAFKA_OFFSET_END;
    return list;
}

/* Which a marker has reached. Look-ups of this producer are read_committed as well, librdkafka's default, so the end of
 * a partition is its last stable offset; and it knows the leaders already. No answer leaves a place open. */
static struct open_places look_once(const struct round *round)
{
    struct open_places open = {0};
    rd_kafka_topic_partition_list_t *ends = list_open(round->hanging->sent);
    rd_kafka_resp_err_t code =
        ends->cnt ? rd_kafka_offsets_for_times(round->client->producer, ends, LOOKUP_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (code)
        log_debug(round->setup->where, "cannot look up the ends of output partitions: %s", rd_kafka_err2str(code));
    for (int i = 0; i < ends->cnt; i++) {
        const rd_kafka_topic_partition_t *end = &ends->elems[i];
        rd_kafka_topic_partition_t *place =
            rd_kafka_topic_partition_list_find(round->hanging->sent, end->topic, end->partition);
        enum place_state state =
            end->err ? PLACE_HIDDEN : markers_look(round->markers, end->topic, end->partition, end->offset);
        if (state == PLACE_NONE) {
            place->opaque = NULL;
            continue;
        }
        open.first = open.first ? open.first : place;
        open.own += end->err || state == PLACE_OURS;
        open.count++;
    }
    rd_kafka_topic_partition_list_destroy(ends);
    return open;
}

/* They are written after the call that aborts has returned. Says which are missing after a while. */
static struct open_places await_markers(const struct round *round)
{
    int64_t started = clock_steady_us(&clock_system);
    for (useconds_t pause = LOOK_FIRST_US;; pause = pause < LOOK_LAST_US ? 2 * pause : pause) {
        struct open_places open = look_once(round);
        int64_t waited = clock_steady_us(&clock_system) - started;
        if (!open.count || *round->setup->stop || waited > (open.own == open.count ? OWN_US : OTHERS_US))
            return open;
        usleep(pause);
    }
}

static enum status check_markers(const struct round *round, struct open_places *open, bool *ended, struct error *err)
{
    enum status status = STATUS_OK;
    *open = (struct open_places){0};
    *ended = true;
    if (round->setup->member && round->setup->offsets_topic)
        status = check_group(round, ended, err);
    if (status == STATUS_OK && *ended)
        *open = await_markers(round);
    *ended = *ended && !open->count;
    if (status == STATUS_OK && !*ended && *round->setup->stop)
        status = error_set(err, STATUS_UNAVAILABLE, "%s: stopped before what %s left open was ended",
                           round->setup->where, round->setup->identity);
    return status;
}

static void log_open(const struct round *round, const struct open_places *open, const char *action)
{
    char place[300] = "";
    if (open->first)
        snprintf(place, sizeof place, "; first of them %s [%d]", open->first->topic, (int)open->first->partition);
    log_warn(round->setup->where,
             "%s: a transaction is still open in %s (%zu output partitions%s), another process's perhaps "
             "(kafka-transactions find-hanging); %s",
             round->setup->identity, open->count ? "its topics" : "its group", open->count, place, action);
}

bool hanging_transactions_are_due(const struct hanging_transactions *hanging)
{
    return hanging->again_us && clock_steady_us(&clock_system) > hanging->again_us;
}

enum status hanging_transactions_end(struct hanging_transactions *hanging, struct markers *markers,
                                     const struct markers_client *client, struct error *err)
{
    const struct round round = {hanging, markers, client, client->setup};
    struct open_places open = {0};
    int64_t answered_us = 0, most_us = client->setup->member && !hanging->again_us ? MOST_US : 0;
    bool ended = false, logged = false;
    hanging_transactions_free(hanging);
    if (!hanging->unfinished)
        markers_clear(markers);
    atomic_store(&hanging->sending, true);
    enum status status;
    do {
        int64_t started = clock_steady_us(&clock_system);
        status = abort_all(&round, err);
        if (status == STATUS_OK && hanging->unfinished)
            break;
        if (status == STATUS_OK)
            status = check_markers(&round, &open, &ended, err);
        answered_us += kafka_up() ? clock_steady_us(&clock_system) - started : 0;
        bool last = answered_us >= most_us && !open.own;
        if (status == STATUS_OK && !ended && (last || !logged))
            log_open(&round, &open, last ? "going on without its end" : "waiting");
        logged = !ended;
        ended = ended || last;
    } while (status == STATUS_OK && !ended);
    atomic_store(&hanging->sending, false);
    hanging->again_us = open.count && ended ? clock_steady_us(&clock_system) + AGAIN_US : 0;
    hanging->unfinished = !ended;
    if (!hanging->unfinished)
        markers_clear(markers);
    return status;
}
