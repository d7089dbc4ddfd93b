/* What a score loop writes: predictions, dead letters, erasures, outcomes, current records, alerts, and the offsets one
 * past them.
 *
 * Wraps one producer. Exactly once: everything between two commits is one Kafka transaction, offsets
 * included. At least once: the same calls, an idempotent producer, and offsets committed when all records since the
 * last commit are acknowledged. All calls come from the score loop's thread, which goes on with the next transaction
 * while a commit is under way. */
#pragma once

#include "events/error_codes.h"
#include "scorer/state/state.h"
#include "scorer/stream/input_consumer.h"

struct publish;

/* Waits for a broker and checks the output topics (the dead letters' needs the input's partition count, that of current
 * records the same). `state`: NULL: there are none; else its partitions' positions are written and kept up to date
 * here. */
MUST_USE enum status publish_new(const struct settings *settings, unsigned worker, int input_partitions,
                                 struct input_consumer *input, struct state *state, const _Atomic bool *stop,
                                 struct publish **out, struct error *err);
/* Fences what an earlier process of the same identity left open. Once, before anything else, when the group lists this
 * process: whoever starts last throws out the others, and that must be the one that joined last. */
MUST_USE enum status publish_start(struct publish *publish, struct error *err);
void publish_free(struct publish *publish); /* aborts what is open */

/* Each copies what it needs. false: this record is larger than the broker takes, publish a too_large dead letter
 * instead. Other failures are kept until publish_commit, which then rolls the transaction back. */
MUST_USE bool publish_prediction(struct publish *publish, const struct input_message *source, struct span key,
                                 struct span value, bool hired);
MUST_USE bool publish_erasure(struct publish *publish, const struct input_message *source, struct span employee_id);
/* value: the source's, or what it becomes where that is no Avro. */
MUST_USE bool publish_outcome(struct publish *publish, const struct input_message *source, struct span key,
                              struct span value);
/* The current record of an employee after this source; SPAN_NULL: there is none any more. */
void publish_state(struct publish *publish, const struct input_message *source, struct span employee_id,
                   struct span value);
/* An alert that this source has raised. */
void publish_alert(struct publish *publish, const struct input_message *source, struct span employee_id,
                   struct span value);
/* field: the column's name, or NULL. A dead letter too large even for that goes without its value,
 * and if need be without key and the source's headers. */
void publish_dead_letter(struct publish *publish, const struct input_message *source, enum event_code code,
                         const char *field, const char *text);

/* For good: nothing of the open transaction is committed any more, and its commit fails with this text. */
void publish_refuse(struct publish *publish, const struct error *why);

/* The last transaction was rolled back because of rejected records, which are being found. */
bool publish_is_bisecting(const struct publish *publish);

enum publish_result {
    PUBLISH_COMMITTED,   /* outputs and offsets stand */
    PUBLISH_ROLLED_BACK, /* nothing of it counts: rewind the input consumer and do it again */
    PUBLISH_FAILED,      /* for good: end with status 1; err says why */
};

/* Begins to commit outputs and the input consumer's moved positions, in the background. What is published from here on
 * is the next transaction: it is staged until the commit has ended, or waits for that where the staged records become
 * too many. */
void publish_commit_start(struct publish *publish, struct input_consumer *input);
bool publish_commit_ended(const struct publish *publish); /* publish_commit_finish will not wait for brokers */
/* The result of the commit begun; waits for brokers that are unavailable. Committed: the input consumer's committed
 * positions are those of its beginning, and the next transaction is open. Else the next transaction is rolled back with
 * it. */
MUST_USE enum publish_result publish_commit_finish(struct publish *publish, struct input_consumer *input,
                                                   struct error *err);
/* No commit may be under way in what follows. Rolls the open transaction back. */
void publish_abort(struct publish *publish);

/* The group does not return its offsets: ends what an earlier producer of ours may have left open in it. */
MUST_USE enum status publish_end_leftovers(struct publish *publish, struct error *err);
void publish_forget_offsets(struct publish *publish); /* partitions leave: see transaction_forget_offsets */
/* The last commit's markers: transaction_is_confirmed, transaction_confirm. */
bool publish_is_confirmed(const struct publish *publish);
MUST_USE enum status publish_confirm(struct publish *publish, struct error *err);
bool publish_has_leftovers(const struct publish *publish); /* its last transaction may have left something open */
