/* What a group has committed, as its brokers report it, against what was acknowledged to us. One thread. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/status.h"

/* Fills in the stable offsets of the list: brokers do not report them while a transaction is open on them. Waits for
 * some seconds, or until *stop; STATUS_UNAVAILABLE: no answer, and what blocks them may be a transaction that a
 * late request of ours has opened, which a fresh producer ends. `where`: the caller, in logs. */
MUST_USE enum status committed_offsets_read(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *list,
                                            const char *where, const _Atomic bool *stop, struct error *err);

/* The offsets that were committed last, by partition. Zeroed: none yet. */
struct committed_offsets {
    rd_kafka_topic_partition_list_t *offsets;
    rd_kafka_t *consumer; /* borrowed: of the group */
};
void committed_offsets_note(struct committed_offsets *committed, rd_kafka_t *consumer,
                            const rd_kafka_topic_partition_list_t *offsets);
/* Whether they still stand; STATUS_CONFLICT: the group is behind one of them. */
MUST_USE enum status committed_offsets_check(const struct committed_offsets *committed, const char *where,
                                             const _Atomic bool *stop, struct error *err);
void committed_offsets_free(struct committed_offsets *committed);
/* Offsets and their metadata; lists of the same partitions in the same order. */
bool committed_offsets_equal(const rd_kafka_topic_partition_list_t *wanted,
                             const rd_kafka_topic_partition_list_t *found);
