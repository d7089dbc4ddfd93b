/* Ends a process whose loop stands still: neither turns, nor waits for a server that is known to be unavailable; and
 * says before that, which loop makes no progress, and at what.
 *
 * Looked at by the main thread. A loop within a call to Kafka is excused while no broker answers, one within a call to
 * PostgreSQL or the schema registry always (those calls have deadlines of their own). A process that was frozen itself
 * starts counting again. */
#pragma once

#include "base/bytes.h"
#include "scorer/progress.h"

struct watchdog {
    const struct named_progress *loops; /* borrowed */
    size_t count;
    int64_t limit_us; /* 0: never ends anything */
    int64_t looked_us;
    int64_t excused_us[66];  /* by loop: when it last turned or had an excuse */
    int64_t moved_us[66];    /* by loop: when it last had its partitions and committed, or had nothing to do */
    int64_t reported_us[66]; /* by loop: how long it had stood still when that was last logged */
};

/* True: the process must end; `text` (cleared before) says what each loop last did. */
bool watchdog_look(struct watchdog *watchdog, bool kafka_up, int64_t now_us, struct buffer *text);

/* True: `text` (cleared before) says which loops make no progress although a broker answers: they have no partitions
 * from their group, stand in one call, or commit none of their work. Once after 10 s, after 20, after 40, … */
bool watchdog_slow(struct watchdog *watchdog, bool kafka_up, int64_t now_us, struct buffer *text);
