/* Which letters `producer dlq` is asked for: see dlq_filter.h. Main thread. */
#include "producer/dlq_filter.h"

#include "events/error_codes.h"
#include "producer/moment.h"

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
    if (since && !moment_parse(since, &filter->since_ms))
        return error_set(err, STATUS_INVALID, "--since %s: " MOMENT_FORMS, since);
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
