/* The topic of current records, where nobody has named it: whoever needs it makes it, with as many partitions as the
 * input has, so that an upgrade from a version without current records needs no step. A topic that was named and is
 * missing is a mistake, as it is for all others. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "scorer/settings.h"

/* Makes the topic where STATE_TOPIC is not given and it is missing. `client`: a consumer, whose questions never make
 * one. Failure says what to do. */
MUST_USE enum status state_topic_make(rd_kafka_t *client, const struct settings *settings, struct error *err);

/* How long the topic keeps null values after compaction (delete.retention.ms); failure says why nobody knows. */
MUST_USE enum status state_topic_tombstones(rd_kafka_t *client, const char *topic, int64_t *out_ms, struct error *err);
