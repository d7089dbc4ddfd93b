/* One call at a time on a thread of its own, for a caller that has other work to do meanwhile.
 *
 * The caller's thread starts a call, may ask whether it still runs, and waits for it before it uses what the call uses.
 * The simulation (tests/sim) has the same with a coroutine. */
#ifndef BASE_BACKGROUND_H
#define BASE_BACKGROUND_H

#include <stdbool.h>

#include "base/status.h"

struct background;

MUST_USE enum status background_new(struct background **out, struct error *err);
void background_free(struct background *background); /* waits for the call */

/* None may be running. What the caller wrote before is seen by the call; what the call wrote is seen once
 * background_runs has been false or background_wait has returned. */
void background_start(struct background *background, void (*call)(void *context), void *context);
bool background_runs(const struct background *background);
void background_wait(struct background *background); /* at once when none runs */

#endif
