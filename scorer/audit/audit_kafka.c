/* Reading topics for the audit: see audit_kafka.h. Called by audit.c on the main thread. May block until brokers answer
 * and until transactions that are open at the start have ended; says so every ten seconds. Must never join a group,
 * commit, or read beyond the ends it was given. */
#include "scorer/audit/audit_kafka.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "kafka/consumer.h"
#include "kafka/message.h"
#include "scorer/sink/sink_input.h"

enum { CALL_MS = 10000, POLL_MS = 200, TELL_US = 10000000 };

struct audit_kafka {
    rd_kafka_t *consumer;
    struct sink_headers headers; /* of the record at hand */
};

/* --- life --- */

enum status audit_kafka_new(const struct options *options, const char *group_id, struct audit_kafka **out,
                            struct error *err)
{
    struct audit_kafka *kafka = mem_zeroed(1, sizeof *kafka);
    enum status status = kafka_reader_new(options, group_id, &kafka->consumer, err);
    if (status == STATUS_OK)
        status = kafka_wait_for_broker(kafka->consumer, "audit", 0, NULL, err);
    if (status == STATUS_OK)
        *out = kafka;
    else
        audit_kafka_free(kafka);
    return status;
}

void audit_kafka_free(struct audit_kafka *kafka)
{
    if (!kafka)
        return;
    kafka_client_free(kafka->consumer);
    free(kafka->headers.items);
    free(kafka);
}

enum status audit_kafka_cluster(struct audit_kafka *kafka, char **out, struct error *err)
{
    return kafka_cluster_id(kafka->consumer, out, err);
}

/* --- positions --- */

static enum status find_ends(struct audit_kafka *kafka, const char *topic, size_t partition, int64_t *low,
                             int64_t *high, struct error *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(kafka->consumer, topic, (int32_t)partition, low, high, CALL_MS);
    return code ? error_set(err, kafka_status(code), "looking up the ends of %s [%zu]: %s", topic, partition,
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

enum status audit_kafka_ends(struct audit_kafka *kafka, const char *topic, struct audit_part *parts, size_t count,
                             struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t p = 0; p < count && status == STATUS_OK; p++) {
        status = find_ends(kafka, topic, p, &parts[p].low, &parts[p].high, err);
        parts[p].start = parts[p].low;
        parts[p].end = parts[p].high;
    }
    return status;
}

enum status audit_kafka_parts(struct audit_kafka *kafka, const char *topic, struct audit_part **out, size_t *count,
                              struct error *err)
{
    int found = 0;
    enum status status = kafka_topic_partitions(kafka->consumer, topic, &found, err);
    if (status != STATUS_OK)
        return status;
    struct audit_part *parts = mem_zeroed((size_t)found, sizeof *parts);
    if (audit_kafka_ends(kafka, topic, parts, (size_t)found, err) != STATUS_OK) {
        free(parts);
        return err->status;
    }
    *out = parts;
    *count = (size_t)found;
    return STATUS_OK;
}

static rd_kafka_topic_partition_list_t *list_of(const char *topic, size_t count, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t p = 0; p < count; p++)
        rd_kafka_topic_partition_list_add(list, topic, (int32_t)p)->offset = offset;
    return list;
}

