/* Reading current records back from the state topic, when partitions are assigned.
 *
 * The caller has looked up the group's stable committed offsets before. A commit's markers reach partitions one by one,
 * so the records of what is committed may not be readable yet: everything below the high watermark, as it is after that
 * look-up, is waited for. Then the position beside the records must be the committed offset. What this process still
 * has of a partition counts where its position is that offset: nobody has handled anything since. One thread, the score
 * loop's.
 *
 * Where there is a local snapshot (snapshots.h), only what is newer is read. What is read must begin with, or after,
 * the position record that the snapshot knows, and end as the topic says; else the snapshot is discarded and all is
 * read.
 *
 * Where the input has grown and the state topic not yet (scorer state repartition), partitions beyond it have no
 * records: they are left out, and wait. */
#pragma once

#include "scorer/counters.h"
#include "scorer/settings.h"
#include "scorer/state/snapshots.h"
#include "scorer/state/state.h"

struct state_restore;

/* Borrows all. Makes no client yet. snapshots NULL: there are none. */
struct state_restore *state_restore_new(const struct settings *settings, struct state *state,
                                        struct snapshots *snapshots, struct counters *counters);
void state_restore_free(struct state_restore *restore);

/* A partition of the input and the group's committed offset. Plain data. */
struct state_start {
    int32_t partition;
    int64_t committed;
    bool with_records; /* current records were committed with it */
    bool held;         /* set where *done: it was left out */
};

/* Goes on for a fraction of a second; *done: all are there, and what is of other partitions is not kept.
 * STATUS_UNAVAILABLE: ask again later, err says what it waits for; any other failure is for good. */
MUST_USE enum status state_restore_step(struct state_restore *restore, struct state_start *starts, size_t count,
                                        bool *done, struct error *err);
/* From now on a partition that somebody's open transaction holds does not keep the others waiting for longer than
 * patience_us: it is left out, has no records, and is to be prepared again when state_restore_may_go_on. Where it was
 * left out the last time too, nobody waits. */
void state_restore_leave_held(struct state_restore *restore, int64_t patience_us);
/* Whether such a transaction has ended, or there was none. Asks a broker, for half a second at most. */
bool state_restore_may_go_on(const struct state_restore *restore, int32_t partition);
/* Some of the partitions wait because the topic has none of their number. */
bool state_restore_is_short(const struct state_restore *restore);
/* For `scorer state` alone: positions of when the topic had fewer partitions are taken, and *partitions is how many. */
void state_restore_any_spread(struct state_restore *restore, int32_t *partitions);
/* The partitions are not to be restored any more. */
void state_restore_stop(struct state_restore *restore);
