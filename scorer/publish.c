/* Producing and committing. See publish.h.
 *
 * Thread: one score loop's. May block in produce (its queue is full while brokers are away), in publish_commit and in
 * publish_new; all of them wait for brokers as long as it takes, unless the process is stopping and the supervisor's
 * deadline ends it. Must never commit offsets of records that were not acknowledged, and never start a transaction
 * while one is open. */
#include "scorer/publish.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/dead_letter.h"
#include "kafka/client.h"

enum { CALL_MS = 10000, FULL_WAIT_MS = 10, SLOW_AFTER_US = 3000000, BACKOFF_US = 100000 };

static const char trace_header[] = "traceparent";
enum { TRACE_BYTES_MAX = 256 };

/* How much of its source a dead letter carries: less where the broker found more too large. */
enum extent { EXTENT_WHOLE, EXTENT_NO_VALUE, EXTENT_BARE };

/* A source message whose record the broker found too large. Found by sending one at a time. */
struct mark {
    int32_t partition;
    int64_t offset;
    enum extent dead_letter; /* what is left to try */
};

struct publish {
    const struct settings *settings;
    unsigned worker;
    const _Atomic bool *stop;
    rd_kafka_t *producer;
    rd_kafka_topic_t *output, *dead, *outcome;
    bool open;         /* something was published since the last commit */
    int64_t opened_us; /* steady clock */
    bool broken;       /* a record of the open work was refused or lost */
    rd_kafka_resp_err_t broken_code;
    char broken_text[256];
    bool too_large;         /* … because of its size */
    uint64_t published;     /* records since the work was opened */
    uint64_t careful_left;  /* so many records go out one at a time: finds the one that is too large */
    int64_t transaction_us; /* transaction.timeout.ms: after that the coordinator aborts by itself */
    struct mark *marks;     /* of the work to be done again */
    size_t mark_count, mark_capacity;
};

/* Marks */

/* The source of a record travels with it as its opaque pointer: 16 bits partition, 48 bits offset. */
static void *opaque_of(const struct intake_message *source)
{
    return (void *)(uintptr_t)((uint64_t)(uint16_t)source->partition << 48 |
                               ((uint64_t)source->offset & 0xffffffffffff));
}

static struct mark *mark_find(struct publish *publish, int32_t partition, int64_t offset)
{
    for (size_t i = 0; i < publish->mark_count; i++)
        if (publish->marks[i].partition == partition && publish->marks[i].offset == offset)
            return &publish->marks[i];
    return NULL;
}

static void mark_too_large(struct publish *publish, void *opaque, bool dead_letter)
{
    uint64_t packed = (uint64_t)(uintptr_t)opaque;
    int32_t partition = (int32_t)(packed >> 48);
    int64_t offset = (int64_t)(packed & 0xffffffffffff);
    struct mark *mark = mark_find(publish, partition, offset);
    if (!mark) {
        if (publish->mark_count == publish->mark_capacity) {
            publish->mark_capacity = publish->mark_capacity * 2 + 16;
            publish->marks = mem_resize(publish->marks, publish->mark_capacity, sizeof *publish->marks);
        }
        mark = &publish->marks[publish->mark_count++];
        *mark = (struct mark){.partition = partition, .offset = offset};
    }
    if (dead_letter && mark->dead_letter < EXTENT_BARE)
        mark->dead_letter++;
}

static void break_off(struct publish *publish, rd_kafka_resp_err_t code)
{
    if (!publish->broken || publish->broken_code == RD_KAFKA_RESP_ERR__STATE) { /* that one follows from another */
        publish->broken_code = code;
        snprintf(publish->broken_text, sizeof publish->broken_text, "%s", rd_kafka_err2str(code));
    }
    publish->broken = true;
}

/* Only failures come here (delivery.report.only.error). Within rd_kafka_poll, flush, commit and abort. */
static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct publish *publish = opaque;
    if (!message->err)
        return;
    if (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        return; /* of an aborted transaction */
    bool size = kafka_status(message->err) == STATUS_LIMIT;
    break_off(publish, message->err);
    publish->too_large |= size;
    if (size && publish->careful_left)
        mark_too_large(publish, message->_private, message->rkt == publish->dead);
}

/* Start and end */

