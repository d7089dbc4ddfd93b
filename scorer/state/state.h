/* The current records of a score loop's partitions, and what is needed to take changes back: the changes of an open
 * transaction may be rolled back, and then its changes never were.
 *
 * Changes are those of the open transaction. When its commit begins they are marked, and the next transaction's follow;
 * a commit that succeeds drops what was marked, and one that does not takes back everything. One thread. */
#pragma once

#include "base/status.h"
#include "scorer/state/state_table.h"

/* Which model made a prediction. Plain data. */
struct state_model {
    struct span name, version;
    double threshold;
};

struct state;

struct state *state_new(void);
void state_free(struct state *state);

/* --- partitions --- */

/* An empty table for it, in place of what there was; the caller fills it while nothing of the partition is open. */
struct state_table *state_open(struct state *state, int32_t partition);
void state_close(struct state *state, int32_t partition);
int32_t state_last(const struct state *state); /* no partition beyond it is open; -1: none is */
bool state_has(const struct state *state, int32_t partition);
size_t state_count_of(const struct state *state, int32_t partition); /* its records, markers among them */
/* The input position that its records are good for: what is committed. -1: not known. */
int64_t state_position(const struct state *state, int32_t partition);
void state_set_position(struct state *state, int32_t partition, int64_t position);

/* Where the state topic has the last position record that counts, and since when its records have been written one
 * after the other: what is written after the topic was recreated began later. Plain data. */
struct state_origin {
    int64_t offset;   /* -1: not known */
    int64_t begun_us; /* since 1970; 0: an earlier version did not say */
};
struct state_origin state_origin(const struct state *state, int32_t partition); /* it is open */
void state_set_origin(struct state *state, int32_t partition, struct state_origin origin);

/* --- records; the partition is open --- */

bool state_find(const struct state *state, int32_t partition, struct span employee_id, struct state_record *out);
/* As state_table_next; false where the partition is not open. */
bool state_next(const struct state *state, int32_t partition, size_t *at, struct state_record *out);
void state_put(struct state *state, int32_t partition, const struct state_record *record);
bool state_remove(struct state *state, int32_t partition, struct span employee_id);

/* The place of the last change in the log of the open transaction, until a commit or rollback has a result. */
size_t state_last_change(const struct state *state);
/* The record that this change has replaced, with all that has been said of it since; false: there was none. Borrows
 * until the next change. */
bool state_replaced(const struct state *state, size_t change, struct state_record *out);
/* The prediction and the alert of the record that this change has put, whose employee and source offset `scored` names:
 * goes back with it. It may have been replaced since, and then is what a later change has replaced. */
void state_set_score(struct state *state, int32_t partition, size_t change, const struct state_record *scored);

/* --- transactions --- */

void state_mark(struct state *state);      /* a commit begins of all changes so far */
void state_committed(struct state *state); /* … and has succeeded */
void state_roll_back(struct state *state); /* neither it nor what followed counts */

/* --- copies, for files: the committed records, without the changes of the open transaction --- */

/* As state_table_copy. A change while it goes on is not in it, or is; whoever reads the copy reads what the state topic
 * has after the origin of before too. */
bool state_copy(const struct state *state, int32_t partition, size_t *at, size_t most, struct buffer *out);
/* Then the committed records that the open transaction has replaced. */
void state_copy_replaced(const struct state *state, int32_t partition, struct buffer *out);
/* While it stays the same, nothing has come between the parts of a copy. */
uint64_t state_generation(const struct state *state, int32_t partition);
/* How many records were removed by committed transactions. */
uint64_t state_removals(const struct state *state, int32_t partition);

/* --- models --- */

/* The number of a model, added where it is new. */
uint16_t state_model_number(struct state *state, const struct state_model *model);
const struct state_model *state_model_at(const struct state *state, uint16_t number);
uint16_t state_model_count(const struct state *state);

/* --- memory --- */

size_t state_count(const struct state *state);            /* records of all partitions */
size_t state_bytes(const struct state *state);            /* memory of all */
void state_limit_bytes(struct state *state, size_t most); /* 0: no limit */
bool state_is_limited(const struct state *state);
/* Whether a new employee's record of this size stays under the limit. */
bool state_fits(struct state *state, int32_t partition, size_t id_bytes, size_t row_bytes);
/* One did not fit, and since then no record has gone. */
bool state_is_full(const struct state *state);
