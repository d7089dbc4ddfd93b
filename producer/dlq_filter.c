/* Which letters `producer dlq` is asked for: see dlq_filter.h. Main thread. */
#include "producer/dlq_filter.h"

#include "base/clock.h"
#include "events/error_codes.h"
#include "events/timestamp.h"

/* A point in time, or how long ago: "24h". */
static bool since_parse(const char *text, int64_t *out_ms)
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

static bool code_is_known(const char *name)
{
    for (enum event_code code = 1; code < EVENT_CODE_COUNT; code++)
        if (strcmp(event_code_name(code), name) == 0)
            return true;
    return false;
}

enum status dlq_filter_read(const struct options *options, struct dlq_filter *filter, struct error *err)
{
    const char *since = options_text(options, OPTION_SINCE);
    *filter = (struct dlq_filter){.code = options_text(options, OPTION_CODE),
                                  .field = options_text(options, OPTION_FIELD),
                                  .since_ms = INT64_MIN,
                                  .partition = options_integer(options, OPTION_PARTITION)};
    if (filter->code && !code_is_known(filter->code))
        return error_set(err, STATUS_INVALID, "--code %s: no such code; docs/ERRORS.md lists them", filter->code);
    if (since && !since_parse(since, &filter->since_ms))
        return error_set(err, STATUS_INVALID, "--since %s: a time such as 2026-11-23T10:00:00Z, or an age such as 24h",
                         since);
    return STATUS_OK;
}

static bool header_is(const struct dlq_letter *letter, enum dead_letter_header header, const char *wanted)
{
    struct span found = dlq_letter_header(letter, header);
    return !wanted || (found.data && span_equal(found, span_of(wanted)));
}

bool dlq_filter_passes(const struct dlq_filter *filter, const struct dlq_letter *letter)
{
    return letter->failed_ms >= filter->since_ms && header_is(letter, DEAD_LETTER_CODE, filter->code) &&
           header_is(letter, DEAD_LETTER_FIELD, filter->field);
}
