/* Where the group starts to read a partition of the input topic: a real offset, committed before anything is read.
 *
 * A partition starts at the group's committed offset. Where it has none:
 *   - the group has some for other partitions of the topic: the partition is new, and starts at its beginning;
 *   - the group has none at all: it is new (or its offsets have expired), and KAFKA_AUTO_OFFSET_RESET counts. Whoever
 *     holds partition 0 commits the starts of all partitions in one request; the others wait for that. So the group is
 *     new for one member alone and for one moment, and no member takes the commits of another for its own past. Members
 *     of an earlier generation cannot interfere: the coordinator refuses their commits.
 * Called on the score loop's thread; each call blocks at most some seconds and then says "ask again". */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/status.h"
#include "scorer/stream/lag.h"

/* Plain data; borrows all. */
struct start_offsets {
    rd_kafka_t *consumer;
    const char *topic, *group;
    bool latest;      /* a new group starts at the end */
    const char *loop; /* "score" or "sink": who logs */
};

/* Takes auto.offset.reset out of `conf`, where librdkafka shall never act on it. */
MUST_USE enum status start_offsets_policy(struct start_offsets *start, rd_kafka_conf_t *conf, struct error *err);

/* Sets the offset of each of the partitions, which are those assigned now. STATUS_UNAVAILABLE: not yet, ask again; err
 * says why. Any other failure is for good. */
MUST_USE enum status start_offsets_resolve(const struct start_offsets *start, rd_kafka_topic_partition_list_t *assigned,
                                           struct error *err);

/* Whether a broker says the group's offset of the partition, or that there is none; no answer within half a second is
 * false, as where a transaction is open there. */
bool start_offsets_known(const struct start_offsets *start, int32_t partition);

/* The end of a partition's log now; waits for a broker until *stop. */
MUST_USE enum status start_offsets_find_end(const struct start_offsets *start, int32_t partition,
                                            const _Atomic bool *stop, int64_t *end, struct error *err);

/* Partitions of the topic that nobody in the group has taken yet: those without a committed offset, since whoever takes
 * one commits its start (the sink: its end, once it has read it). Plain data; zeroed: none known. */
struct untaken_partitions {
    struct partition_lag lags[64]; /* more are not counted */
    size_t count;
    int32_t known;    /* all before it are taken; only those after it are asked for */
    int64_t look_us;  /* steady clock: when to look again */
    int64_t since_us; /* steady clock: when there were some first; 0: there are none */
};

/* Looks for them, every ten seconds at most; where no broker answers (within a second) what was known stays. */
void untaken_partitions_look(struct untaken_partitions *untaken, const struct start_offsets *start);
/* Whether the group has left them alone for too long; true once for each such while. */
bool untaken_partitions_overdue(struct untaken_partitions *untaken);
uint64_t untaken_partitions_messages(const struct untaken_partitions *untaken); /* what they hold, as last looked up */

/* The log does not have offset `wanted` any more, or not yet: says what is gone, and that a person must decide. Returns
 * the status of err. */
enum status start_offsets_report_gone(const struct start_offsets *start, int32_t partition, int64_t wanted,
                                      const char *reason, struct error *err);

/* The same for a log that has another record at `offset` than the one that was handled there. */
enum status start_offsets_report_changed(const struct start_offsets *start, int32_t partition, int64_t offset,
                                         struct error *err);
