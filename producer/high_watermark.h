/* Where partitions really end: past what open transactions have written, and past commits whose markers are under way.
 * A client that reads committed records alone is answered where it can read to. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/options.h"
#include "base/status.h"

/* A client to ask with; it reads nothing. */
MUST_USE enum status high_watermark_client(const struct options *options, rd_kafka_t **out, struct error *err);
/* The first offset that there is, and one past the last. May block for seconds. */
MUST_USE enum status high_watermark_ask(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *low,
                                        int64_t *high, struct error *err);