static enum status make_producer(struct publish *publish, struct error *err)
{
    const struct settings *settings = publish->settings;
    char identity[640], timeout[32];
    size_t bytes = sizeof timeout;
    snprintf(identity, sizeof identity, "%s-%s-%u", settings->group_id, settings->instance_id, publish->worker);
    struct kafka_property fixed[] = {
        {"enable.idempotence", "true"},
        {"delivery.report.only.error", "true"},
        {settings->exactly_once ? "transactional.id" : NULL, identity},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf;
    enum status status = kafka_conf(settings->options, RD_KAFKA_PRODUCER, fixed, &conf, err);
    if (status != STATUS_OK)
        return status;
    if (rd_kafka_conf_get(conf, "transaction.timeout.ms", timeout, &bytes) == RD_KAFKA_CONF_OK)
        publish->transaction_us = atoll(timeout) * 1000;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, publish);
    return kafka_client_new(RD_KAFKA_PRODUCER, &conf, &publish->producer, err);
}

static enum status check_topics(struct publish *publish, int input_partitions, struct error *err)
{
    const struct settings *settings = publish->settings;
    const char *const names[] = {settings->output_topic, settings->dlq_topic, settings->outcome_topic};
    rd_kafka_topic_t **const topics[] = {&publish->output, &publish->dead, &publish->outcome};
    for (size_t i = 0; i < 3; i++) {
        int count = 0;
        enum status status = kafka_topic_partitions(publish->producer, names[i], &count, err);
        if (status != STATUS_OK)
            return status;
        if (topics[i] == &publish->dead && count < input_partitions)
            return error_set(err, STATUS_INVALID,
                             "topic %s has %d partitions and %s has %d, but a dead letter keeps its "
                             "partition's number: kafka-topics --alter --topic %s --partitions %d",
                             names[i], count, settings->input_topic, input_partitions, names[i], input_partitions);
        *topics[i] = rd_kafka_topic_new(publish->producer, names[i], NULL);
        if (!*topics[i])
            return error_set(err, STATUS_INVALID, "topic %s: %s", names[i], rd_kafka_err2str(rd_kafka_last_error()));
    }
    return STATUS_OK;
}

/* Fences earlier producers of this identity and waits for their transactions to end. */
static enum status start_transactions(struct publish *publish, struct error *err)
{
    for (bool told = false;; usleep(BACKOFF_US)) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(publish->producer, CALL_MS);
        if (!error)
            return STATUS_OK;
        bool again = rd_kafka_error_is_retriable(error) && !*publish->stop;
        enum status status = kafka_status(rd_kafka_error_code(error));
        error_set(err, status, "score: cannot start transactions: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (!again)
            return status;
        if (!told)
            log_warn("score", "%s; trying again", err->text);
        told = true;
    }
}

