/* One producer and its transactions, as the score loop and the dead-letter replay use them: begin, send, commit or
 * abort. What they are made of is in transaction_setup.h, what an error asks for in error_class.h.
 *
 * A transaction is never torn by a request that arrives late. librdkafka sends a request again when its connection is
 * lost, with the same epoch, and says nothing; the first copy may reach the broker in the middle of the next
 * transaction. So requests are counted when they are sent and when they are answered, and where one of a finished
 * transaction has no answer, the next begins with a fresh producer: the same transactional.id, a new epoch, and the
 * broker refuses the late copy. Where nothing breaks, that costs two additions a request.
 *
 * What became of a commit that failed after its request left is not known: a fresh producer ends it either way, and the
 * group's stable committed offsets show which. A fresh producer throws out whoever holds the same transactional.id, so
 * where the identity belongs to a static group member, the group is asked first whether we still are that member.
 *
 * Without an identity the same calls work at least once: an idempotent producer, offsets committed after the records.
 * One call at a time, from whichever thread. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"
#include "kafka/transaction_record.h"
#include "kafka/error_class.h"
#include "kafka/transaction_setup.h"

struct transaction;

/* Makes the producer, waits for a broker, takes the topics. */
MUST_USE enum status transaction_new(const struct transaction_setup *setup, struct transaction **out,
                                     struct error *err);
/* Fences earlier producers of the identity and waits for their transactions to end. */
MUST_USE enum status transaction_start(struct transaction *transaction, struct error *err);
void transaction_free(struct transaction *transaction); /* aborts what is open */

rd_kafka_t *transaction_client(const struct transaction *transaction);

/* Nothing when one is open. Waits out the pause after a rollback, and opens a fresh producer where one
 * is needed. Failure is for good (or STATUS_UNAVAILABLE when stopping); commit returns it again. */
MUST_USE enum status transaction_begin(struct transaction *transaction, struct error *err);
/* Where look-ups of stable offsets get no answer: a fresh producer ends what an earlier one of this identity may have
 * left open in the group. Nothing while a transaction is open. */
MUST_USE enum status transaction_end_leftovers(struct transaction *transaction, struct error *err);
/* The partitions whose offsets were committed are given up: a fresh producer does not look whether the group has kept
 * them, since others' transactions may hide them from now on, and whoever is given them asks the group. */
void transaction_forget_offsets(struct transaction *transaction);
/* While nothing is open and there is no work: false where it has not been seen that the last commit has reached its
 * partitions (transaction_markers.h); confirm looks once more. Failure is for good. */
bool transaction_is_confirmed(const struct transaction *transaction);
MUST_USE enum status transaction_confirm(struct transaction *transaction, struct error *err);
bool transaction_is_open(const struct transaction *transaction);
/* What it did last may be left open until a fresh producer comes, or a request without an answer may still open
 * something: at the next begin, or by transaction_end_leftovers. While nothing is open. */
bool transaction_is_stale(const struct transaction *transaction);

/* Copies the record into the open transaction; waits while the queue is full. Only ERROR_CLASS_TOO_LARGE and
 * ERROR_CLASS_TIMESTAMP leave the transaction whole; any other error has broken it, as a failed report does. */
MUST_USE rd_kafka_resp_err_t transaction_send(struct transaction *transaction, const struct transaction_record *record);
/* Waits until everything sent has its report, or *stop. */
void transaction_flush(struct transaction *transaction);

/* The first error of a record of the open or last transaction, and its topic's name (NULL: of none); NO_ERROR: whole.
 */
rd_kafka_resp_err_t transaction_broken(const struct transaction *transaction);
const char *transaction_broken_topic(const struct transaction *transaction);
void transaction_break(struct transaction *transaction, rd_kafka_resp_err_t code, const char *topic);

enum transaction_result {
    TRANSACTION_COMMITTED,   /* records and offsets stand */
    TRANSACTION_ROLLED_BACK, /* nothing of it counts; err has the reason */
    TRANSACTION_FAILED,      /* for good; err says why */
};
/* Commits the open transaction, and with it the consumer's offsets (NULL: none; borrowed). Waits for brokers. */
MUST_USE enum transaction_result transaction_commit(struct transaction *transaction, rd_kafka_t *consumer,
                                                    const rd_kafka_topic_partition_list_t *offsets, struct error *err);
/* Rolls the open transaction back. */
void transaction_abort(struct transaction *transaction);
/* The transaction was rolled back for a reason that may pass: the next begin waits, longer each time until a commit.
 * Returns how long, in milliseconds. */
int transaction_pause(struct transaction *transaction);
