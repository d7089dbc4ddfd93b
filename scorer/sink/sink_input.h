/* What the sink reads: records of messages, and where reading starts and ends: the logs' own ends and last stored
 * records, with which stored offsets are compared, and the ends at which --exit-at-end stops. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/options.h"
#include "scorer/sink/sink_batch.h"

/* Room for a message's headers, used again. Plain data. */
struct sink_headers {
    struct sink_header *items;
    size_t capacity;
};

/* All of a record but its topic. Borrows the message and what is in `headers` until the next call. */
struct sink_record sink_input_record(const rd_kafka_message_t *message, struct sink_headers *headers);

/* Holds a stored offset against the log, once per assignment, and has the last record before it verified where the log
 * still has it. STATUS_CONFLICT: they do not belong together, and err says what to do about it. STATUS_UNAVAILABLE: ask
 * again. */
MUST_USE enum status sink_input_check_start(rd_kafka_t *consumer, struct sink_partition *partition,
                                            const char *cluster_id, struct error *err);

/* rd_kafka_assign outside of the callback. Does nothing where the assignment is lost: it is about to be revoked, and
 * this would be taken for the answer, upon which the client joins again before anybody has asked who has its place. */
rd_kafka_resp_err_t sink_input_assign(rd_kafka_t *consumer, const rd_kafka_topic_partition_list_t *list);

/* Where to read from: RD_KAFKA_OFFSET_BEGINNING or an offset. */
int64_t sink_input_start(const struct sink_partition *partition);

/* While `verify` is set: whether the log's first record is the one that was stored. Drops nothing: records before
 * `next` were handled. STATUS_CONFLICT: it is another, so the log is not the one that the position is of. */
MUST_USE enum status sink_input_verify(struct sink_partition *partition, const struct sink_record *record,
                                       const char *cluster_id, struct error *err);

/* STATUS_CONFLICT when the brokers at the address are of another cluster by now. */
MUST_USE enum status sink_input_check_cluster(rd_kafka_t *consumer, const char *cluster_id, struct error *err);
/* The same after asking them, for half a second at most. */
MUST_USE enum status sink_input_ask_cluster(rd_kafka_t *consumer, const char *cluster_id, struct error *err);

/* Sets `end` of every partition to its log's real end, by a client of its own: the last committed transaction may not
 * have its marker yet, so what a read_committed client sees can lie before it. Those it cannot look up now stay
 * SINK_NO_OFFSET. */
MUST_USE enum status sink_input_find_ends(const struct options *options, struct sink_partition *partitions,
                                          size_t count, struct error *err);
