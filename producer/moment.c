/* "2026-11-23T10:00:00Z", "24h": see moment.h. */
#include "producer/moment.h"

#include "base/clock.h"
#include "events/dead_letter.h"
#include "events/timestamp.h"

bool moment_parse(const char *text, int64_t *out_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    size_t bytes = strlen(text);
    for (size_t u = 0; bytes > 1 && u < sizeof units / sizeof *units; u++) {
        int64_t number = dead_letter_number((struct span){text, bytes - 1}, -1);
        if (text[bytes - 1] == units[u].unit && number >= 0 && !__builtin_mul_overflow(number, units[u].ms, &number)) {
            *out_ms = clock_real_ms(&clock_system) - number;
            return true;
        }
    }
    return timestamp_parse(span_of(text), out_ms);
}
