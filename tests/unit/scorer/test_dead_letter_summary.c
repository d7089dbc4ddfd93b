/* scorer/stream/dead_letter_summary.c: a streak is said once and with its cause, the sum once a minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "scorer/stream/dead_letter_summary.h"

enum { SECOND = 1000000 };

static bool take(struct dead_letter_summary *summary, uint64_t ends, enum event_code code, uint64_t count,
                 int64_t now_us, struct buffer *text)
{
    uint64_t counts[EVENT_CODE_COUNT] = {0};
    counts[code] = count;
    return dead_letter_summary_add(summary, ends, counts, now_us, text);
}

static void a_run_is_said_once_with_the_likely_cause(void **state)
{
    (void)state;
    struct dead_letter_summary summary = {.topic = "events"};
    struct buffer text = {0};
    int64_t now = 5 * (int64_t)SECOND;
    assert_false(take(&summary, 99, EVENT_UNKNOWN_SCHEMA_ID, 99, now, &text));
    assert_true(take(&summary, 1, EVENT_UNKNOWN_SCHEMA_ID, 1, now, &text));
    assert_non_null(strstr(text.data, "events becomes a dead letter unknown_schema_id (100 of the last 100)"));
    assert_non_null(strstr(text.data, "SCHEMA_REGISTRY_URL is not set here"));
    for (int i = 0; i < 1000; i++)
        assert_false(take(&summary, 1, EVENT_UNKNOWN_SCHEMA_ID, 1, now, &text));
    buffer_free(&text);
}

static void causes_name_json_too(void **state)
{
    (void)state;
    assert_non_null(strstr(dead_letter_cause(EVENT_BAD_FRAME, false), "Confluent's wire format or JSON objects"));
    assert_non_null(strstr(dead_letter_cause(EVENT_MALFORMED, true), "no JSON"));
    assert_non_null(strstr(dead_letter_cause(EVENT_MALFORMED, true), "INPUT_FORMAT=json"));
}

static void a_row_is_seen_behind_good_events_and_a_share_among_few(void **state)
{
    (void)state;
    struct dead_letter_summary row = {.topic = "events", .has_registry = true}, share = row;
    struct buffer text = {0};
    assert_false(take(&row, 100000, EVENT_MALFORMED, 0, SECOND, &text));
    assert_true(take(&row, 100, EVENT_UNKNOWN_SCHEMA_ID, 100, SECOND, &text));
    assert_non_null(strstr(text.data, "is SCHEMA_REGISTRY_URL the registry that the producers use?"));
    for (int i = 0; i < 9; i++)
        assert_false(take(&share, 11, EVENT_RULE, 10, SECOND, &text)); /* one in each commit is good */
    assert_true(take(&share, 11, EVENT_RULE, 10, SECOND, &text));
    buffer_free(&text);
}

static void few_dead_letters_are_no_run(void **state)
{
    (void)state;
    struct dead_letter_summary summary = {.topic = "events"};
    struct buffer text = {0};
    for (int i = 0; i < 1000; i++)
        assert_false(take(&summary, 100, EVENT_RULE, 50, SECOND, &text));
    buffer_free(&text);
}

static void the_sum_comes_once_a_minute_and_a_run_may_be_said_again_later(void **state)
{
    (void)state;
    struct dead_letter_summary summary = {.topic = "events"};
    struct buffer text = {0};
    int64_t now = SECOND;
    assert_true(take(&summary, 120, EVENT_RULE, 120, now, &text));
    assert_false(dead_letter_summary_minute(&summary, now + 59LL * SECOND, &text));
    now += 60LL * SECOND;
    assert_true(dead_letter_summary_minute(&summary, now, &text));
    assert_string_equal(text.data, "120 of the last minute's 120 events became dead letters: 120 rule");
    assert_false(dead_letter_summary_minute(&summary, now + 600LL * SECOND, &text)); /* nothing since */
    assert_false(take(&summary, 120, EVENT_RULE, 120, now, &text));                  /* it goes on: said already */
    now += 60LL * SECOND;
    assert_true(dead_letter_summary_minute(&summary, now, &text));
    assert_false(take(&summary, 500, EVENT_RULE, 0, now, &text)); /* a good minute */
    now += 60LL * SECOND;
    assert_false(dead_letter_summary_minute(&summary, now, &text));
    assert_true(take(&summary, 120, EVENT_RULE, 120, now, &text));
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_said_once_with_the_likely_cause),
        cmocka_unit_test(causes_name_json_too),
        cmocka_unit_test(a_row_is_seen_behind_good_events_and_a_share_among_few),
        cmocka_unit_test(few_dead_letters_are_no_run),
        cmocka_unit_test(the_sum_comes_once_a_minute_and_a_run_may_be_said_again_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
