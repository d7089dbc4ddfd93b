/* Points in time as people and programs write them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "events/time_unit.h"

/* ISO 8601 in the extended form (2026-11-23, 2026-11-23T10:00:00.123Z, 2026-11-23 10:00+01:00; no zone: UTC), as
 * milliseconds since 1970-01-01 UTC. Years 1 to 9999. False: something else. */
bool timestamp_parse(struct span text, int64_t *out_ms);

/* Whether the text is an integer, however long: a point in time only for who knows its unit. */
bool timestamp_is_number(struct span text);
/* An integer of at most 18 digits, without leading zeros (00000000 is how some systems write "no date"), counted in
 * `unit` since 1970-01-01 UTC. False: something else. */
bool timestamp_parse_number(struct span text, enum time_unit unit, int64_t *out_ms);

/* Of a number's time: it counts in another unit (20250304, 45720), or says that there is none (0). ms since 1970. */
static inline bool timestamp_is_of_1970(int64_t ms)
{
    return ms >= 0 && ms < INT64_C(365) * 24 * 3600 * 1000;
}

/* Every door's rule for occurred_at as text or integer: ISO 8601, or a number in the unit that was given, which is no
 * time in 1970. What it is instead, for a message; NULL: nothing, and *out_ms is set. */
const char *timestamp_read(struct span text, enum time_unit unit, int64_t *out_ms);