/* Copies the answers; the first error of a partition is the call's. */
static rd_kafka_resp_err_t take_offsets(const rd_kafka_topic_partition_list_t *list, int64_t *out)
{
    for (int p = 0; p < list->cnt; p++) {
        if (list->elems[p].err)
            return list->elems[p].err;
        out[p] = list->elems[p].offset >= 0 ? list->elems[p].offset : -1; /* logical offsets end here */
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum status audit_kafka_committed(struct audit_kafka *kafka, const char *topic, int64_t *out, size_t count,
                                  struct error *err)
{
    rd_kafka_topic_partition_list_t *list = list_of(topic, count, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resp_err_t code = rd_kafka_committed(kafka->consumer, list, CALL_MS);
    if (!code)
        code = take_offsets(list, out);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? error_set(err, kafka_status(code), "looking up the committed offsets of %s: %s", topic,
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

enum status audit_kafka_at_time(struct audit_kafka *kafka, const char *topic, int64_t time_ms,
                                const struct audit_part *parts, int64_t *out, size_t count, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = list_of(topic, count, time_ms);
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(kafka->consumer, list, CALL_MS);
    if (!code)
        code = take_offsets(list, out);
    for (size_t p = 0; p < count && !code; p++)
        if (out[p] < 0)
            out[p] = parts[p].high;
    rd_kafka_topic_partition_list_destroy(list);
    return code ? error_set(err, kafka_status(code), "looking up the offsets of a time in %s: %s", topic,
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

static bool has_compact(rd_kafka_event_t *event)
{
    size_t count = 0, entries = 0;
    const rd_kafka_DescribeConfigs_result_t *result = event ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
    if (!result || rd_kafka_event_error(event))
        return false;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(result, &count);
    if (!count || rd_kafka_ConfigResource_error(resources[0]))
        return false;
    const rd_kafka_ConfigEntry_t **configs = rd_kafka_ConfigResource_configs(resources[0], &entries);
    for (size_t c = 0; c < entries; c++) {
        const char *value = rd_kafka_ConfigEntry_value(configs[c]);
        if (!strcmp(rd_kafka_ConfigEntry_name(configs[c]), "cleanup.policy"))
            return value && strstr(value, "compact");
    }
    return false;
}

bool audit_kafka_is_compacted(struct audit_kafka *kafka, const char *topic)
{
    rd_kafka_ConfigResource_t *wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->consumer);
    rd_kafka_DescribeConfigs(kafka->consumer, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS);
    bool compacted = has_compact(event);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(wanted);
    return compacted;
}

/* --- reading --- */

struct reading {
    struct audit_kafka *kafka;
    const char *topic;
    const struct audit_part *parts;
    size_t count, left;
    bool *done;       /* by partition */
    int64_t *next;    /* by partition: as far as read, for the line that says what is waited for */
    int64_t moved_us; /* steady clock: the last time anything came, or this was logged */
};

static enum status assign(struct reading *reading, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)reading->count);
    for (size_t p = 0; p < reading->count; p++) {
        reading->next[p] = reading->parts[p].start;
        reading->done[p] = reading->parts[p].start >= reading->parts[p].end;
        reading->left += !reading->done[p];
        if (!reading->done[p])
            rd_kafka_topic_partition_list_add(list, reading->topic, (int32_t)p)->offset = reading->parts[p].start;
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(reading->kafka->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? error_set(err, kafka_status(code), "assigning %s: %s", reading->topic, rd_kafka_err2str(code))
                : STATUS_OK;
}

static void come_to(struct reading *reading, int32_t partition, int64_t next)
{
    reading->next[partition] = next;
    if (next < reading->parts[partition].end || reading->done[partition])
        return;
    reading->done[partition] = true;
    reading->left--;
}

static enum status take_message(struct reading *reading, const rd_kafka_message_t *message,
                                enum status (*take)(void *, struct sink_record *, struct error *), void *context,
                                struct error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        come_to(reading, message->partition, message->offset);
        return STATUS_OK;
    }
    if (message->err && kafka_status(message->err) == STATUS_UNAVAILABLE)
        return STATUS_OK;
    if (message->err)
        return error_set(err, kafka_status(message->err), "reading %s: %s", reading->topic,
                         rd_kafka_message_errstr(message));
    struct sink_record record = sink_input_record(message, &reading->kafka->headers);
    record.topic_name = reading->topic;
    enum status status = STATUS_OK;
    if (message->offset < reading->parts[message->partition].end && !kafka_message_is_control(message))
        status = take(context, &record, err);
    come_to(reading, message->partition, message->offset + 1);
    return status;
}

static void log_waiting(struct reading *reading, bool moved)
{
    int64_t now_us = clock_steady_us(&clock_system);
    if (moved)
        reading->moved_us = now_us;
    if (now_us - reading->moved_us < TELL_US)
        return;
    reading->moved_us = now_us;
    for (size_t p = 0; p < reading->count; p++)
        if (!reading->done[p])
            log_warn("audit",
                     "%s [%zu]: waiting at offset %" PRId64 " of %" PRId64 " (an open transaction, or no broker)",
                     reading->topic, p, reading->next[p], reading->parts[p].end);
}

static enum status read_all(struct reading *reading, enum status (*take)(void *, struct sink_record *, struct error *),
                            void *context, struct error *err)
{
    enum status status = assign(reading, err);
    reading->moved_us = clock_steady_us(&clock_system);
    while (reading->left && status == STATUS_OK) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reading->kafka->consumer, POLL_MS);
        if (message)
            status = take_message(reading, message, take, context, err);
        log_waiting(reading, message && !message->err);
        if (message)
            rd_kafka_message_destroy(message);
    }
    rd_kafka_assign(reading->kafka->consumer, NULL);
    return status;
}

/* What retention took away while it was being read would look like a loss. */
static enum status check_low(struct reading *reading, struct error *err)
{
    for (size_t p = 0; p < reading->count; p++) {
        int64_t low, high;
        if (find_ends(reading->kafka, reading->topic, p, &low, &high, err) != STATUS_OK)
            return err->status;
        if (low > reading->parts[p].start && reading->parts[p].start < reading->parts[p].end)
            return error_set(err, STATUS_CONFLICT,
                             "%s [%zu]: Kafka deleted records up to %" PRId64
                             " while they were read; run the audit again",
                             reading->topic, p, low);
    }
    return STATUS_OK;
}

enum status audit_kafka_read(struct audit_kafka *kafka, const char *topic, const struct audit_part *parts, size_t count,
                             enum status (*take)(void *, struct sink_record *, struct error *), void *context,
                             struct error *err)
{
    struct reading reading = {.kafka = kafka, .topic = topic, .parts = parts, .count = count};
    reading.done = mem_zeroed(count + 1, sizeof *reading.done);
    reading.next = mem_zeroed(count + 1, sizeof *reading.next);
    enum status status = read_all(&reading, take, context, err);
    if (status == STATUS_OK)
        status = check_low(&reading, err);
    free(reading.done);
    free(reading.next);
    return status;
}
