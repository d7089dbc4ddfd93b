/* HTTP's producer and the thread that serves its delivery reports. See prediction_log.h.
 *
 * prediction_log_send is called on the server's threads; reports come on the prediction log's own. A message that is
 * not acknowledged within HTTP_LOG_TIMEOUT is reported as lost by librdkafka itself, so every request ends. A producer
 * with a fatal error is replaced by a fresh one, after a backoff that an acknowledged record ends: an error that stays,
 * such as a missing right, must cost nobody a connection a moment. Must never wait for a broker in
 * prediction_log_send. */
#include "scorer/http/prediction_log.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"

enum {
    TURN_MS = 100,
    CLOSE_MS = 1000,
    LAST_US = 1000000, /* for what is under way, once stopped */
    BACKOFF_LEAST_US = 1000000,
    BACKOFF_MOST_US = 60000000,
};

/* One request's records on their way. The sender holds one count, so that reports cannot end it while it sends. */
struct pending_request {
    atomic_size_t left;
    atomic_bool lost;
    prediction_log_done *done;
    void *context;
};

struct prediction_log {
    const struct settings *settings;
    pthread_mutex_t mutex; /* guards the pointer while somebody produces */
    rd_kafka_t *producer;
    pthread_t thread;
    _Atomic bool stop;
    atomic_bool acknowledged; /* something was, since the last failure */
    /* The thread's own: */
    int64_t stopped_us, retry_us; /* steady clock; 0: not yet, at once */
    int64_t backoff_us;           /* 0: no failure since something was acknowledged */
    char reason[256];             /* of the last failure, which was logged */
};

void prediction_log_begin_record(struct prediction_log_records *records, struct span key)
{
    records->items = mem_grow(records->items, &records->capacity, records->count + 1, sizeof *records->items);
    struct prediction_log_record *record = &records->items[records->count];
    *record =
        (struct prediction_log_record){.key_at = records->bytes.bytes, .key_bytes = key.bytes, .has_key = key.data};
    buffer_add(&records->bytes, key.data, key.bytes);
    record->value_at = records->bytes.bytes;
}

void prediction_log_end_record(struct prediction_log_records *records)
{
    struct prediction_log_record *record = &records->items[records->count++];
    record->value_bytes = records->bytes.bytes - record->value_at;
}

void prediction_log_records_clear(struct prediction_log_records *records)
{
    buffer_free(&records->bytes);
    free(records->items);
    *records = (struct prediction_log_records){0};
}

/* Whoever gives the last count back reports. */
static void request_end(struct pending_request *request, size_t counts)
{
    if (atomic_fetch_sub(&request->left, counts) != counts)
        return;
    request->done(request->context, !request->lost);
    free(request);
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct prediction_log *prediction_log = opaque;
    struct pending_request *request = message->_private;
    if (message->err)
        request->lost = true;
    else
        prediction_log->acknowledged = true;
    request_end(request, 1);
}

static enum status make_producer(struct prediction_log *prediction_log, rd_kafka_t **out, struct error *err)
{
    const struct settings *settings = prediction_log->settings;
    char timeout[32];
    rd_kafka_conf_t *conf;
    snprintf(timeout, sizeof timeout, "%lld", (long long)(settings->http_log_timeout_us / 1000));
    const struct kafka_property fixed[] = {{"enable.idempotence", "true"},
                                           {"message.timeout.ms", timeout},
                                           {"linger.ms", "0"},
                                           {"queue.buffering.max.messages", "20000"},
                                           {NULL, NULL}};
    enum status status = kafka_conf(settings->options, RD_KAFKA_PRODUCER, fixed, &conf, err);
    if (status != STATUS_OK)
        return status;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, prediction_log);
    return kafka_client_new(RD_KAFKA_PRODUCER, &conf, out, err);
}

/* What is left in the old one is reported as lost. */
static void close_producer(rd_kafka_t *producer)
{
    rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer, CLOSE_MS);
    rd_kafka_destroy(producer);
}

/* Each reason once, however often it comes back. */
static void log_failure(struct prediction_log *prediction_log, const char *reason)
{
    if (!strcmp(reason, prediction_log->reason))
        return;
    snprintf(prediction_log->reason, sizeof prediction_log->reason, "%s", reason);
    log_error("http",
              "predictions over HTTP cannot be logged: %s; trying again with growing pauses (the principal needs Write "
              "on topic %s, and before Kafka 2.8 IdempotentWrite on the cluster)",
              reason, prediction_log->settings->output_topic);
}

static void note_recovery(struct prediction_log *prediction_log)
{
    if (!prediction_log->backoff_us || !prediction_log->acknowledged)
        return;
    log_info("http", "predictions over HTTP are logged again");
    prediction_log->backoff_us = 0;
    prediction_log->reason[0] = '\0';
}

