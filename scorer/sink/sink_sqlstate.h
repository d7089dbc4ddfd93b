/* What an SQLSTATE means to the sink. */
#pragma once

#include <stdbool.h>

#include "base/status.h"

/* STATUS_INVALID: the row's fault. STATUS_UNAVAILABLE: the server's, or one that nobody has foreseen. */
enum status sink_sqlstate_status(const char *sqlstate);

/* libpq's verbose message of a refused connection reads "FATAL:  28P01: password …": it gives no other way to the code.
 * "" where there is none. */
void sink_sqlstate_find(const char *text, char code[static 6]);

/* Whether a row may be the cause of a failure that comes again and again, though its class alone does not say so. Never
 * for what a server says of itself: connections, resources, shutdown, input and output, read-only, locks. */
enum sink_suspicion {
    SINK_SUSPECT_NOTHING,
    SINK_SUSPECT_SETUP, /* a table, a right: the row only if others land */
    SINK_SUSPECT_ROW,   /* nobody has foreseen it */
};
enum sink_suspicion sink_sqlstate_suspicion(const char *sqlstate);

/* What to do about it, to follow a message; may be empty. sqlstate "": unknown. */
const char *sink_sqlstate_advice(const char *sqlstate, enum status status);
