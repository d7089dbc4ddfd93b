/* Waiting in tests: for a condition, with a message, never for a time. */
#pragma once

#include <unistd.h>

#include "base/clock.h"
#include "tests/support/test.h"

enum { WAIT_LONGEST_US = 30000000, WAIT_TICK_US = 1000 };

/* Evaluates the condition until it holds. After 30 s the test fails with the message, a format and its arguments. On
 * the test's own thread alone. */
#define WAIT_UNTIL(condition, ...) \
    do { \
        int64_t wait_began_us = clock_steady_us(&clock_system); \
        while (!(condition)) { \
            if (clock_steady_us(&clock_system) - wait_began_us > WAIT_LONGEST_US) \
                fail_msg("after 30 s: " __VA_ARGS__); \
            usleep(WAIT_TICK_US); \
        } \
    } while (0)
