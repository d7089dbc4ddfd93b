/* Partitions that were assigned and cannot be read yet: where they start is being looked up, and their current records
 * are being read. Plain data, embedded in an input consumer; zeroed: none.
 *
 * A transaction that nobody ends may keep the group's offset of a partition, or its current records, from being read.
 * When that has lasted for PENDING_PATIENCE_US such partitions are held: the others are read without them, and all are
 * prepared once more when one of them can be. */
#pragma once

#include "scorer/state/state_restore.h"
#include "scorer/stream/start_offsets.h"

enum { PENDING_PATIENCE_US = 20000000 };

struct pending_partitions {
    rd_kafka_topic_partition_list_t *list; /* NULL: none are */
    rd_kafka_topic_partition_list_t *all;  /* everything that is assigned */
    rd_kafka_topic_partition_list_t *held; /* left out of the list; NULL: none */
    bool resolved;                         /* it has their starts */
    bool logged;                           /* that they wait */
    int64_t ask_us, since_us, look_us;     /* steady clock: when to ask again; since when they wait; the next look */
    size_t looks;                          /* at held ones, in turn */
};

/* What the owner has to do before they are read: as state_restore_step; and whether a partition that it has left out
 * can be prepared now. NULL: nothing. */
struct pending_prepare {
    enum status (*step)(void *context, struct state_start *starts, size_t count, bool *done, struct error *err);
    bool (*may_go_on)(void *context, int32_t partition);
    void *context;
};

void pending_partitions_set(struct pending_partitions *pending, const rd_kafka_topic_partition_list_t *assigned);
void pending_partitions_drop(struct pending_partitions *pending);
void pending_partitions_taken(struct pending_partitions *pending); /* those of the list are read now */
size_t pending_partitions_held(const struct pending_partitions *pending);

/* Looks every ten seconds, for about a second at most, whether some that are held can be prepared now. True: all are
 * pending again, but for those that are held still; the owner has them assigned again. */
bool pending_partitions_again(struct pending_partitions *pending, const struct start_offsets *start,
                              const struct pending_prepare *prepare);

/* Goes on with both, for some seconds at most. *ready: they can be read, from the list's offsets. Failure is for good;
 * what may pass is logged once and tried again. */
MUST_USE enum status pending_partitions_step(struct pending_partitions *pending, const struct start_offsets *start,
                                             const struct pending_prepare *prepare, bool *ready, struct error *err);