static void close_producer(struct publish *publish)
{
    rd_kafka_topic_t **const topics[] = {&publish->output, &publish->dead, &publish->outcome};
    for (size_t i = 0; i < 3; i++) {
        if (*topics[i])
            rd_kafka_topic_destroy(*topics[i]);
        *topics[i] = NULL;
    }
    if (!publish->producer)
        return;
    rd_kafka_purge(publish->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(publish->producer, 0);
    rd_kafka_destroy(publish->producer);
    publish->producer = NULL;
}

static enum status open_producer(struct publish *publish, int input_partitions, struct error *err)
{
    enum status status = make_producer(publish, err);
    if (status == STATUS_OK)
        status = kafka_wait_for_broker(publish->producer, "score", 0, publish->stop, err);
    if (status == STATUS_OK)
        status = check_topics(publish, input_partitions, err);
    if (status == STATUS_OK && publish->settings->exactly_once)
        status = start_transactions(publish, err);
    return status;
}

enum status publish_new(const struct settings *settings, unsigned worker, int input_partitions,
                        const _Atomic bool *stop, struct publish **out, struct error *err)
{
    struct publish *publish = mem_zeroed(1, sizeof *publish);
    *publish = (struct publish){.settings = settings, .worker = worker, .stop = stop};
    enum status status = open_producer(publish, input_partitions, err);
    if (status != STATUS_OK) {
        close_producer(publish);
        free(publish);
        return status;
    }
    *out = publish;
    return STATUS_OK;
}

void publish_free(struct publish *publish)
{
    struct error err;
    if (!publish)
        return;
    if (publish->open && publish->settings->exactly_once && publish_abort(publish, &err) == PUBLISH_FAILED)
        log_warn("score", "%s", err.text);
    close_producer(publish);
    free(publish->marks);
    free(publish);
}

/* Producing */

static bool begin(struct publish *publish)
{
    if (publish->open)
        return true;
    publish->opened_us = clock_steady_us(&clock_system);
    publish->open = true;
    publish->broken = publish->too_large = false;
    publish->published = 0;
    if (!publish->settings->exactly_once)
        return true;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(publish->producer);
    if (!error)
        return true;
    break_off(publish, rd_kafka_error_code(error));
    rd_kafka_error_destroy(error);
    return false;
}

static void flush_one(struct publish *publish)
{
    while (rd_kafka_flush(publish->producer, CALL_MS) == RD_KAFKA_RESP_ERR__TIMED_OUT && !*publish->stop)
        ;
    if (!publish->broken)
        publish->careful_left--;
}

/* What became of a produce call. True: done with (sent, or the work is broken). False: too large. */
static bool settle(struct publish *publish, rd_kafka_resp_err_t code)
{
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return false;
    if (code)
        break_off(publish, code);
    else
        publish->published++;
    if (!code && publish->careful_left)
        flush_one(publish);
    return true;
}

/* The queue is full while brokers are slow or away: wait here, which is what slows the intake down. */
static void wait_for_room(struct publish *publish)
{
    rd_kafka_poll(publish->producer, FULL_WAIT_MS);
}

static bool is_marked(struct publish *publish, const struct intake_message *source)
{
    return publish->mark_count && mark_find(publish, source->partition, source->offset);
}

/* The plain form, without headers: the hot path. */
static bool produce(struct publish *publish, rd_kafka_topic_t *topic, const struct intake_message *source,
                    struct span key, struct span value)
{
    if (is_marked(publish, source))
        return false;
    if (!begin(publish) || publish->broken)
        return true;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)value.data, value.bytes,
                            key.data, key.bytes, opaque_of(source))) {
        code = rd_kafka_last_error();
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || publish->broken)
            break;
        code = RD_KAFKA_RESP_ERR_NO_ERROR;
        wait_for_room(publish);
    }
    return settle(publish, code);
}

static int64_t timestamp_of(const struct intake_message *source)
{
    rd_kafka_timestamp_type_t kind;
    int64_t timestamp = rd_kafka_message_timestamp(source->origin, &kind);
    return timestamp > 0 ? timestamp : 0;
}

/* The form with headers and timestamp (0: now); takes the headers. */
static bool produce_full(struct publish *publish, rd_kafka_topic_t *topic, int32_t partition,
                         const struct intake_message *source, struct span key, struct span value, int64_t timestamp,
                         rd_kafka_headers_t *headers)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__STATE;
    while (begin(publish) && !publish->broken) {
        code = rd_kafka_producev(publish->producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data, key.bytes),
                                 RD_KAFKA_V_VALUE((void *)value.data, value.bytes), RD_KAFKA_V_HEADERS(headers),
                                 RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_OPAQUE(opaque_of(source)), RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || publish->broken)
            break;
        wait_for_room(publish);
    }
    if (code)
        rd_kafka_headers_destroy(headers);
    return settle(publish, code);
}

static rd_kafka_headers_t *headers_of(const struct intake_message *source, size_t more)
{
    rd_kafka_headers_t *headers;
    if (!rd_kafka_message_headers(source->origin, &headers))
        return rd_kafka_headers_copy(headers);
    return rd_kafka_headers_new(more);
}

/* The event's trace goes on in its prediction. Costs next to nothing where a message has no headers; NULL: none. */
static rd_kafka_headers_t *trace_of(const struct intake_message *source)
{
    rd_kafka_headers_t *all, *headers;
    const void *value = NULL;
    size_t bytes = 0;
    if (rd_kafka_message_headers(source->origin, &all) || rd_kafka_header_get_last(all, trace_header, &value, &bytes) ||
        !value || bytes > TRACE_BYTES_MAX)
        return NULL;
    headers = rd_kafka_headers_new(1);
    rd_kafka_header_add(headers, trace_header, -1, value, (ssize_t)bytes);
    return headers;
}

bool publish_prediction(struct publish *publish, const struct intake_message *source, struct span key,
                        struct span value)
{
    rd_kafka_headers_t *trace = is_marked(publish, source) ? NULL : trace_of(source);
    if (trace)
        return produce_full(publish, publish->output, RD_KAFKA_PARTITION_UA, source, key, value, 0, trace);
    return produce(publish, publish->output, source, key, value);
}

bool publish_erasure(struct publish *publish, const struct intake_message *source, struct span employee_id)
{
    return produce(publish, publish->output, source, employee_id, SPAN_NULL);
}

