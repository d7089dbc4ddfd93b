/* Units in which numbers give points in time, and their conversion to milliseconds since 1970-01-01 UTC. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* EXACT_MS: milliseconds that a program has written, so that those of 1970 are meant (timestamp_read). */
enum time_unit {
    TIME_UNIT_NONE,
    TIME_UNIT_S,
    TIME_UNIT_MS,
    TIME_UNIT_US,
    TIME_UNIT_NS,
    TIME_UNIT_DAYS,
    TIME_UNIT_EXACT_MS
};

#define TIME_UNIT_NAMES "s, ms, us, ns or days"

/* "s", "ms", "us", "ns", "days"; NULL or another text: TIME_UNIT_NONE. */
enum time_unit time_unit_find(const char *name);

/* Rounded towards the past. A number too large for milliseconds becomes INT64_MAX, or INT64_MIN + 1 (INT64_MIN is
 * nobody's time: see OCCURRED_AT_NO_UNIT). The unit is not TIME_UNIT_NONE. */
int64_t time_unit_to_ms(enum time_unit unit, int64_t number);
