/* Ends of partitions: see high_watermark.h. Main thread. */
#include "producer/high_watermark.h"

#include <inttypes.h>

#include "kafka/client.h"

enum { CALL_MS = 10000 };

enum status high_watermark_client(const struct options *options, rd_kafka_t **out, struct error *err)
{
    const struct kafka_property fixed[] = {{"group.id", "attrition-ends"}, /* never joined, nothing committed */
                                           {"isolation.level", "read_uncommitted"},
                                           {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    enum status status = kafka_conf(options, RD_KAFKA_CONSUMER, fixed, &conf, err);
    return status == STATUS_OK ? kafka_client_new(RD_KAFKA_CONSUMER, &conf, out, err) : status;
}

enum status high_watermark_ask(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *low, int64_t *high,
                               struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(client, topic, partition, low, high, CALL_MS);
    return code ? error_set(err, kafka_status(code), "looking up the end of %s [%" PRId32 "]: %s", topic, partition,
                            rd_kafka_err2str(code))
                : STATUS_OK;
}
