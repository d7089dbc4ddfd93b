/* Progress for people: on a terminal one line that is redrawn, elsewhere a plain line every few seconds.
 *
 * Plain data, on the caller's stack; one thread. After progress_begin a test may set `terminal` and `columns` itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/clock.h"

struct progress {
    FILE *out;
    const struct clock_source *clock;
    const char *label; /* "events": what is counted; borrowed */
    uint64_t total;    /* 0: unknown */
    uint64_t done;
    uint64_t passed;              /* of them those that took no work: no part of the rate */
    uint64_t rejected, in_flight; /* shown where they are not 0 */
    int64_t started_us, shown_us; /* steady clock */
    bool terminal;
    unsigned columns; /* of the terminal; 0: asked again at every draw */
};

/* Whether `out` is a terminal decides the form. Nothing is drawn yet. */
void progress_begin(struct progress *progress, FILE *out, const struct clock_source *clock, const char *label,
                    uint64_t total);

/* done: so far, from 0 to total. Cheap when called often: draws at most ten times a second on a terminal, and every
 * ten seconds elsewhere. */
void progress_update(struct progress *progress, uint64_t done);

/* Clears the terminal's line, so that another line can be printed; the next update draws it again. */
void progress_hide(struct progress *progress);

/* Draws the last state and ends the line. */
void progress_end(struct progress *progress);

/* Appends 1234567 as "1,234,567". */
void progress_add_count(struct buffer *line, uint64_t count);
