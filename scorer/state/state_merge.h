/* What an event makes of its employee's current record: the rules of docs/STATE.md, without Kafka.
 *
 * Events of a partition come here one after the other, decoded and validated as far as they can be alone. A change is
 * made at once and is rolled back with its transaction (state.h). */
#pragma once

#include "events/error_codes.h"
#include "events/event.h"
#include "events/schema.h"
#include "scorer/state/state.h"

struct state_merge;

/* Borrows both. */
struct state_merge *state_merge_new(const struct schema *schema, struct state *state);
void state_merge_free(struct state_merge *merge);

/* Where an event comes from. Plain data. */
struct state_source {
    int32_t partition;
    int64_t offset;
    bool keyed; /* its key names the employee; else it takes no part in the state */
};

enum state_change {
    STATE_CHANGE_NONE,     /* it is scored, or an outcome, and changes nothing */
    STATE_CHANGE_RECORD,   /* the record is the event's, with what it leaves as it was */
    STATE_CHANGE_MARKER,   /* the employee has left */
    STATE_CHANGE_REMOVED,  /* nothing is known of the employee any more: a null value alone does that */
    STATE_CHANGE_REFUSED,  /* nothing is changed: a dead letter, fault says why */
    STATE_CHANGE_GONE,     /* nothing is changed: it was to be scored again, and there is no record any more */
    STATE_CHANGE_REPEATED, /* the record holds it already: it was done before, and has its result */
    STATE_CHANGE_FULL,     /* nothing is changed: a new employee's record has no room in memory; the event waits */
};

/* A partial event's cells are completed in place; it is none any more where it is not refused. */
enum state_change state_merge_event(struct state_merge *merge, const struct state_source *source, struct event *event,
                                    struct fault *fault);
/* After STATE_CHANGE_RECORD: whether the record is the employee's first one, or begins again. */
bool state_merge_begins(const struct state_merge *merge);
