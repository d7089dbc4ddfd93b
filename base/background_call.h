/* One call at a time on a thread of its own, for a caller that has other work to do meanwhile.
 *
 * The caller's thread starts a call, may ask whether it still runs, and waits for it before it uses what the call uses.
 * The simulation (tests/sim) has the same with a coroutine. */
#pragma once

#include <stdbool.h>

#include "base/status.h"

struct background_call;

MUST_USE enum status background_call_new(struct background_call **out, struct error *err);
void background_call_free(struct background_call *background); /* waits for the call */

/* None may be running. What the caller wrote before is seen by the call; what the call wrote is seen once
 * background_call_runs has been false or background_call_wait has returned. */
void background_call_start(struct background_call *background, void (*call)(void *context), void *context);
bool background_call_runs(const struct background_call *background);
void background_call_wait(struct background_call *background); /* at once when none runs */
