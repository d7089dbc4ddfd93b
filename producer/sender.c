/* The producer's Kafka client: see sender.h. Called by backfill and generate through delivery.c, on one thread.
 * Must never take a message as delivered without its report. */
#include "producer/sender.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "kafka/client.h"

enum { WAIT_MS = 100, STOP_WAIT_US = 10 * 1000 * 1000 };

struct sender {
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    const _Atomic bool *stop;
    sender_failed_fn *on_failed;
    void *context;
    struct sender_counts counts;
};

static void count_failed(struct sender *sender, uintptr_t tag, rd_kafka_resp_err_t code)
{
    sender->counts.failed++;
    if (sender->on_failed)
        sender->on_failed(sender->context, tag, rd_kafka_err2str(code));
}

static void sender_on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct sender *sender = opaque;
    if (message->err)
        count_failed(sender, (uintptr_t)message->_private, message->err);
    else
        sender->counts.acknowledged++;
}

static enum status make_client(const struct options *options, struct sender *sender, struct error *err)
{
    static const struct kafka_property fixed[] = {{"enable.idempotence", "true"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    if (kafka_conf(options, RD_KAFKA_PRODUCER, fixed, &conf, err) != STATUS_OK)
        return err->status;
    rd_kafka_conf_set_opaque(conf, sender);
    rd_kafka_conf_set_dr_msg_cb(conf, sender_on_delivery);
    return kafka_client_new(RD_KAFKA_PRODUCER, &conf, &sender->client, err);
}

/* A broker may become unavailable while it is asked for the topic: that is waited for as at the start. */
static enum status find_topic(struct sender *sender, const char *topic, struct error *err)
{
    int partitions = 0;
    for (;;) {
        enum status status = kafka_wait_for_broker(sender->client, "producer", 0, sender->stop, err);
        if (status == STATUS_OK)
            status = kafka_topic_partitions(sender->client, topic, &partitions, err);
        if (status != STATUS_UNAVAILABLE || *sender->stop)
            return status;
        rd_kafka_poll(sender->client, WAIT_MS);
    }
}

enum status sender_new(const struct options *options, const char *topic, const _Atomic bool *stop,
                       sender_failed_fn *on_failed, void *context, struct sender **out, struct error *err)
{
    struct sender *sender = mem_zeroed(1, sizeof *sender);
    sender->stop = stop;
    sender->on_failed = on_failed;
    sender->context = context;
    enum status status = make_client(options, sender, err);
    if (status == STATUS_OK)
        status = find_topic(sender, topic, err);
    if (status == STATUS_OK) {
        sender->topic = rd_kafka_topic_new(sender->client, topic, NULL);
        if (!sender->topic)
            status = error_set(err, STATUS_INVALID, "cannot use topic %s: %s", topic,
                               rd_kafka_err2str(rd_kafka_last_error()));
    }
    if (status != STATUS_OK) {
        sender_free(sender);
        return status;
    }
    *out = sender;
    return STATUS_OK;
}

void sender_free(struct sender *sender)
{
    if (!sender)
        return;
    if (sender->topic)
        rd_kafka_topic_destroy(sender->topic);
    if (sender->client) {
        rd_kafka_purge(sender->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        sender->on_failed = NULL; /* what is purged was already counted as in flight */
        rd_kafka_flush(sender->client, 1000);
        rd_kafka_destroy(sender->client);
    }
    free(sender);
}

static enum status fatal_status(struct sender *sender, struct error *err)
{
    char text[256];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(sender->client, text, sizeof text);
    enum status status = kafka_status(code);
    return error_set(err, status == STATUS_OK || status == STATUS_UNAVAILABLE ? STATUS_CONFLICT : status,
                     "the Kafka client cannot go on: %s: %s; start again: event ids are the same",
                     rd_kafka_err2name(code), text);
}

enum status sender_send(struct sender *sender, struct span key, struct span value, uintptr_t tag, struct error *err)
{
    for (;;) {
        if (rd_kafka_produce(sender->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.data,
                             value.bytes, key.data, key.bytes, (void *)tag) == 0) {
            sender->counts.sent++;
            return STATUS_OK;
        }
        rd_kafka_resp_err_t code = rd_kafka_last_error();
        if (code == RD_KAFKA_RESP_ERR__FATAL)
            return fatal_status(sender, err);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            sender->counts.sent++;
            count_failed(sender, tag, code);
            return STATUS_OK;
        }
        if (*sender->stop)
            return error_set(err, STATUS_UNAVAILABLE, "stopped while the client's queue was full");
        rd_kafka_poll(sender->client, WAIT_MS);
    }
}

void sender_poll(struct sender *sender)
{
    rd_kafka_poll(sender->client, 0);
}

void sender_finish(struct sender *sender, void (*on_wait)(void *context), void *context)
{
    int64_t deadline_us = 0;
    while (sender->counts.acknowledged + sender->counts.failed < sender->counts.sent) {
        int64_t now_us = clock_steady_us(&clock_system);
        if (*sender->stop && !deadline_us)
            deadline_us = now_us + STOP_WAIT_US;
        if (deadline_us && now_us >= deadline_us)
            break;
        rd_kafka_flush(sender->client, WAIT_MS);
        if (on_wait)
            on_wait(context);
    }
}

struct sender_counts sender_counts(const struct sender *sender)
{
    return sender->counts;
}
