/* Reading the state topic: see rescore_reader.h. Main thread. Takes partitions by hand and commits nothing. Must never
 * take what it cannot read for nobody. */
#include "producer/rescore_reader.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/client.h"
#include "kafka/message.h"
#include "producer/high_watermark.h"
#include "producer/state_topic.h"

enum { POLL_MS = 100, PATIENCE_US = 5000000 };

static const char where[] = "rescore";

struct reading {
    const char *topic;
    const struct schema *schema;
    const struct rescore_filter *filter;
    struct rescore_people *people;
    struct employee_state_reader *records;
    rd_kafka_t *consumer;
    int64_t *ends; /* by partition; −1: read */
    size_t count, left;
    int64_t moved_us;
    bool stalled; /* said that an open transaction is waited for */
};

static enum status find_ends(struct reading *reading, const struct options *options,
                             rd_kafka_topic_partition_list_t *list, struct error *err)
{
    rd_kafka_t *client = NULL;
    enum status status = high_watermark_client(options, &client, err);
    for (size_t p = 0; p < reading->count && status == STATUS_OK; p++) {
        int64_t low = 0, high = 0;
        status = high_watermark_ask(client, reading->topic, (int32_t)p, &low, &high, err);
        reading->ends[p] = high > low ? high : -1;
        reading->left += high > low;
        if (high > low)
            rd_kafka_topic_partition_list_add(list, reading->topic, (int32_t)p)->offset = low;
    }
    kafka_client_free(client);
    rd_kafka_resp_err_t code = status == STATUS_OK && list->cnt ? rd_kafka_assign(reading->consumer, list) : 0;
    return status != STATUS_OK ? status
           : code ? error_set(err, kafka_status(code), "reading %s: %s", reading->topic, rd_kafka_err2str(code))
                  : STATUS_OK;
}

static enum status begin(struct reading *reading, const struct options *options, const _Atomic bool *stop,
                         struct error *err)
{
    int count = 0;
    enum status status =
        state_topic_open(options, where, reading->topic, "attrition-rescore", stop, &reading->consumer, &count, err);
    if (status == STATUS_NOT_FOUND)
        return error_set(err, status,
                         "there is no topic %s of current records: give --state-topic and --group-id as the scorer "
                         "has them",
                         reading->topic);
    if (status != STATUS_OK)
        return status;
    reading->count = (size_t)count;
    reading->ends = mem_zeroed(reading->count, sizeof *reading->ends);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    status = find_ends(reading, options, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

/* Everything before this offset has been read. */
static void reach(struct reading *reading, int32_t partition, int64_t offset)
{
    if (reading->ends[partition] < 0 || offset < reading->ends[partition])
        return;
    reading->ends[partition] = -1;
    reading->left--;
}

static enum status take_record(struct reading *reading, const rd_kafka_message_t *message, struct error *err)
{
    const struct span key = kafka_payload(message->key, message->key_len),
                      value = kafka_payload(message->payload, message->len);
    struct rescore_person person = {.partition = message->partition, .offset = message->offset};
    struct employee_state record = {0};
    struct fault fault = {.text = "its key is another's"};
    if (!key.data || !key.bytes || key.data[0] < ' ') /* the position beside the records: no id begins so */
        return STATUS_OK;
    if (value.data && (employee_state_read(reading->records, value, &record, &fault) != EVENT_OK ||
                       !span_equal(key, record.employee_id)))
        return error_set(err, STATUS_INVALID,
                         "%s [%" PRId32 "] at offset %" PRId64 ": no current record (%s): give --state-topic and "
                         "--group-id as the scorer has them",
                         reading->topic, message->partition, message->offset, fault.text);
    person.present = record.cells != NULL;
    person.occurred_at_ms = record.occurred_at_ms;
    person.wanted = person.present && rescore_filter_passes(reading->filter, reading->schema, &record,
                                                            rd_kafka_message_timestamp(message, NULL));
    rescore_people_note(reading->people, key, &person);
    return STATUS_OK;
}

static enum status take_message(struct reading *reading, const rd_kafka_message_t *message, struct error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        reach(reading, message->partition, message->offset);
        return STATUS_OK;
    }
    if (message->err)
        return kafka_status(message->err) == STATUS_UNAVAILABLE
                   ? STATUS_OK
                   : error_set(err, kafka_status(message->err), "reading %s: %s", reading->topic,
                               rd_kafka_message_errstr(message));
    reading->moved_us = clock_steady_us(&clock_system);
    bool counts = reading->ends[message->partition] >= 0 && !kafka_message_is_control(message);
    enum status status = counts ? take_record(reading, message, err) : STATUS_OK;
    if (status == STATUS_OK)
        reach(reading, message->partition, message->offset + 1);
    return status;
}

static void note_stall(struct reading *reading)
{
    if (reading->stalled || clock_steady_us(&clock_system) - reading->moved_us < PATIENCE_US)
        return;
    log_info(where, "%s cannot be read to its end yet: waiting for brokers, or for a transaction that is open there",
             reading->topic);
    reading->stalled = true;
}

static enum status read_all(struct reading *reading, const _Atomic bool *stop, struct error *err)
{
    enum status status = STATUS_OK;
    reading->moved_us = clock_steady_us(&clock_system);
    while (status == STATUS_OK && reading->left && !*stop) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reading->consumer, POLL_MS);
        if (message) {
            status = take_message(reading, message, err);
            rd_kafka_message_destroy(message);
        }
        note_stall(reading);
    }
    if (status == STATUS_OK && reading->left)
        status = error_set(err, STATUS_UNAVAILABLE, "stopped while %s was read: nothing was sent", reading->topic);
    return status;
}

enum status rescore_read_people(const struct options *options, const struct schema *schema, const char *topic,
                                const struct rescore_filter *filter, const _Atomic bool *stop,
                                struct rescore_people *people, struct error *err)
{
    struct reading reading = {.topic = topic, .schema = schema, .filter = filter, .people = people};
    reading.records = employee_state_reader_new(schema);
    enum status status = begin(&reading, options, stop, err);
    if (status == STATUS_OK)
        status = read_all(&reading, stop, err);
    employee_state_reader_free(reading.records);
    kafka_client_free(reading.consumer);
    free(reading.ends);
    return status;
}
