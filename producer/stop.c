/* Stopping on request: see stop.h. The handler runs on any thread and must call nothing that is not safe in one. */
#include "producer/stop.h"

#include <signal.h>
#include <stdint.h>
#include <time.h>

enum { SAME_REQUEST_MS = 500 };

_Atomic bool stop_requested;
static _Atomic int64_t requested_ms; /* steady clock */

/* A shell that ends may pass a second hangup on: it is no second request. */
static void on_signal(int number)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (!stop_requested) {
        requested_ms = now_ms;
        stop_requested = true;
    } else if (number != SIGHUP && now_ms - requested_ms > SAME_REQUEST_MS) {
        signal(number, SIG_DFL);
        raise(number); /* comes once the handler has returned */
    }
}

void stop_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow fails as on a full disk */
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
}

void stop_outlive_readers(void)
{
    signal(SIGPIPE, SIG_IGN);
}
