/* Times of `audit` and `explain`: see time_option.h. Called at a command's start, on the main thread. */
#include "scorer/time_option.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

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
    return true;
}

/* 2026-11-27, 2026-11-27T10:00, 2026-11-27T10:00:00, with or without Z: UTC. */
static bool read_date(const char *text, int64_t *out)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        struct tm time = {0};
        const char *end = strptime(text, forms[f], &time);
        if (!end || (*end && strcmp(end, "Z") != 0))
            continue;
        *out = (int64_t)timegm(&time) * 1000;
        return *out >= 0;
    }
    return false;
}

enum status time_option(const struct options *options, enum option_id id, const char *flag, int64_t *out,
                        struct error *err)
{
    const char *text = options_text(options, id);
    *out = -1;
    if (!text || read_age(text, out) || read_date(text, out))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "%s: write a time such as 2026-11-27T10:00:00Z (UTC), or an age such as 24h",
                     flag);
}
