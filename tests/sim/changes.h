/* Whole and partial events, where a run keeps current records, and what must come of them: see changes.c. */
#pragma once

#include "events/event.h"
#include "events/schema.h"
#include "tests/sim/sim.h"

void changes_begin(const struct schema *given, int64_t events);
/* What the event of this number is; its cells are those of a whole record before. */
void changes_draw(int64_t number, struct event *event, struct cell *cells);
/* The model's: that of this row. */
double changes_probability(const struct cell *cells, size_t row);
double changes_margin(double probability);
/* After the run. */
void changes_check(void);
