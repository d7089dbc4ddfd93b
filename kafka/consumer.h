/* A consumer without membership, and how the membership of others ends: by its group, or by leaving it. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "base/status.h"

/* A consumer whose partitions are assigned by hand: it reads committed records, reports each partition's end, and never
 * joins `group`. */
MUST_USE enum status kafka_reader_new(const struct options *options, const char *group, rd_kafka_t **out,
                                      struct error *err);

/* What a fatal error, or one that names a fenced instance, says to whoever starts the process again: STATUS_CONFLICT.
 * `instance`: its group.instance.id. */
MUST_USE enum status kafka_consumer_fatal(rd_kafka_t *consumer, const rd_kafka_message_t *message, const char *group,
                                          const char *instance, struct error *err);

/* Leaves the group and takes *consumer (NULL afterwards), after limit_us at the latest, and ends the client, for which
 * it gets as long again: librdkafka 2.0 may block for good in either. A client that does not end is left behind.
 * `rebalance` is called here, as by a poll, for partitions that come or go; what it does itself is not limited. It must
 * not call rd_kafka_assign, which is done here after it: librdkafka 2.0 may end the group meanwhile and drop the call
 * without an answer. `unanswered`: the last rebalance before was not followed by rd_kafka_assign; it is now. Queues of
 * the consumer must have been destroyed. */
void kafka_consumer_leave(rd_kafka_t **consumer, int64_t limit_us, bool unanswered,
                          void (*rebalance)(rd_kafka_t *, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t *,
                                            void *),
                          void *context);
