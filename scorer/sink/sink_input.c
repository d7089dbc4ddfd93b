/* Messages and the ends of logs: see sink_input.h. Called by sink.c on the sink's thread; blocks up to 5 s a partition
 * while its leader is unavailable. */
#include "scorer/sink/sink_input.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "kafka/message.h"

enum { LOOKUP_MS = 5000, GLANCE_MS = 500 };

static size_t read_headers(const rd_kafka_message_t *message, struct sink_headers *out)
{
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(message, &headers))
        return 0;
    size_t count = rd_kafka_header_cnt(headers);
    if (count > out->capacity) {
        out->capacity = count;
        out->items = mem_resize(out->items, count, sizeof *out->items);
    }
    for (size_t h = 0; h < count; h++) {
        const void *value = NULL;
        struct sink_header *header = &out->items[h];
        rd_kafka_header_get_all(headers, h, &header->name, &value, &header->value.bytes);
        header->value.data = value;
    }
    return count;
}

struct sink_record sink_input_record(const rd_kafka_message_t *message, struct sink_headers *headers)
{
    rd_kafka_timestamp_type_t kind;
    size_t count = read_headers(message, headers);
    return (struct sink_record){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &kind),
        .key = kafka_payload(message->key, message->key_len),
        .value = kafka_payload(message->payload, message->len),
        .headers = headers->items,
        .header_count = count,
    };
}

static enum status recreated_error(const struct sink_partition *partition, const char *cluster_id, struct error *err)
{
    char what[sizeof err->text];
    snprintf(what, sizeof what, "%s", err->text);
    return error_set(err, STATUS_CONFLICT,
                     "%s: the topic was recreated; to read it from its start: DELETE FROM attrition.sink_offsets WHERE "
                     "cluster_id = '%s' AND topic = '%s'",
                     what, cluster_id, partition->topic_name);
}

/* Markers take offsets too, and what is deleted does not say what it was. */
static enum status deleted_error(const struct sink_partition *partition, const char *cluster_id, int64_t low,
                                 struct error *err)
{
    return error_set(err, STATUS_CONFLICT,
                     "%s [%" PRId32 "]: Kafka deleted offsets %" PRId64 " to %" PRId64
                     " before they were stored: up to %" PRId64
                     " records (commit markers take offsets too); to go on without them: UPDATE attrition.sink_offsets "
                     "SET next_offset = %" PRId64 " WHERE cluster_id = '%s' AND topic = '%s' AND partition = %" PRId32,
                     partition->topic_name, partition->id, partition->stored, low - 1, low - partition->stored, low,
                     cluster_id, partition->topic_name, partition->id);
}

enum status sink_input_check_start(rd_kafka_t *consumer, struct sink_partition *partition, const char *cluster_id,
                                   struct error *err)
{
    int64_t low, high;
    if (partition->checked || partition->stored == SINK_NO_OFFSET)
        return STATUS_OK;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(consumer, partition->topic_name, partition->id, &low, &high, LOOKUP_MS);
    if (code)
        return error_set(err, STATUS_UNAVAILABLE, "Kafka: looking up the ends of %s [%" PRId32 "]: %s",
                         partition->topic_name, partition->id, rd_kafka_err2str(code));
    if (partition->stored > high) {
        (void)error_set(err, STATUS_CONFLICT, "%s [%" PRId32 "] ends at %" PRId64 " but %" PRId64 " is stored for it",
                        partition->topic_name, partition->id, high, partition->stored);
        return recreated_error(partition, cluster_id, err);
    }
    if (partition->stored < low)
        return deleted_error(partition, cluster_id, low, err);
    if (partition->last_offset >= low && partition->last_offset < partition->stored)
        partition->verify = partition->last_offset;
    partition->checked = true;
    return STATUS_OK;
}

rd_kafka_resp_err_t sink_input_assign(rd_kafka_t *consumer, const rd_kafka_topic_partition_list_t *list)
{
    return rd_kafka_assignment_lost(consumer) ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_assign(consumer, list);
}

int64_t sink_input_start(const struct sink_partition *partition)
{
    if (partition->verify != SINK_NO_OFFSET)
        return partition->verify;
    return partition->next == SINK_NO_OFFSET ? RD_KAFKA_OFFSET_BEGINNING : partition->next;
}

/* Between that record and `stored` there were markers alone, so any other record there is of another log. One after
 * `stored` comes first where compaction has removed what was verified: then nothing can be said. */
enum status sink_input_verify(struct sink_partition *partition, const struct sink_record *record,
                              const char *cluster_id, struct error *err)
{
    int64_t wanted = partition->verify;
    if (record->offset < partition->stored &&
        (record->offset != wanted || sink_batch_digest(record) != partition->last_digest)) {
        (void)error_set(err, STATUS_CONFLICT,
                        "%s [%" PRId32 "]: the record at offset %" PRId64
                        " is not the one that was stored from %" PRId64,
                        partition->topic_name, partition->id, record->offset, wanted);
        return recreated_error(partition, cluster_id, err);
    }
    if (record->offset >= partition->stored)
        log_warn("sink",
                 "%s [%" PRId32 "]: the record at offset %" PRId64
                 " is not there any more, so whether the topic was recreated is not known; going on from %" PRId64,
                 partition->topic_name, partition->id, wanted, partition->stored);
    partition->verify = SINK_NO_OFFSET;
    return STATUS_OK;
}

enum status sink_input_check_cluster(rd_kafka_t *consumer, const char *cluster_id, struct error *err)
{
    char *now = rd_kafka_clusterid(consumer, 0); /* as the brokers said last */
    bool other = now && strcmp(now, cluster_id) != 0;
    if (other)
        (void)error_set(err, STATUS_CONFLICT,
                        "Kafka: the brokers belong to cluster %s and no longer to %s, whose records wait; start the "
                        "sink again to read the new cluster from its start",
                        now, cluster_id);
    if (now)
        rd_kafka_mem_free(consumer, now);
    return other ? STATUS_CONFLICT : STATUS_OK;
}

/* Without partitions a consumer asks its brokers for nothing by which it would learn that. */
enum status sink_input_ask_cluster(rd_kafka_t *consumer, const char *cluster_id, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    if (kafka_up() && !rd_kafka_metadata(consumer, 0, NULL, &metadata, GLANCE_MS))
        rd_kafka_metadata_destroy(metadata); /* without an answer, what was known stays; it is asked again */
    return sink_input_check_cluster(consumer, cluster_id, err);
}

enum status sink_input_find_ends(const struct options *options, struct sink_partition *partitions, size_t count,
                                 struct error *err)
{
    static const struct kafka_property fixed[] = {{"isolation.level", "read_uncommitted"}, {NULL, NULL}};
    rd_kafka_conf_t *conf;
    rd_kafka_t *client;
    if (kafka_conf(options, RD_KAFKA_CONSUMER, fixed, &conf, err) != STATUS_OK ||
        kafka_client_new(RD_KAFKA_CONSUMER, &conf, &client, err) != STATUS_OK)
        return err->status;
    for (size_t p = 0; p < count; p++) {
        int64_t low, high;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(client, partitions[p].topic_name, partitions[p].id,
                                                                    &low, &high, LOOKUP_MS);
        if (code)
            break; /* looked up again in the next round */
        partitions[p].end = high;
    }
    rd_kafka_destroy(client);
    return STATUS_OK;
}
