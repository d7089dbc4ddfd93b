/* Partitions that were assigned and cannot be read yet: where they start is being looked up, and their current records
 * are being read. Plain data, embedded in an input consumer; zeroed: none. */
#pragma once

#include "scorer/state/state_restore.h"
#include "scorer/stream/start_offsets.h"

struct pending_partitions {
    rd_kafka_topic_partition_list_t *list; /* NULL: none are */
    bool resolved;                         /* it has their starts */
    bool logged;                           /* that they wait */
    int64_t ask_us;                        /* steady clock: when to ask again */
};

/* What the owner has to do before they are read: as state_restore_step. NULL: nothing. */
struct pending_prepare {
    enum status (*step)(void *context, const struct state_start *starts, size_t count, bool *done, struct error *err);
    void *context;
};

void pending_partitions_set(struct pending_partitions *pending, const rd_kafka_topic_partition_list_t *assigned);
void pending_partitions_drop(struct pending_partitions *pending);

/* Goes on with both, for some seconds at most. *ready: they can be read, from the list's offsets. Failure is for good;
 * what may pass is logged once and tried again. */
MUST_USE enum status pending_partitions_step(struct pending_partitions *pending, const struct start_offsets *start,
                                             const struct pending_prepare *prepare, bool *ready, struct error *err);
