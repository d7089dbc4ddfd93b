/* Times of `audit`, `explain` and `notices`: see time_option.h. Called at a command's start, on the main thread. */
#include "scorer/time_option.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "events/timestamp.h"

/* An age: 90s, 30m, 24h, 7d. */
static bool read_age(const char *text, int64_t *out)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    char *end;
    long long number = strtoll(text, &end, 10);
    const char *unit = end > text && *end && !end[1] ? strchr(units, *end) : NULL;
    if (!unit || number < 0 || number > 1000000)
        return false;
    *out = clock_real_ms(&clock_system) - number * seconds[unit - units] * 1000;
    if (*out < 0)
        *out = 0; /* all there is; below that it would be no time at all */
    return true;
}

enum status time_option(const struct options *options, enum option_id id, const char *flag, int64_t *out,
                        struct error *err)
{
    const char *text = options_text(options, id);
    *out = -1;
    if (!text || read_age(text, out) || (timestamp_parse(span_of(text), out) && *out >= 0))
        return STATUS_OK;
    *out = -1;
    return error_set(err, STATUS_INVALID, "%s: write a time such as 2026-11-27T10:00:00Z (UTC), or an age such as 24h",
                     flag);
}

const char *time_option_interval(int64_t ms, char out[32])
{
    snprintf(out, 32, "%" PRId64 " milliseconds", ms);
    return ms < 0 ? NULL : out;
}
