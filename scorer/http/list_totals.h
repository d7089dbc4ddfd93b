/* How many employees the conditions of a question leave, kept for a moment where counting takes long, so that many
 * readers of one list have it counted now and then, not each time. A number names nobody: who may ask for a list may be
 * given the number that another was given. Any thread. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

struct list_totals; /* opaque */

struct list_totals *list_totals_new(void);
void list_totals_free(struct list_totals *totals); /* NULL is fine */

/* Times are of the steady clock, in microseconds. False: not kept, or too old. */
bool list_totals_find(struct list_totals *totals, struct span question, int64_t now_us, uint64_t *out);
/* What took less than 5 ms to count is not kept; else for a hundred times as long as it took, 10 s at most. */
void list_totals_keep(struct list_totals *totals, struct span question, uint64_t total, int64_t began_us,
                      int64_t now_us);
