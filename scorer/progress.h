/* What a loop does and waits for, written by the loop alone and read from any thread: readiness, metrics, watchdog.
 *
 * Plain data, embedded in its loop; relaxed atomics, so what is read together may be of two moments. Steady clock. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a loop may wait for: WAIT(id, "name in metrics and messages"). */
#define LOOP_WAITS(WAIT) \
    WAIT(NOTHING, "nothing") \
    WAIT(KAFKA, "kafka") \
    WAIT(POSTGRESQL, "postgresql") \
    WAIT(REGISTRY, "schema-registry") \
    WAIT(REPARTITION, "state-repartition") \
    WAIT(MEMORY, "memory") \
    WAIT(TRANSACTION, "open-transaction")

enum loop_wait {
#define LOOP_WAIT_ID(id, name) WAITS_FOR_##id,
    LOOP_WAITS(LOOP_WAIT_ID)
#undef LOOP_WAIT_ID
        LOOP_WAIT_COUNT
};

/* A call that takes longer than this counts as a wait for the server it asks. */
enum { LOOP_CALL_US = 1000000 };

struct loop_progress {
    _Atomic(const char *) step;   /* what it does: "polls", "commits", …; NULL: not started, or ended */
    _Atomic int calls;            /* enum loop_wait: the server that the step asks */
    _Atomic int waits_for;        /* enum loop_wait: from turn to turn */
    _Atomic bool assigned;        /* its group has given it its share; readiness looks here alone */
    _Atomic int64_t turned_us;    /* the latest turn, or the start */
    _Atomic int64_t idle_us;      /* since then it has had work and committed none of it; 0: no work */
    _Atomic int64_t committed_us; /* the latest commit; 0: none */
};

/* A loop as readers know it. */
struct named_progress {
    char name[24]; /* "score-0", "sink" */
    const struct loop_progress *progress;
};

const char *loop_wait_name(enum loop_wait wait);

/* The loop's own thread. */
void progress_start(struct loop_progress *progress, int64_t now_us);
void progress_step(struct loop_progress *progress, const char *step, enum loop_wait calls);
void progress_turn(struct loop_progress *progress, bool has_work, enum loop_wait waits_for, int64_t now_us);
void progress_committed(struct loop_progress *progress, int64_t now_us);
void progress_end(struct loop_progress *progress);

/* Any thread. */
bool progress_runs(const struct loop_progress *progress);
enum loop_wait progress_waits_for(const struct loop_progress *progress, int64_t now_us);
/* How long it has had work, or stood in one call, and committed nothing. 0 while it waits for PostgreSQL or the schema
 * registry: that is named, and health shows it. */
int64_t progress_stalled_us(const struct loop_progress *progress, int64_t now_us);