bool publish_outcome(struct publish *publish, const struct intake_message *source, struct span key)
{
    if (is_marked(publish, source))
        return false;
    return produce_full(publish, publish->outcome, RD_KAFKA_PARTITION_UA, source, key, source->value,
                        timestamp_of(source), headers_of(source, 4));
}

/* One of each name: an event that somebody sent again may carry those of its last failure. */
static void put_header(rd_kafka_headers_t *headers, enum dead_letter_header header, const char *text)
{
    const char *name = dead_letter_header_name(header);
    rd_kafka_header_remove(headers, name);
    rd_kafka_header_add(headers, name, -1, text, (ssize_t)strlen(text));
}

/* How often, and since when: kept over replays, whoever sends the event again with its headers. */
static void put_history(rd_kafka_headers_t *headers, const struct intake_message *source)
{
    char number[32], now[DEAD_LETTER_TIME_BYTES];
    rd_kafka_headers_t *before;
    const void *data = NULL;
    size_t bytes = 0;
    int64_t attempt = 0;
    if (!rd_kafka_message_headers(source->origin, &before) &&
        !rd_kafka_header_get_last(before, dead_letter_header_name(DEAD_LETTER_ATTEMPT), &data, &bytes))
        attempt = dead_letter_number((struct span){data, bytes}, 0);
    snprintf(number, sizeof number, "%" PRId64, attempt < INT32_MAX ? attempt + 1 : attempt);
    put_header(headers, DEAD_LETTER_ATTEMPT, number);
    if (!rd_kafka_header_get_last(headers, dead_letter_header_name(DEAD_LETTER_FIRST_FAILED_AT), &data, &bytes))
        return;
    dead_letter_time(clock_real_us(&clock_system), now);
    put_header(headers, DEAD_LETTER_FIRST_FAILED_AT, now);
}

/* Kafka Connect's names, and ours. Never a payload value. */
static rd_kafka_headers_t *dead_letter_headers(const struct publish *publish, const struct intake_message *source,
                                               enum event_code code, const char *field, const char *text,
                                               enum extent extent)
{
    char number[32], class[64], id[DEAD_LETTER_ID_BYTES];
    rd_kafka_headers_t *headers = extent == EXTENT_BARE ? rd_kafka_headers_new(12) : headers_of(source, 12);
    put_header(headers, DEAD_LETTER_TOPIC, publish->settings->input_topic);
    snprintf(number, sizeof number, "%d", source->partition);
    put_header(headers, DEAD_LETTER_PARTITION, number);
    snprintf(number, sizeof number, "%lld", (long long)source->offset);
    put_header(headers, DEAD_LETTER_OFFSET, number);
    put_header(headers, DEAD_LETTER_STAGE, "score");
    snprintf(class, sizeof class, "attrition.%s", event_code_name(code));
    put_header(headers, DEAD_LETTER_CLASS, class);
    put_header(headers, DEAD_LETTER_MESSAGE, text);
    put_header(headers, DEAD_LETTER_CODE, event_code_name(code));
    rd_kafka_header_remove(headers, dead_letter_header_name(DEAD_LETTER_FIELD));
    if (field)
        put_header(headers, DEAD_LETTER_FIELD, field);
    rd_kafka_header_remove(headers, dead_letter_header_name(DEAD_LETTER_SCHEMA_ID));
    if (dead_letter_schema_id(source->schema_header.data ? source->schema_header : source->value, id))
        put_header(headers, DEAD_LETTER_SCHEMA_ID, id);
    put_history(headers, source);
    return headers;
}

static bool produce_dead_letter(struct publish *publish, const struct intake_message *source, enum event_code code,
                                const char *field, const char *text, enum extent extent)
{
    char told[320];
    snprintf(told, sizeof told, "%s", text);
    if (extent != EXTENT_WHOLE)
        snprintf(told, sizeof told, "%s (%s left out: too large for this topic; %zu bytes of value, %zu of key)", text,
                 extent == EXTENT_BARE ? "value, key and headers are" : "the value is", source->value.bytes,
                 source->key.bytes);
    return produce_full(publish, publish->dead, source->partition, source,
                        extent == EXTENT_BARE ? SPAN_NULL : source->key,
                        extent == EXTENT_WHOLE ? source->value : SPAN_NULL, timestamp_of(source),
                        dead_letter_headers(publish, source, code, field, told, extent));
}

