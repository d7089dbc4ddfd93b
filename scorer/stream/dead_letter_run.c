/* See dead_letter_run.h. */
#include "scorer/stream/dead_letter_run.h"

const char *dead_letter_cause(enum event_code code, bool has_registry)
{
    switch (code) {
    case EVENT_UNKNOWN_SCHEMA_ID:
        return has_registry ? "the schema registry does not know the ids: is SCHEMA_REGISTRY_URL the registry that the "
                              "producers use?"
                            : "SCHEMA_REGISTRY_URL is not set here: set it to the registry that the producers use";
    case EVENT_BAD_FRAME:
        return "the values have no schema id in front: the producers must send Confluent's wire format, or UNFRAMED "
               "must name their schema";
    case EVENT_UNRESOLVABLE_SCHEMA:
        return "the producers' schema does not fit the event schema (docs/ERRORS.md)";
    case EVENT_MALFORMED:
        return "the values are not what their schema id says: is SCHEMA_REGISTRY_URL the registry that the producers "
               "use?";
    case EVENT_KEY_MISMATCH:
        return "the producers' message keys are not the employee ids";
    default:
        return "`producer dlq list` counts them by code and field, docs/ERRORS.md says what each code asks for";
    }
}

/* The only code of these results, or EVENT_OK. */
static enum event_code only_code(uint64_t results, const uint64_t counts[EVENT_CODE_COUNT])
{
    for (int code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++)
        if (results && counts[code] == results)
            return (enum event_code)code;
    return EVENT_OK;
}

static void count_row(struct dead_letter_run *run, uint64_t results, const uint64_t counts[EVENT_CODE_COUNT])
{
    enum event_code code = only_code(results, counts);
    if (code != run->row_code)
        run->row = 0;
    run->row_code = code;
    run->row += code ? results : 0;
}

/* The code that makes a run, or EVENT_OK. */
static enum event_code find_run(const struct dead_letter_run *run)
{
    if (run->row >= DEAD_LETTER_RUN)
        return run->row_code;
    for (int code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++)
        if (run->counts[code] >= DEAD_LETTER_RUN && run->counts[code] * 100 >= run->results * DEAD_LETTER_SHARE_PERCENT)
            return (enum event_code)code;
    return EVENT_OK;
}

bool dead_letter_run_take(struct dead_letter_run *run, uint64_t results, const uint64_t counts[EVENT_CODE_COUNT],
                          int64_t now_us, struct buffer *text)
{
    if (!results)
        return false;
    if (!run->sum_us)
        run->sum_us = now_us;
    run->results += results;
    for (int code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++)
        run->counts[code] += counts[code];
    count_row(run, results, counts);
    enum event_code code = find_run(run);
    run->in_run |= code != EVENT_OK;
    if (!code || run->logged)
        return false;
    run->logged = true;
    buffer_clear(text);
    buffer_printf(text, "nearly every event of %s becomes a dead letter %s (%llu of the last %llu). Likely cause: %s",
                  run->topic, event_code_name(code), (unsigned long long)run->counts[code],
                  (unsigned long long)run->results, dead_letter_cause(code, run->has_registry));
    return true;
}

static bool write_sum(const struct dead_letter_run *run, struct buffer *text)
{
    uint64_t total = 0;
    for (int code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++)
        total += run->counts[code];
    buffer_clear(text);
    buffer_printf(text, "%llu of the last minute's %llu events became dead letters:", (unsigned long long)total,
                  (unsigned long long)run->results);
    for (int code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++)
        if (run->counts[code])
            buffer_printf(text, " %llu %s", (unsigned long long)run->counts[code],
                          event_code_name((enum event_code)code));
    return total > 0;
}

bool dead_letter_run_sum(struct dead_letter_run *run, int64_t now_us, struct buffer *text)
{
    if (!run->sum_us || now_us - run->sum_us < DEAD_LETTER_SUM_US)
        return false;
    bool any = write_sum(run, text);
    *run = (struct dead_letter_run){.topic = run->topic,
                                    .has_registry = run->has_registry,
                                    .row = run->row,
                                    .row_code = run->row_code,
                                    .logged = run->logged && run->in_run};
    return any;
}
