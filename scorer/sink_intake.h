/* Where the sink's reading starts and ends: the logs' own ends, against which stored offsets are held and at which
 * --exit-at-end stops. */
#ifndef SCORER_SINK_INTAKE_H
#define SCORER_SINK_INTAKE_H

#include <librdkafka/rdkafka.h>

#include "base/options.h"
#include "scorer/sink_batch.h"

/* Holds a stored offset against the log, once per assignment. STATUS_CONFLICT: they do not belong together, and err
 * says what to do about it. STATUS_UNAVAILABLE: ask again. */
MUST_USE enum status sink_intake_check_start(rd_kafka_t *consumer, struct sink_partition *partition,
                                             const char *cluster_id, const char *group_id, struct error *err);

/* Sets `end` of every partition to its log's real end, by a client of its own: the last committed transaction may not
 * have its marker yet, so what a read_committed client is told can lie before it. Those it cannot look up now stay
 * SINK_NO_OFFSET. */
MUST_USE enum status sink_intake_find_ends(const struct options *options, struct sink_partition *partitions,
                                           size_t count, struct error *err);

#endif
