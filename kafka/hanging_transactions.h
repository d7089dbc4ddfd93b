/* Hanging transactions of an identity: what earlier ones may have left open in the group and in the topics, although
 * the coordinator calls them ended. It is aborted here, before anything is sent under a new epoch.
 *
 * A TxnOffsetCommit of an earlier epoch may arrive late, and then waits in the group for a marker that nobody sends: no
 * look-up of stable offsets gets past it. And a coordinator may skip markers: those of Kafka 4.1 to 4.4 and later
 * (KAFKA-20734) take a partition whose leader is unavailable for a deleted one. Records of an aborted transaction then
 * stay open, and the next marker of the same identity decides them: a commit would publish them as well as their
 * copies.
 *
 * So a fresh producer begins with a transaction that writes to every partition and to the group, and aborts it. Its
 * markers reach everything that was left, and bring the epoch by which brokers refuse what is still on its way. These
 * markers may be skipped as well, where brokers were unavailable: so it is looked whether the group's offset is stable
 * and the last stable offset of each partition has passed the record there, and otherwise all is done once more. Else
 * the next commit would publish these records, which are of no event. */
#pragma once

#include <stdatomic.h>

#include "base/status.h"
#include "kafka/transaction_markers.h"

/* Plain data, embedded; must outlive the client. */
struct hanging_transactions {
    _Atomic bool sending;                  /* what is acknowledged are records of hanging_transactions_end */
    rd_kafka_resp_err_t report;            /* the first error of one that says why */
    bool refused;                          /* one was, for good: its topic is left out from then on */
    rd_kafka_topic_partition_list_t *sent; /* where they are, each the opaque of its record */
    int64_t again_us;                      /* steady clock: what was hidden is to be ended again then; 0: nothing */
    bool unfinished;                       /* the next producer must go on: places of records are kept for it */
    bool repeated;                         /* a call ran out of time and was made again: a fresh producer must follow */
};

void hanging_transactions_free(struct hanging_transactions *hanging);
/* By the owner's delivery callback, while `sending`. */
void hanging_transactions_report(struct hanging_transactions *hanging, const rd_kafka_message_t *message);

/* Whether a fresh producer shall look again, when there is no work. */
bool hanging_transactions_are_due(const struct hanging_transactions *hanging);
/* Waits for brokers; for markers half a minute at most, since it may be another process's transaction that blocks the
 * offsets, and a broker that answers for so long skips none. Where it fails, `report` is the reason, if it is one of
 * the records. Without a member the group is not asked, and markers are looked for once. Clears the places of records,
 * but where a request has no answer: it might be taken for one of the next transaction of this producer, so none
 * follows, and the fresh one that the caller owes then goes on. */
MUST_USE enum status hanging_transactions_end(struct hanging_transactions *hanging, struct markers *markers,
                                              const struct markers_client *client, struct error *err);
