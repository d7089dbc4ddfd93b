/* Ctrl-C and TERM: a flag that loops look at. */
#pragma once

#include <stdbool.h>

/* Becomes true at INT or TERM. Another one half a second later ends the process at once, as if nobody had caught it;
 * sooner it is taken for the same request (timeout(1) sends two). */
extern _Atomic bool stop_requested;

void stop_catch_signals(void);
