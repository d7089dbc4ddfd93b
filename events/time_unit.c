/* Units of time: see time_unit.h. Called for each event whose writer does not use milliseconds; any thread. */
#include "events/time_unit.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t factor, divisor; /* to milliseconds */
} units[] = {
    [TIME_UNIT_NONE] = {"", 0, 1},     [TIME_UNIT_S] = {"s", 1000, 1},      [TIME_UNIT_MS] = {"ms", 1, 1},
    [TIME_UNIT_US] = {"us", 1, 1000},  [TIME_UNIT_NS] = {"ns", 1, 1000000}, [TIME_UNIT_DAYS] = {"days", 86400000, 1},
    [TIME_UNIT_EXACT_MS] = {"", 1, 1},
};

enum time_unit time_unit_find(const char *name)
{
    for (size_t u = 0; name && u < sizeof units / sizeof *units; u++)
        if (strcmp(name, units[u].name) == 0)
            return (enum time_unit)u;
    return TIME_UNIT_NONE;
}

static int64_t floor_divided(int64_t number, int64_t divisor)
{
    return number / divisor - (number % divisor < 0);
}

int64_t time_unit_to_ms(enum time_unit unit, int64_t number)
{
    int64_t ms;
    assert(unit > TIME_UNIT_NONE && unit <= TIME_UNIT_EXACT_MS);
    if (__builtin_mul_overflow(number, units[unit].factor, &ms))
        return number < 0 ? INT64_MIN + 1 : INT64_MAX;
    ms = floor_divided(ms, units[unit].divisor);
    return ms == INT64_MIN ? INT64_MIN + 1 : ms;
}
