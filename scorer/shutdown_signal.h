/* Whether TERM or INT has come while the daemon starts: they are blocked, and nobody takes them yet. */
#pragma once

#include <signal.h>
#include <stdbool.h>

static inline bool shutdown_signal_is_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}
