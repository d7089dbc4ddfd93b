/* Kafka for the audit: ends of logs, the group's committed offsets, and a topic's records as readers of committed
 * records see them. Joins no group and commits nothing. */
#pragma once

#include "base/options.h"
#include "scorer/sink/sink_rows.h"

struct audit_kafka;

/* Waits for a broker. */
MUST_USE enum status audit_kafka_new(const struct options *options, const char *group_id, struct audit_kafka **out,
                                     struct error *err);
void audit_kafka_free(struct audit_kafka *kafka);

/* The cluster's id, the caller's to free(). */
MUST_USE enum status audit_kafka_cluster(struct audit_kafka *kafka, char **out, struct error *err);

/* One partition of a topic, from 0 on. Plain data. */
struct audit_part {
    int64_t low, high;  /* of the log */
    int64_t start, end; /* what to read: [start, end); set by the caller */
};

/* Looks up low and high of these partitions, 0 to count - 1; start and end are the same. */
MUST_USE enum status audit_kafka_ends(struct audit_kafka *kafka, const char *topic, struct audit_part *parts,
                                      size_t count, struct error *err);
/* *out is the caller's to free(). start and end are low and high. */
MUST_USE enum status audit_kafka_parts(struct audit_kafka *kafka, const char *topic, struct audit_part **out,
                                       size_t *count, struct error *err);
/* The group's committed offsets, none of an open transaction; -1: none. `out` has room for count. */
MUST_USE enum status audit_kafka_committed(struct audit_kafka *kafka, const char *topic, int64_t *out, size_t count,
                                           struct error *err);
/* The first offsets whose record is as late as that, or the logs' ends. */
MUST_USE enum status audit_kafka_at_time(struct audit_kafka *kafka, const char *topic, int64_t time_ms,
                                         const struct audit_part *parts, int64_t *out, size_t count, struct error *err);
/* Whether cleanup.policy has compact; false where the broker does not say. */
bool audit_kafka_is_compacted(struct audit_kafka *kafka, const char *topic);

/* Reads [start, end) of every partition, waiting for open transactions to end. `take` may fail. STATUS_CONFLICT: Kafka
 * deleted records meanwhile. */
MUST_USE enum status audit_kafka_read(struct audit_kafka *kafka, const char *topic, const struct audit_part *parts,
                                      size_t count,
                                      enum status (*take)(void *context, struct sink_record *record, struct error *err),
                                      void *context, struct error *err);
