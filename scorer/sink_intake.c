/* Looking up the ends of logs: see sink_intake.h. Called by sink.c on the sink's thread; blocks up to 5 s a partition
 * while its leader is away. */
#include "scorer/sink_intake.h"

#include <inttypes.h>

#include "kafka/client.h"

enum { LOOKUP_MS = 5000 };

static enum status stored_offset_error(const struct sink_partition *partition, const char *cluster_id,
                                       const char *group_id, int64_t low, int64_t high, struct error *err)
{
    if (partition->stored > high)
        return error_set(
            err, STATUS_CONFLICT,
            "%s [%" PRId32 "] ends at %" PRId64 " but %" PRId64 " is stored for it: the topic was made anew; to "
            "read it from its start: DELETE FROM attrition.sink_offsets WHERE cluster_id = '%s' AND group_id = "
            "'%s' AND topic = '%s'",
            partition->topic_name, partition->id, high, partition->stored, cluster_id, group_id, partition->topic_name);
    return error_set(err, STATUS_CONFLICT,
                     "%s [%" PRId32 "]: %" PRId64 " records were deleted by Kafka before they were stored (%" PRId64
                     " is stored, the log begins at %" PRId64
                     "); to go on without them: UPDATE attrition.sink_offsets SET "
                     "next_offset = %" PRId64
                     " WHERE cluster_id = '%s' AND group_id = '%s' AND topic = '%s' AND partition = %" PRId32,
                     partition->topic_name, partition->id, low - partition->stored, partition->stored, low, low,
                     cluster_id, group_id, partition->topic_name, partition->id);
}

enum status sink_intake_check_start(rd_kafka_t *consumer, struct sink_partition *partition, const char *cluster_id,
                                    const char *group_id, struct error *err)
{
    int64_t low, high;
    if (partition->checked || partition->stored == SINK_NO_OFFSET)
        return STATUS_OK;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(consumer, partition->topic_name, partition->id, &low, &high, LOOKUP_MS);
    if (code)
        return error_set(err, STATUS_UNAVAILABLE, "Kafka: looking up the ends of %s [%" PRId32 "]: %s",
                         partition->topic_name, partition->id, rd_kafka_err2str(code));
    if (partition->stored > high || partition->stored < low)
        return stored_offset_error(partition, cluster_id, group_id, low, high, err);
    partition->checked = true;
    return STATUS_OK;
}

enum status sink_intake_find_ends(const struct options *options, struct sink_partition *partitions, size_t count,
                                  struct error *err)
{
    static const struct kafka_property fixed[] = {{"isolation.level", "read_uncommitted"}, {NULL, NULL}};
    rd_kafka_conf_t *conf;
    rd_kafka_t *client;
    if (kafka_conf(options, RD_KAFKA_CONSUMER, fixed, &conf, err) ||
        kafka_client_new(RD_KAFKA_CONSUMER, &conf, &client, err))
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
