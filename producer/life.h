/* Synthetic employees over time: who is there, is hired, changes and leaves, event by event in the order of time.
 *
 * A staff of constant size: who leaves is replaced. Leaving follows the planted risk: its logistic function is the
 * probability of leaving within a year, if nothing changes meanwhile. Between two events of an employee everything is
 * constant, so times are exponential; employee n and its events depend on the seed and on when it comes alone. Memory
 * is that of the staff, however long it lives. One thread. */
#pragma once

#include "events/event.h"
#include "producer/arrival.h"
#include "producer/drift_and_bias.h"
#include "producer/recipe.h"

struct life_settings {
    const struct recipe *recipe; /* has a life */
    const struct schema *schema;
    const struct drift_and_bias *planted;
    uint64_t staff, seed;
    int64_t start_ms, end_ms;
    enum arrival arrival; /* of the times at which events occur; bursts are weekly */
    bool partial;         /* changes say what has changed alone */
};

struct lives;
/* Borrows all. */
struct lives *lives_new(const struct life_settings *settings);
void lives_free(struct lives *lives);

/* Plain data; cells borrow from the lives until the next call. Ids and texts are the caller's to make: employee
 * `index`, from 0, and its event `number`, from 0. */
struct life_event {
    uint64_t index;
    uint32_t number;
    enum event_type type;
    int64_t time_ms;
    bool partial;
    struct cell *cells;
};
/* False: the time is over. */
bool lives_next(struct lives *lives, struct life_event *out);
