/* Outboxes as transactions: see sender_kafka.h. Called on the sender's thread alone; may block in each call until
 * brokers answer or *give_up. Must never count an event whose record is not there for good, and never commit a position
 * without the events before it.
 *
 * The position is the offset of partition 0 of the input topic in a group of the input's own (resume_position.h):
 * brokers take offsets of existing partitions only, and nobody else reads under that group. */
#include "producer/sender_kafka.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "kafka/committed_offsets.h"
#include "kafka/message.h"
#include "kafka/transaction.h"

static const char where[] = "sender";

struct sender_kafka {
    const struct sender_settings *settings;
    const _Atomic bool *give_up;
    rd_kafka_t *consumer; /* of the group; never subscribes */
    struct transaction *transaction;
    struct resume_position position; /* that an earlier run committed */
    struct outbox *outbox;           /* being sent */
    bool exactly_once;
};

/* --- opening --- */

/* librdkafka's mock cluster, which the embedded broker is: its transactions do nothing and say OK. */
static enum status broker_has_transactions(struct sender_kafka *kafka, bool *out, struct error *err)
{
    char *id = NULL;
    enum status status;
    do {
        status = kafka_wait_for_broker(kafka->consumer, where, 0, kafka->give_up, err);
        if (status == STATUS_OK)
            status = kafka_cluster_id(kafka->consumer, &id, err);
    } while (status == STATUS_UNAVAILABLE && !*kafka->give_up);
    if (status != STATUS_OK)
        return status;
    *out = strncmp(id, "mockCluster", strlen("mockCluster")) != 0;
    free(id);
    return STATUS_OK;
}

static enum status open_group(struct sender_kafka *kafka, struct error *err)
{
    const struct sender_settings *settings = kafka->settings;
    const struct kafka_property fixed[] = {{"group.id", settings->group}, {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    bool has_transactions = false;
    enum status status = kafka_conf(settings->options, RD_KAFKA_CONSUMER, fixed, &conf, err);
    if (status == STATUS_OK)
        status = kafka_client_new(RD_KAFKA_CONSUMER, &conf, &kafka->consumer, err);
    if (status == STATUS_OK)
        status = broker_has_transactions(kafka, &has_transactions, err);
    kafka->exactly_once = status == STATUS_OK && has_transactions &&
                          options_word(settings->options, OPTION_DELIVERY) == DELIVERY_EXACTLY_ONCE;
    return status;
}

/* Within the calls of kafka/transaction.h. */
static void note_report(void *context, const rd_kafka_message_t *message)
{
    struct outbox_event *event = message->_private;
    (void)context;
    event->partition = message->partition;
    event->offset = message->err ? -1 : message->offset;
}

/* A broker may become unavailable while it is asked for the topic: that is waited for as at the start. */
static enum status find_topic(struct sender_kafka *kafka, struct error *err)
{
    int partitions = 0;
    rd_kafka_t *client = transaction_client(kafka->transaction);
    for (;;) {
        enum status status = kafka_topic_partitions(client, kafka->settings->topic, &partitions, err);
        if (status != STATUS_UNAVAILABLE || *kafka->give_up)
            return status;
        status = kafka_wait_for_broker(client, where, 0, kafka->give_up, err);
        if (status != STATUS_OK)
            return status;
    }
}

static enum status open_transaction(struct sender_kafka *kafka, struct error *err)
{
    const struct sender_settings *settings = kafka->settings;
    const struct transaction_setup setup = {
        .options = settings->options,
        .where = where,
        .name = settings->where,
        .identity = kafka->exactly_once ? settings->group : NULL,
        .group = settings->group,
        .offsets_topic = settings->group ? settings->topic : NULL,
        .topics = &settings->topic,
        .topic_count = 1,
        .all_reports = settings->on_placed != NULL,
        .stop = kafka->give_up,
        .stop_at_once = true,
        .report = note_report,
        .context = kafka,
    };
    enum status status = transaction_new(&setup, &kafka->transaction, err);
    if (status == STATUS_OK)
        status = find_topic(kafka, err);
    return status == STATUS_OK ? transaction_start(kafka->transaction, err) : status;
}

static rd_kafka_topic_partition_list_t *list_of_position(const struct sender_kafka *kafka)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, kafka->settings->topic, 0)->offset = RD_KAFKA_OFFSET_INVALID;
    return list;
}

