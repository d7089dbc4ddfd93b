/* Whether current records are kept, and where: the scorer's STATE_TOPIC and GROUP_ID, as the producer sees them. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/options.h"
#include "base/status.h"
#include "events/schema.h"

/* The topic's name into `name` (emptied before, NUL-terminated). False, and nothing there: no records are kept. */
bool state_topic_find(const struct options *options, const struct schema *schema, struct buffer *name);

/* A consumer that reads it from the start and commits nothing, and how many partitions it has. Waits for brokers until
 * *stop. STATUS_NOT_FOUND: there is no such topic. *consumer may be there after a failure too: the caller's to destroy.
 */
MUST_USE enum status state_topic_open(const struct options *options, const char *where, const char *topic,
                                      const char *group, const _Atomic bool *stop, rd_kafka_t **consumer,
                                      int *partitions, struct error *err);
