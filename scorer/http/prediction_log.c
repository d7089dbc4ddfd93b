/* HTTP's producer and the thread that serves its delivery reports. See prediction_log.h.
 *
 * prediction_log_send is called on the server's threads; reports come on the prediction log's own. A message that is
 * not acknowledged within HTTP_LOG_TIMEOUT is reported as lost by librdkafka itself, so every request ends. A producer
 * with a fatal error is replaced by a fresh one. Must never wait for a broker in prediction_log_send. */
#include "scorer/http/prediction_log.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"

enum { TURN_MS = 100, CLOSE_MS = 1000 };

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
    (void)producer, (void)opaque;
    struct pending_request *request = message->_private;
    if (message->err)
        request->lost = true;
    request_end(request, 1);
}

static enum status make_producer(const struct settings *settings, rd_kafka_t **out, struct error *err)
{
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
    return kafka_client_new(RD_KAFKA_PRODUCER, &conf, out, err);
}

/* What is left in the old one is reported as lost. */
static void close_producer(rd_kafka_t *producer)
{
    rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer, CLOSE_MS);
    rd_kafka_destroy(producer);
}

static void replace_producer(struct prediction_log *prediction_log, const char *reason)
{
    rd_kafka_t *fresh;
    struct error err;
    log_warn("http", "the producer of logged predictions cannot go on: %s; making a new one", reason);
    if (make_producer(prediction_log->settings, &fresh, &err) != STATUS_OK) {
        log_error("http", "%s", err.text);
        return;
    }
    pthread_mutex_lock(&prediction_log->mutex);
    rd_kafka_t *old = prediction_log->producer;
    prediction_log->producer = fresh;
    pthread_mutex_unlock(&prediction_log->mutex);
    close_producer(old);
}

static void *serve(void *argument)
{
    struct prediction_log *prediction_log = argument;
    char reason[256];
    while (!prediction_log->stop || rd_kafka_outq_len(prediction_log->producer) > 0) {
        rd_kafka_poll(prediction_log->producer, TURN_MS);
        if (rd_kafka_fatal_error(prediction_log->producer, reason, sizeof reason))
            replace_producer(prediction_log, reason);
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
    rd_kafka_t *producer;
    enum status status = make_producer(settings, &producer, err);
    if (status != STATUS_OK)
        return status;
    struct prediction_log *prediction_log = mem_zeroed(1, sizeof *prediction_log);
    prediction_log->settings = settings;
    prediction_log->producer = producer;
    pthread_mutex_init(&prediction_log->mutex, NULL);
    if (pthread_create(&prediction_log->thread, NULL, serve, prediction_log)) {
        rd_kafka_destroy(producer);
        pthread_mutex_destroy(&prediction_log->mutex);
        free(prediction_log);
        return error_set(err, STATUS_UNAVAILABLE, "http: cannot start a thread; raise the limit of threads");
    }
    *out = prediction_log;
    return STATUS_OK;
}

void prediction_log_free(struct prediction_log *prediction_log)
{
    if (!prediction_log)
        return;
    prediction_log->stop = true;
    pthread_join(prediction_log->thread, NULL);
    rd_kafka_destroy(prediction_log->producer);
    pthread_mutex_destroy(&prediction_log->mutex);
    free(prediction_log);
}
