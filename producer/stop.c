/* Stopping on request: see stop.h. The handler runs on any thread and must do nothing but set the flag. */
#include "producer/stop.h"

#include <signal.h>

_Atomic bool stop_requested;

static void on_signal(int number)
{
    (void)number;
    stop_requested = true;
}

void stop_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
