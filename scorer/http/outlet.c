/* HTTP's producer and the thread that serves its delivery reports. See outlet.h.
 *
 * outlet_send is called on the server's threads; reports come on the outlet's own. A message that is not acknowledged
 * within HTTP_LOG_TIMEOUT is reported as lost by librdkafka itself, so every ticket ends. A producer with a fatal
 * error is replaced by a fresh one. Must never wait for a broker in outlet_send. */
#include "scorer/http/outlet.h"

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
struct ticket {
    atomic_size_t left;
    atomic_bool lost;
    outlet_done *done;
    void *context;
};

struct outlet {
    const struct settings *settings;
    pthread_mutex_t mutex; /* guards the pointer while somebody produces */
    rd_kafka_t *producer;
    pthread_t thread;
    _Atomic bool stop;
};

void outlet_begin_record(struct outlet_records *records, struct span key)
{
    records->items = mem_grow(records->items, &records->capacity, records->count + 1, sizeof *records->items);
    struct outlet_record *record = &records->items[records->count];
    *record = (struct outlet_record){.key_at = records->bytes.bytes, .key_bytes = key.bytes, .has_key = key.data};
    buffer_add(&records->bytes, key.data, key.bytes);
    record->value_at = records->bytes.bytes;
}

void outlet_end_record(struct outlet_records *records)
{
    struct outlet_record *record = &records->items[records->count++];
    record->value_bytes = records->bytes.bytes - record->value_at;
}

void outlet_records_clear(struct outlet_records *records)
{
    buffer_free(&records->bytes);
    free(records->items);
    *records = (struct outlet_records){0};
}

/* Whoever gives the last count back reports. */
static void ticket_end(struct ticket *ticket, size_t counts)
{
    if (atomic_fetch_sub(&ticket->left, counts) != counts)
        return;
    ticket->done(ticket->context, !ticket->lost);
    free(ticket);
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer, (void)opaque;
    struct ticket *ticket = message->_private;
    if (message->err)
        ticket->lost = true;
    ticket_end(ticket, 1);
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

static void replace_producer(struct outlet *outlet, const char *reason)
{
    rd_kafka_t *fresh;
    struct error err;
    log_warn("http", "the producer of logged predictions cannot go on: %s; making a new one", reason);
    if (make_producer(outlet->settings, &fresh, &err) != STATUS_OK) {
        log_error("http", "%s", err.text);
        return;
    }
    pthread_mutex_lock(&outlet->mutex);
    rd_kafka_t *old = outlet->producer;
    outlet->producer = fresh;
    pthread_mutex_unlock(&outlet->mutex);
    close_producer(old);
}

static void *serve(void *argument)
{
    struct outlet *outlet = argument;
    char reason[256];
    while (!outlet->stop || rd_kafka_outq_len(outlet->producer) > 0) {
        rd_kafka_poll(outlet->producer, TURN_MS);
        if (rd_kafka_fatal_error(outlet->producer, reason, sizeof reason))
            replace_producer(outlet, reason);
    }
    return NULL;
}

static rd_kafka_resp_err_t produce(struct outlet *outlet, const struct outlet_records *records, size_t index,
                                   struct ticket *ticket)
{
    const struct outlet_record *record = &records->items[index];
    const char *data = records->bytes.data;
    rd_kafka_headers_t *headers = NULL;
    if (records->traceparent[0]) {
        headers = rd_kafka_headers_new(1);
        rd_kafka_header_add(headers, "traceparent", -1, records->traceparent, -1);
    }
    rd_kafka_resp_err_t code = rd_kafka_producev(
        outlet->producer, RD_KAFKA_V_TOPIC(outlet->settings->output_topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(record->has_key ? data + record->key_at : NULL, record->key_bytes),
        RD_KAFKA_V_VALUE((void *)(data + record->value_at), record->value_bytes), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE(ticket), RD_KAFKA_V_END);
    if (code && headers)
        rd_kafka_headers_destroy(headers);
    return code;
}

bool outlet_send(struct outlet *outlet, const struct outlet_records *records, outlet_done *done, void *context)
{
    struct ticket *ticket = mem_zeroed(1, sizeof *ticket);
    size_t sent = 0;
    ticket->done = done;
    ticket->context = context;
    atomic_init(&ticket->left, records->count + 1);
    pthread_mutex_lock(&outlet->mutex);
    while (sent < records->count && !outlet->stop && !produce(outlet, records, sent, ticket))
        sent++;
    pthread_mutex_unlock(&outlet->mutex);
    if (sent == 0) {
        free(ticket);
        return false;
    }
    if (sent < records->count)
        ticket->lost = true;
    ticket_end(ticket, records->count - sent + 1);
    return true;
}

enum status outlet_new(const struct settings *settings, struct outlet **out, struct error *err)
{
    rd_kafka_t *producer;
    enum status status = make_producer(settings, &producer, err);
    if (status != STATUS_OK)
        return status;
    struct outlet *outlet = mem_zeroed(1, sizeof *outlet);
    outlet->settings = settings;
    outlet->producer = producer;
    pthread_mutex_init(&outlet->mutex, NULL);
    if (pthread_create(&outlet->thread, NULL, serve, outlet)) {
        rd_kafka_destroy(producer);
        pthread_mutex_destroy(&outlet->mutex);
        free(outlet);
        return error_set(err, STATUS_UNAVAILABLE, "http: cannot start a thread; raise the limit of threads");
    }
    *out = outlet;
    return STATUS_OK;
}

void outlet_free(struct outlet *outlet)
{
    if (!outlet)
        return;
    outlet->stop = true;
    pthread_join(outlet->thread, NULL);
    rd_kafka_destroy(outlet->producer);
    pthread_mutex_destroy(&outlet->mutex);
    free(outlet);
}
