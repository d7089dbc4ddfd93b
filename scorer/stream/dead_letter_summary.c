/* See dead_letter_summary.h. */
#include "scorer/stream/dead_letter_summary.h"

const char *dead_letter_cause(enum event_code code, bool has_registry)
{
    switch (code) {
    case EVENT_UNKNOWN_SCHEMA_ID:
        return has_registry ? "the schema registry does not know the ids: is SCHEMA_REGISTRY_URL the registry that the "
                              "producers use?"
                            : "SCHEMA_REGISTRY_URL is not set here: set it to the registry that the producers use";
    case EVENT_BAD_FRAME:
        return "the values have no schema id in front: the producers must send Confluent's wire format or JSON "
               "objects, or UNFRAMED must name their schema";
    case EVENT_UNRESOLVABLE_SCHEMA:
        return "the producers' schema does not fit the event schema (docs/ERRORS.md)";
    case EVENT_MALFORMED:
        return "the values are no JSON, or not what their schema id says: see the dead letters' messages; with "
               "UNFRAMED, JSON needs INPUT_FORMAT=json";
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

static void count_streak(struct dead_letter_summary *summary, uint64_t results, const uint64_t counts[EVENT_CODE_COUNT])
{
    enum event_code code = only_code(results, counts);
    if (code != summary->streak_code)
        summary->streak = 0;
    summary->streak_code = code;
    summary->streak += code ? results : 0;
}

/* The code that makes a streak, or EVENT_OK. */
static enum event_code find_streak(const struct dead_letter_summary *summary)
{
    if (summary->streak >= DEAD_LETTER_STREAK)
        return summary->streak_code;
    for (int code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++)
        if (summary->counts[code] >= DEAD_LETTER_STREAK &&
            summary->counts[code] * 100 >= summary->results * DEAD_LETTER_SHARE_PERCENT)
            return (enum event_code)code;
    return EVENT_OK;
}

bool dead_letter_summary_add(struct dead_letter_summary *summary, uint64_t results,
                             const uint64_t counts[EVENT_CODE_COUNT], int64_t now_us, struct buffer *text)
{
    if (!results)
        return false;
    if (!summary->sum_us)
        summary->sum_us = now_us;
    summary->results += results;
    for (int code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++)
        summary->counts[code] += counts[code];
    count_streak(summary, results, counts);
    enum event_code code = find_streak(summary);
    summary->in_streak |= code != EVENT_OK;
    if (!code || summary->logged)
        return false;
    summary->logged = true;
    buffer_clear(text);
    buffer_printf(text, "nearly every event of %s becomes a dead letter %s (%llu of the last %llu). Likely cause: %s",
                  summary->topic, event_code_name(code), (unsigned long long)summary->counts[code],
                  (unsigned long long)summary->results, dead_letter_cause(code, summary->has_registry));
    return true;
}

static bool write_sum(const struct dead_letter_summary *summary, struct buffer *text)
{
    uint64_t total = 0;
    for (int code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++)
        total += summary->counts[code];
    buffer_clear(text);
    buffer_printf(text, "%llu of the last minute's %llu events became dead letters:", (unsigned long long)total,
                  (unsigned long long)summary->results);
    for (int code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++)
        if (summary->counts[code])
            buffer_printf(text, " %llu %s", (unsigned long long)summary->counts[code],
                          event_code_name((enum event_code)code));
    return total > 0;
}

bool dead_letter_summary_minute(struct dead_letter_summary *summary, int64_t now_us, struct buffer *text)
{
    if (!summary->sum_us || now_us - summary->sum_us < DEAD_LETTER_SUM_US)
        return false;
    bool any = write_sum(summary, text);
    *summary = (struct dead_letter_summary){.topic = summary->topic,
                                            .has_registry = summary->has_registry,
                                            .streak = summary->streak,
                                            .streak_code = summary->streak_code,
                                            .logged = summary->logged && summary->in_streak};
    return any;
}
