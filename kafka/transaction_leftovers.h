/* What earlier transactions of an identity may have left open in the group and in the topics, although the coordinator
 * calls them ended: it is aborted here, before anything is sent under a new epoch.
 *
 * A TxnOffsetCommit of an earlier epoch may arrive late, and then waits in the group for a marker that nobody sends: no
 * look-up of stable offsets gets past it. And a coordinator may skip markers: those of Kafka 4.1 to 4.4 and later
 * (KAFKA-20734) take a partition whose leader is unavailable for a deleted one. Records of an aborted transaction then
 * stay open, and the next marker of the same identity decides them: a commit would publish them beside their copies.
 *
 * So a fresh producer begins with a transaction that writes to every partition and to the group, and aborts it. Its
 * markers reach everything that was left, and bring the epoch by which brokers refuse what is still on its way. These
 * markers may be skipped as well, all of them where a whole broker was unavailable: the group then goes on waiting for
 * its one, and it is done once more. */
#ifndef KAFKA_TRANSACTION_LEFTOVERS_H
#define KAFKA_TRANSACTION_LEFTOVERS_H

#include "kafka/overdue.h"
#include "kafka/transaction.h"

/* `topics`: handles in the order of the setup's names. `*report`: where the caller's delivery callback notes the error
 * of a record meanwhile; the reason, where this fails. *repeated becomes true where a call ran out of time and was made
 * again: a fresh producer must follow (see transaction.c). Waits for brokers. */
MUST_USE enum status leftovers_abort(const struct transaction_setup *setup, rd_kafka_t *producer,
                                     struct overdue *overdue, rd_kafka_topic_t *const *topics,
                                     rd_kafka_resp_err_t *report, bool *repeated, struct error *err);

/* Whether the markers of the last leftovers_abort have reached the group: its offset is stable. Waits for at most 2 s;
 * no answer is *ended = false. Without a member there is nobody to ask, and *ended is true. */
MUST_USE enum status leftovers_check(const struct transaction_setup *setup, bool *ended, struct error *err);

#endif
