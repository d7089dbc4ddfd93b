/* Requests to erase that a replay has to respect: read from the topics before the first letter is sent, and again while
 * letters are sent.
 *
 * A letter lies at some place of the input topic. A null value of the same employee after that place means that the
 * letter must not come back. Null values are looked for in the input topic itself, from the oldest letter on: so those
 * count too that the scorer has not handled yet. Where the input topic no longer reaches back to a letter, the null
 * values that the scorer has passed on to the output topic are read; where that does not reach back either, nobody can
 * know.
 *
 * A request may come while letters are sent, and before a letter in the log. So when letters lie in the input topic, in
 * an open transaction, all that lies before them is looked at, uncommitted records too: where it may be of one of them,
 * the transaction is aborted, and when it is known what was committed the letters are checked again. One thread. */
#pragma once

#include "producer/dlq_kafka.h"
#include "producer/dlq_content.h"

struct dlq_erasures;

/* Borrows the reader. *stop ends waiting for a broker. */
MUST_USE enum status dlq_erasures_new(const struct options *options, struct dlq_content_reader *contents,
                                      const _Atomic bool *stop, struct dlq_erasures **out, struct error *err);
void dlq_erasures_free(struct dlq_erasures *erasures);

/* A letter that may be replayed: requests from its place on are asked for. Before dlq_erasures_read. */
void dlq_erasures_expect(struct dlq_erasures *erasures, const struct dlq_letter *letter);
MUST_USE enum status dlq_erasures_read(struct dlq_erasures *erasures, struct error *err);

enum dlq_erased { DLQ_NOT_ERASED, DLQ_ERASED, DLQ_ERASED_PERHAPS, DLQ_ERASED_UNKNOWN };
/* PERHAPS: whose letter it is cannot be read, and somebody was erased since. UNKNOWN: the topics no longer reach back
 * to it. */
enum dlq_erased dlq_erasures_check(struct dlq_erasures *erasures, const struct dlq_letter *letter);

/* Looks at what has come to the input topic, committed or not, up to its end as it is now. */
MUST_USE enum status dlq_erasures_look(struct dlq_erasures *erasures, struct error *err);
/* Whether one of those, or a request nobody has decided about, may be of this letter. */
bool dlq_erasures_suspect(struct dlq_erasures *erasures, const struct dlq_letter *letter);
/* Waits until all that was looked at is committed or aborted: dlq_erasures_check knows it then, and nothing is suspect.
 * The caller has no open transaction. */
MUST_USE enum status dlq_erasures_settle(struct dlq_erasures *erasures, struct error *err);