void publish_dead_letter(struct publish *publish, const struct intake_message *source, enum event_code code,
                         const char *field, const char *text)
{
    const struct mark *mark = publish->mark_count ? mark_find(publish, source->partition, source->offset) : NULL;
    for (enum extent extent = mark ? mark->dead_letter : EXTENT_WHOLE; extent <= EXTENT_BARE; extent++)
        if (produce_dead_letter(publish, source, code, field, text, extent))
            return;
    break_off(publish, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
}

/* Committing */

enum verdict { VERDICT_OK, VERDICT_ABORT, VERDICT_FATAL };

static enum verdict judge(rd_kafka_error_t *error, const char *action, struct error *err)
{
    enum verdict verdict =
        rd_kafka_error_txn_requires_abort(error) && !rd_kafka_error_is_fatal(error) ? VERDICT_ABORT : VERDICT_FATAL;
    error_set(err, kafka_status(rd_kafka_error_code(error)), "score: cannot %s: %s", action,
              rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return verdict;
}

/* True: try again. Says so once when it takes long. */
static bool retry(struct publish *publish, rd_kafka_error_t *error, const char *action, int64_t started_us, bool *told)
{
    if (!rd_kafka_error_is_retriable(error))
        return false;
    if (!*told && clock_steady_us(&clock_system) - started_us > SLOW_AFTER_US) {
        log_warn("score", "worker %u cannot %s yet: %s; trying until it succeeds", publish->worker, action,
                 rd_kafka_error_string(error));
        *told = true;
    }
    rd_kafka_error_destroy(error);
    return true;
}

static enum verdict send_offsets(struct publish *publish, struct intake *intake, struct error *err)
{
    int64_t started = clock_steady_us(&clock_system);
    rd_kafka_topic_partition_list_t *offsets = intake_offsets(intake);
    rd_kafka_error_t *error = NULL;
    if (!offsets)
        return VERDICT_OK;
    for (bool told = false;;) {
        rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(intake_client(intake));
        error = rd_kafka_send_offsets_to_transaction(publish->producer, offsets, group, CALL_MS);
        rd_kafka_consumer_group_metadata_destroy(group);
        if (!error || !retry(publish, error, "send the offsets", started, &told))
            break;
    }
    rd_kafka_topic_partition_list_destroy(offsets);
    return error ? judge(error, "send the offsets", err) : VERDICT_OK;
}

static enum verdict commit_transaction(struct publish *publish, struct error *err)
{
    int64_t started = clock_steady_us(&clock_system);
    rd_kafka_error_t *error;
    bool told = false;
    do {
        error = rd_kafka_commit_transaction(publish->producer, CALL_MS);
    } while (error && retry(publish, error, "commit a transaction", started, &told));
    return error ? judge(error, "commit a transaction", err) : VERDICT_OK;
}

/* The coordinator aborts a transaction that is older than its time-out and fences us by it. That is not another
 * process: a fresh producer goes on. A fence earlier than that is another process with our identity, and it shall win.
 */
static enum publish_result reopen(struct publish *publish, struct error *err)
{
    int64_t age_us = clock_steady_us(&clock_system) - publish->opened_us;
    if (err->status != STATUS_CONFLICT || age_us < publish->transaction_us) {
        if (err->status == STATUS_CONFLICT)
            error_set(err, STATUS_CONFLICT,
                      "score: fenced: another process runs as instance %s of group %s; it goes on, this "
                      "one ends",
                      publish->settings->instance_id, publish->settings->group_id);
        return PUBLISH_FAILED;
    }
    log_warn("score", "worker %u: the broker gave up a transaction %lld s old; its work is done again", publish->worker,
             (long long)(age_us / 1000000));
    close_producer(publish);
    publish->open = false;
    return open_producer(publish, 0, err) == STATUS_OK ? PUBLISH_RETURNED : PUBLISH_FAILED;
}

static enum publish_result give_back(struct publish *publish)
{
    publish->open = false;
    if (publish->too_large && publish->careful_left < publish->published)
        publish->careful_left = publish->published;
    return PUBLISH_RETURNED;
}

enum publish_result publish_abort(struct publish *publish, struct error *err)
{
    int64_t started = clock_steady_us(&clock_system);
    rd_kafka_error_t *error = NULL;
    bool told = false;
    if (!publish->open || !publish->settings->exactly_once)
        return give_back(publish);
    do {
        error = rd_kafka_abort_transaction(publish->producer, CALL_MS);
    } while (error && retry(publish, error, "abort a transaction", started, &told));
    if (!error)
        return give_back(publish);
    judge(error, "abort a transaction", err);
    return reopen(publish, err);
}

/* Told afterwards: the abort brings the delivery reports, and with them the reason behind "erroneous state". */
static enum publish_result abort_because(struct publish *publish, const char *reason, struct error *err)
{
    char kept[256];
    bool careful = publish->careful_left > 0;
    snprintf(kept, sizeof kept, "%s", reason);
    enum publish_result result = publish_abort(publish, err);
    if (careful && (publish->too_large || (publish->broken && publish->broken_code == RD_KAFKA_RESP_ERR__STATE)))
        log_debug("score", "worker %u: looking for records that are too large: %s", publish->worker,
                  publish->broken_text);
    else if (publish->too_large)
        log_warn("score",
                 "worker %u: the broker finds a record or batch too large; doing this work again one by one. If this "
                 "repeats, set -X batch.size below the topic's max.message.bytes",
                 publish->worker);
    else
        log_warn("score", "worker %u: work is given back and done again: %s", publish->worker,
                 publish->broken ? publish->broken_text : kept);
    return result;
}

/* A record could not be produced: with the producer itself gone a fresh one is needed, else an abort does. */
static enum publish_result give_up_work(struct publish *publish, struct error *err)
{
    char fatal[256];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(publish->producer, fatal, sizeof fatal);
    if (!code)
        return abort_because(publish, publish->broken_text, err);
    error_set(err, kafka_status(code), "score: the producer cannot go on: %s", fatal);
    return reopen(publish, err);
}

static enum publish_result commit_exactly_once(struct publish *publish, struct intake *intake, struct error *err)
{
    if (!begin(publish) || publish->broken)
        return give_up_work(publish, err);
    if (rd_kafka_assignment_lost(intake_client(intake))) /* the broker would refuse the offsets */
        return abort_because(publish, "its partitions are another process's already", err);
    enum verdict verdict = send_offsets(publish, intake, err);
    if (verdict == VERDICT_OK)
        verdict = commit_transaction(publish, err);
    if (verdict == VERDICT_ABORT)
        return abort_because(publish, publish->broken ? publish->broken_text : err->text, err);
    return verdict == VERDICT_OK ? PUBLISH_COMMITTED : reopen(publish, err);
}

static enum publish_result commit_offsets(struct publish *publish, struct intake *intake, struct error *err)
{
    rd_kafka_topic_partition_list_t *offsets = intake_offsets(intake);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (offsets) {
        code = rd_kafka_commit(intake_client(intake), offsets, 0);
        rd_kafka_topic_partition_list_destroy(offsets);
    }
    if (!code || code == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return PUBLISH_COMMITTED;
    if (kafka_status(code) == STATUS_CONFLICT || kafka_status(code) == STATUS_DENIED) {
        error_set(err, kafka_status(code), "score: cannot commit offsets: %s", rd_kafka_err2str(code));
        return PUBLISH_FAILED;
    }
    return abort_because(publish, rd_kafka_err2str(code), err);
}

static enum publish_result commit_at_least_once(struct publish *publish, struct intake *intake, struct error *err)
{
    int64_t started = clock_steady_us(&clock_system);
    char fatal[256];
    for (bool told = false; rd_kafka_flush(publish->producer, 1000) == RD_KAFKA_RESP_ERR__TIMED_OUT;) {
        if (!told && clock_steady_us(&clock_system) - started > SLOW_AFTER_US)
            log_warn("score", "worker %u: outputs are not acknowledged yet; waiting", publish->worker);
        told = told || clock_steady_us(&clock_system) - started > SLOW_AFTER_US;
    }
    if (rd_kafka_fatal_error(publish->producer, fatal, sizeof fatal)) {
        error_set(err, STATUS_CONFLICT, "score: the producer cannot go on: %s", fatal);
        return PUBLISH_FAILED;
    }
    if (publish->broken)
        return abort_because(publish, publish->broken_text, err);
    return commit_offsets(publish, intake, err);
}

enum publish_result publish_commit(struct publish *publish, struct intake *intake, struct error *err)
{
    enum publish_result result = publish->settings->exactly_once ? commit_exactly_once(publish, intake, err)
                                                                 : commit_at_least_once(publish, intake, err);
    if (result == PUBLISH_COMMITTED) {
        publish->open = false;
        if (!publish->careful_left)
            publish->mark_count = 0;
    }
    return result;
}
