/* Local snapshots of current records (STATE_SNAPSHOT_DIR): a file for each partition, so that a restart reads from the
 * state topic only what is newer. docs/STATE.md says when they are written, and when not used.
 *
 * One for each score loop, on its thread; files are sealed and written by a call in the background. A partition's file
 * is its scorer's: who has the partition writes it, or says by its time of change that it is still right. So a file
 * that nobody has said anything of for SNAPSHOTS_LEASE_S is of a partition that has gone to another host: any scorer of
 * the group removes it, since nobody here would hear of an erasure. */
#pragma once

#include "base/clock.h"
#include "scorer/counters.h"
#include "scorer/settings.h"
#include "scorer/state/snapshot_file.h"

/* Seconds between looks at the files (one where a partition has none yet); after which a changed partition is written
 * again; and see above. With a look at least each, what an erasure has removed is in no file a minute later. */
enum { SNAPSHOTS_LOOK_S = 10, SNAPSHOTS_INTERVAL_S = 300, SNAPSHOTS_LEASE_S = 45 };

struct snapshots;

/* Borrows all. */
MUST_USE enum status snapshots_new(const struct settings *settings, struct state *state, struct counters *counters,
                                   const struct clock_source *clock, struct snapshots **out, struct error *err);
void snapshots_free(struct snapshots *snapshots);

/* Where the records are now, before the first is loaded. `cluster` is copied; tombstones_ms: delete.retention.ms of the
 * state topic, less than 0: not known, and then no snapshot is used or written. */
void snapshots_set_topic(struct snapshots *snapshots, const char *cluster, int32_t partitions, int64_t tombstones_ms);
/* Into the partition's table, which is open and empty. False: it is to be read from the topic; where there is a file
 * that is no good, the log says why, it is gone, and the table is to be opened again. */
bool snapshots_load(struct snapshots *snapshots, int32_t partition, struct state_table *table,
                    struct snapshot_point *point);
/* It was loaded, and the topic disagrees. */
void snapshots_discard(struct snapshots *snapshots, int32_t partition, const char *why);

/* All records are there: files may be written; nothing of them is known before the next look. */
void snapshots_start(struct snapshots *snapshots);
/* Partitions leave, or are read again. `lost`: another may have changed them since. Waits for the file that is being
 * written. */
void snapshots_stop(struct snapshots *snapshots, bool lost);
/* Between batches: a millisecond or so of work. True: there is more. */
bool snapshots_turn(struct snapshots *snapshots);
/* Writes what has changed, at the end of the process, when the partitions have just left; stops after ten seconds,
 * since an end has a deadline. */
void snapshots_write_all(struct snapshots *snapshots);
