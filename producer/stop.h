/* Ctrl-C, TERM and a terminal that is closed (HUP): a flag that loops look at. */
#pragma once

#include <stdbool.h>

/* Becomes true at INT, TERM or HUP. Another INT or TERM half a second later ends the process at once, as if nobody had
 * caught it; sooner it is taken for the same request (timeout(1) sends two). */
extern _Atomic bool stop_requested;

/* HUP stays ignored where it is (nohup). */
void stop_catch_signals(void);
/* For those that send: whoever reads our messages may leave (`… 2>&1 | head`), which must not end the process with a
 * transaction open. Writing fails then, as on a full disk. */
void stop_outlive_readers(void);