/* True: it is time to try; then the next time is further away. */
static bool may_try(struct prediction_log *prediction_log)
{
    int64_t now_us = clock_steady_us(&clock_system), next_us = prediction_log->backoff_us * 2;
    if (now_us < prediction_log->retry_us)
        return false;
    prediction_log->backoff_us = next_us < BACKOFF_LEAST_US  ? BACKOFF_LEAST_US
                                 : next_us > BACKOFF_MOST_US ? BACKOFF_MOST_US
                                                             : next_us;
    prediction_log->retry_us = now_us + prediction_log->backoff_us;
    prediction_log->acknowledged = false;
    return true;
}

static void replace_producer(struct prediction_log *prediction_log, const char *reason)
{
    rd_kafka_t *fresh;
    struct error err;
    log_failure(prediction_log, reason);
    if (prediction_log->stop || !may_try(prediction_log))
        return;
    if (make_producer(prediction_log, &fresh, &err) != STATUS_OK) {
        log_failure(prediction_log, err.text);
        return;
    }
    pthread_mutex_lock(&prediction_log->mutex);
    rd_kafka_t *old = prediction_log->producer;
    prediction_log->producer = fresh;
    pthread_mutex_unlock(&prediction_log->mutex);
    close_producer(old);
}

static void end_waiting(struct prediction_log *prediction_log)
{
    int64_t now_us = clock_steady_us(&clock_system);
    if (!prediction_log->stopped_us)
        prediction_log->stopped_us = now_us;
    else if (now_us - prediction_log->stopped_us > LAST_US)
        rd_kafka_purge(prediction_log->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

static void *serve(void *argument)
{
    struct prediction_log *prediction_log = argument;
    char reason[256];
    while (!prediction_log->stop || rd_kafka_outq_len(prediction_log->producer) > 0) {
        rd_kafka_poll(prediction_log->producer, TURN_MS);
        note_recovery(prediction_log);
        if (rd_kafka_fatal_error(prediction_log->producer, reason, sizeof reason))
            replace_producer(prediction_log, reason);
        if (prediction_log->stop)
            end_waiting(prediction_log);
    }
    return NULL;
}

static rd_kafka_resp_err_t produce(struct prediction_log *prediction_log, const struct prediction_log_records *records,
                                   size_t index, struct pending_request *request)
{
    const struct prediction_log_record *record = &records->items[index];
    const char *data = records->bytes.data;
    rd_kafka_headers_t *headers = NULL;
    if (records->traceparent[0]) {
        headers = rd_kafka_headers_new(1);
        rd_kafka_header_add(headers, "traceparent", -1, records->traceparent, -1);
    }
    rd_kafka_resp_err_t code =
        rd_kafka_producev(prediction_log->producer, RD_KAFKA_V_TOPIC(prediction_log->settings->output_topic),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY(record->has_key ? data + record->key_at : NULL, record->key_bytes),
                          RD_KAFKA_V_VALUE((void *)(data + record->value_at), record->value_bytes),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(request), RD_KAFKA_V_END);
    if (code && headers)
        rd_kafka_headers_destroy(headers);
    return code;
}

bool prediction_log_send(struct prediction_log *prediction_log, const struct prediction_log_records *records,
                         prediction_log_done *done, void *context)
{
    struct pending_request *request = mem_zeroed(1, sizeof *request);
    size_t sent = 0;
    request->done = done;
    request->context = context;
    atomic_init(&request->left, records->count + 1);
    pthread_mutex_lock(&prediction_log->mutex);
    while (sent < records->count && !prediction_log->stop && !produce(prediction_log, records, sent, request))
        sent++;
    pthread_mutex_unlock(&prediction_log->mutex);
    if (sent == 0) {
        free(request);
        return false;
    }
    if (sent < records->count)
        request->lost = true;
    request_end(request, records->count - sent + 1);
    return true;
}

enum status prediction_log_new(const struct settings *settings, struct prediction_log **out, struct error *err)
{
    struct prediction_log *prediction_log = mem_zeroed(1, sizeof *prediction_log);
    prediction_log->settings = settings;
    enum status status = make_producer(prediction_log, &prediction_log->producer, err);
    if (status != STATUS_OK) {
        free(prediction_log);
        return status;
    }
    pthread_mutex_init(&prediction_log->mutex, NULL);
    if (pthread_create(&prediction_log->thread, NULL, serve, prediction_log)) {
        rd_kafka_destroy(prediction_log->producer);
        pthread_mutex_destroy(&prediction_log->mutex);
        free(prediction_log);
        return error_set(err, STATUS_UNAVAILABLE, "http: cannot start a thread; raise the limit of threads");
    }
    *out = prediction_log;
    return STATUS_OK;
}

void prediction_log_stop(struct prediction_log *prediction_log)
{
    if (prediction_log)
        prediction_log->stop = true;
}

void prediction_log_free(struct prediction_log *prediction_log)
{
    if (!prediction_log)
        return;
    prediction_log_stop(prediction_log);
    pthread_join(prediction_log->thread, NULL);
    rd_kafka_destroy(prediction_log->producer);
    pthread_mutex_destroy(&prediction_log->mutex);
    free(prediction_log);
}