/* After transaction_start: what an earlier run committed is final by then. */
static enum status read_position(struct sender_kafka *kafka, struct error *err)
{
    const struct sender_settings *settings = kafka->settings;
    rd_kafka_topic_partition_list_t *list = list_of_position(kafka);
    enum status status;
    do
        status = committed_offsets_read(kafka->consumer, list, where, kafka->give_up, err);
    while (status == STATUS_UNAVAILABLE && !*kafka->give_up);
    const rd_kafka_topic_partition_t *found = &list->elems[0];
    if (status == STATUS_OK && found->offset >= 0 &&
        !resume_position_read(&kafka->position, found->offset, kafka_payload(found->metadata, found->metadata_size)))
        status = error_set(err, STATUS_CONFLICT,
                           "the offset of group %s is no position that this version knows; delete the group "
                           "(kafka-consumer-groups --delete --group %s) and send the input from its start",
                           settings->group, settings->group);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

enum status sender_kafka_new(const struct sender_settings *settings, const _Atomic bool *give_up,
                             struct sender_kafka **out, struct error *err)
{
    struct sender_kafka *kafka = mem_zeroed(1, sizeof *kafka);
    kafka->settings = settings;
    kafka->give_up = give_up;
    enum status status = settings->group ? open_group(kafka, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = open_transaction(kafka, err);
    if (status == STATUS_OK && settings->group)
        status = read_position(kafka, err);
    if (status != STATUS_OK) {
        sender_kafka_free(kafka);
        return status;
    }
    *out = kafka;
    return STATUS_OK;
}

void sender_kafka_free(struct sender_kafka *kafka)
{
    if (!kafka)
        return;
    transaction_free(kafka->transaction);
    kafka_client_free(kafka->consumer);
    free(kafka);
}

bool sender_kafka_is_exactly_once(const struct sender_kafka *kafka)
{
    return kafka->exactly_once;
}

struct resume_position sender_kafka_position(const struct sender_kafka *kafka)
{
    return kafka->position;
}

/* --- sending --- */

/* Events first … last - 1 into the open transaction; one that the client itself refuses is left out. */
static void send_events(struct sender_kafka *kafka, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++) {
        struct outbox_event *event = &kafka->outbox->events[i];
        const struct transaction_record record = {.partition = event->wanted,
                                                  .key = outbox_key(kafka->outbox, event),
                                                  .value = outbox_value(kafka->outbox, event),
                                                  .opaque = event};
        rd_kafka_resp_err_t code = event->refused ? 0 : transaction_send(kafka->transaction, &record);
        if (code && error_class_is_of_record(code))
            event->refused = rd_kafka_err2str(code);
        else if (code)
            return; /* the transaction is broken: its commit rolls back */
    }
}

static uint64_t count_refused(const struct outbox *outbox, size_t first, size_t last)
{
    uint64_t count = 0;
    for (size_t i = first; i < last; i++)
        count += outbox->events[i].refused != NULL;
    return count;
}

static enum transaction_result commit(struct sender_kafka *kafka, struct resume_position after, uint64_t failed,
                                      struct error *err)
{
    char text[RESUME_POSITION_TEXT_BYTES];
    if (!kafka->consumer)
        return transaction_commit(kafka->transaction, NULL, NULL, err);
    rd_kafka_topic_partition_list_t *list = list_of_position(kafka);
    after.failed = (options_flag(kafka->settings->options, OPTION_RESUME) ? kafka->position.failed : 0) + failed;
    resume_position_write(&after, text);
    list->elems[0].offset = (int64_t)after.rows;
    list->elems[0].metadata_size = strlen(text);
    list->elems[0].metadata = mem_zeroed(sizeof text, 1); /* freed with the list */
    memcpy(list->elems[0].metadata, text, sizeof text);
    enum transaction_result result = transaction_commit(kafka->transaction, kafka->consumer, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    return result;
}

static void count_range(struct sender_kafka *kafka, size_t first, size_t last, struct sender_kafka_counts *counts)
{
    const struct sender_settings *settings = kafka->settings;
    uint64_t refused = count_refused(kafka->outbox, first, last);
    counts->failed += refused;
    counts->acknowledged += last - first - refused;
    for (size_t i = first; i < last && settings->on_placed; i++)
        if (kafka->outbox->events[i].offset >= 0)
            settings->on_placed(settings->context, kafka->outbox->events[i].partition, kafka->outbox->events[i].offset);
}

/* Whether a transaction that was rolled back is worth another attempt. */
static enum status check_rolled_back(struct sender_kafka *kafka, struct error *err)
{
    if (*kafka->give_up)
        return error_set(err, STATUS_UNAVAILABLE, "stopped while the brokers were waited for");
    if (error_class_of(transaction_broken(kafka->transaction)) == ERROR_CLASS_TOPIC) {
        enum status status = find_topic(kafka, err);
        if (status != STATUS_OK)
            return status;
    }
    log_warn(where, "%s; sending the same rows again in %.1f s", err->text,
             transaction_pause(kafka->transaction) / 1e3);
    return STATUS_OK;
}

static enum status send_range(struct sender_kafka *kafka, size_t first, size_t last,
                              const struct resume_position *after, struct sender_kafka_counts *counts,
                              struct error *err);

/* One of these events is refused by its topic: alone it is found, and left out. */
static enum status send_halves(struct sender_kafka *kafka, size_t first, size_t last,
                               const struct resume_position *after, struct sender_kafka_counts *counts,
                               struct error *err)
{
    struct outbox_event *events = kafka->outbox->events;
    size_t middle = first + (last - first) / 2;
    if (last - first == 1) {
        events[first].refused = rd_kafka_err2str(transaction_broken(kafka->transaction));
        return send_range(kafka, first, last, after, counts, err);
    }
    enum status status = send_range(kafka, first, middle, &events[middle - 1].after, counts, err);
    return status == STATUS_OK ? send_range(kafka, middle, last, after, counts, err) : status;
}

/* Brokers end a transaction that is open for longer, and fence its producer as a successor would. */
static int64_t longest_open_ms(const struct sender_kafka *kafka)
{
    char text[32] = "";
    size_t bytes = sizeof text;
    const rd_kafka_conf_t *conf = rd_kafka_conf(transaction_client(kafka->transaction));
    return rd_kafka_conf_get(conf, "transaction.timeout.ms", text, &bytes) == RD_KAFKA_CONF_OK ? atoll(text) : 0;
}

/* Who ended it, and the way out: nothing that was acknowledged is lost. */
static enum status explain_fence(const struct sender_kafka *kafka, int64_t began_us, struct error *err)
{
    if (err->status != STATUS_CONFLICT || !strstr(err->text, "fenced")) /* transaction_identity.c's word */
        return err->status == STATUS_OK ? STATUS_UNAVAILABLE : err->status;
    int64_t open_ms = (clock_steady_us(&clock_system) - began_us) / 1000, longest_ms = longest_open_ms(kafka);
    if (open_ms < longest_ms)
        return error_set(err, STATUS_CONFLICT,
                         "fenced: another process sends this input (%s) and goes on, this one ends; what was "
                         "acknowledged counts",
                         kafka->settings->group);
    return error_set(err, STATUS_CONFLICT,
                     "fenced: this process or its connection stood still for %.1f s, and the brokers end a transaction "
                     "that is open for longer than transaction.timeout.ms (%.1f s); what was acknowledged counts, and "
                     "--resume goes on after it",
                     (double)open_ms / 1e3, (double)longest_ms / 1e3);
}

static enum status send_range(struct sender_kafka *kafka, size_t first, size_t last,
                              const struct resume_position *after, struct sender_kafka_counts *counts,
                              struct error *err)
{
    int64_t began_us = clock_steady_us(&clock_system);
    for (;;) {
        enum status status = transaction_begin(kafka->transaction, err);
        if (status != STATUS_OK)
            return explain_fence(kafka, began_us, err);
        send_events(kafka, first, last);
        uint64_t failed = counts->failed + count_refused(kafka->outbox, first, last);
        enum transaction_result result = commit(kafka, *after, failed, err);
        if (result == TRANSACTION_COMMITTED) {
            count_range(kafka, first, last, counts);
            return STATUS_OK;
        }
        if (result == TRANSACTION_FAILED)
            return explain_fence(kafka, began_us, err);
        if (error_class_is_of_record(transaction_broken(kafka->transaction)))
            return send_halves(kafka, first, last, after, counts, err);
        status = check_rolled_back(kafka, err);
        if (status != STATUS_OK)
            return status;
    }
}

enum status sender_kafka_send(struct sender_kafka *kafka, struct outbox *outbox, struct sender_kafka_counts *counts,
                              struct error *err)
{
    kafka->outbox = outbox;
    return send_range(kafka, 0, outbox->count, &outbox->after, counts, err);
}
