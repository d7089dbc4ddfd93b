/* scorer/progress.c and watchdog.c on a clock of the test's own: what counts as stalled, and what ends the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "scorer/watchdog.h"

enum { SECOND = 1000000 };

static void a_loop_with_work_and_no_commit_is_stalled(void **state)
{
    (void)state;
    struct loop_progress loop = {0};
    int64_t now = 100 * (int64_t)SECOND;
    assert_int_equal(progress_stalled_us(&loop, now), 0); /* not started */
    progress_start(&loop, now);
    for (int i = 0; i < 50; i++, now += SECOND)
        progress_turn(&loop, true, WAITS_FOR_NOTHING, now); /* it turns, and commits nothing */
    assert_true(progress_stalled_us(&loop, now) >= 49LL * SECOND);
    progress_committed(&loop, now);
    assert_int_equal(progress_stalled_us(&loop, now), 0);
    progress_turn(&loop, false, WAITS_FOR_NOTHING, now);
    now += SECOND / 2;
    assert_int_equal(progress_stalled_us(&loop, now), 0); /* no work: none is missing */
}

static void a_named_server_excuses_all_but_kafka(void **state)
{
    (void)state;
    struct loop_progress loop = {0};
    int64_t now = 100 * (int64_t)SECOND;
    progress_start(&loop, now);
    progress_turn(&loop, true, WAITS_FOR_POSTGRESQL, now);
    progress_step(&loop, "stores", WAITS_FOR_POSTGRESQL);
    assert_int_equal(progress_stalled_us(&loop, now + 60LL * SECOND), 0);
    assert_int_equal(progress_waits_for(&loop, now), WAITS_FOR_POSTGRESQL);
    progress_turn(&loop, true, WAITS_FOR_REGISTRY, now);
    assert_int_equal(progress_stalled_us(&loop, now + SECOND / 2), 0);
    progress_turn(&loop, true, WAITS_FOR_NOTHING, now);
    progress_step(&loop, "commits", WAITS_FOR_KAFKA);
    assert_int_equal(progress_waits_for(&loop, now + SECOND / 2), WAITS_FOR_NOTHING); /* calls are short as a rule */
    assert_int_equal(progress_waits_for(&loop, now + 2LL * SECOND), WAITS_FOR_KAFKA);
    assert_int_equal(progress_stalled_us(&loop, now + 60LL * SECOND), 60LL * SECOND);
}

/* Looks every 50 ms for so long; whether it would have ended the process. */
static bool watch(struct watchdog *watchdog, bool kafka_up, int64_t *now, int64_t span_us, struct buffer *text)
{
    for (int64_t end = *now + span_us; *now < end; *now += 50000)
        if (watchdog_look(watchdog, kafka_up, *now, text))
            return true;
    return false;
}

static void a_loop_that_stands_still_ends_the_process(void **state)
{
    (void)state;
    struct loop_progress score = {0}, sink = {0};
    struct named_progress loops[] = {{"score-0", &score}, {"sink", &sink}};
    struct watchdog watchdog = {.loops = loops, .count = 2, .limit_us = 120LL * SECOND};
    struct buffer text = {0};
    int64_t now = 1000 * (int64_t)SECOND;
    progress_start(&score, now);
    progress_turn(&score, true, WAITS_FOR_NOTHING, now);
    progress_step(&score, "scores", WAITS_FOR_NOTHING);
    assert_false(watch(&watchdog, true, &now, 119LL * SECOND, &text));
    assert_true(watch(&watchdog, true, &now, 4LL * SECOND, &text));
    assert_non_null(strstr(text.data, "score-0 scores (waits for nothing, last turn 12"));
    assert_non_null(strstr(text.data, "no commit yet)"));
    assert_non_null(strstr(text.data, "sink does not run"));
    buffer_free(&text);
}

static void kafka_excuses_only_while_no_broker_answers(void **state)
{
    (void)state;
    struct loop_progress score = {0};
    struct named_progress loops[] = {{"score-0", &score}};
    struct watchdog watchdog = {.loops = loops, .count = 1, .limit_us = 120LL * SECOND};
    struct buffer text = {0};
    int64_t now = 1000 * (int64_t)SECOND;
    progress_start(&score, now);
    progress_turn(&score, true, WAITS_FOR_NOTHING, now);
    progress_step(&score, "commits", WAITS_FOR_KAFKA);
    assert_false(watch(&watchdog, false, &now, 3600LL * SECOND, &text)); /* unavailable for an hour */
    assert_false(watch(&watchdog, true, &now, 119LL * SECOND, &text));   /* it has the whole time from then on */
    assert_true(watch(&watchdog, true, &now, 4LL * SECOND, &text));
    buffer_free(&text);
}

static void a_process_that_was_frozen_counts_again(void **state)
{
    (void)state;
    struct loop_progress score = {0};
    struct named_progress loops[] = {{"score-0", &score}};
    struct watchdog watchdog = {.loops = loops, .count = 1, .limit_us = 120LL * SECOND};
    struct buffer text = {0};
    int64_t now = 1000 * (int64_t)SECOND;
    progress_start(&score, now);
    progress_step(&score, "scores", WAITS_FOR_NOTHING);
    assert_false(watch(&watchdog, true, &now, SECOND, &text));
    now += 3600LL * SECOND;
    assert_false(watch(&watchdog, true, &now, SECOND, &text));
    watchdog.limit_us = 0; /* turned off */
    assert_false(watch(&watchdog, true, &now, 3600LL * SECOND, &text));
    buffer_free(&text);
}

/* Looks every 50 ms for so long; how often something was to be logged. */
static int count_reports(struct watchdog *watchdog, int64_t *now, int64_t span_us, struct buffer *text)
{
    int count = 0;
    struct buffer latest = {0};
    for (int64_t end = *now + span_us; *now < end; *now += 50000)
        if (watchdog_slow(watchdog, true, *now, &latest)) {
            buffer_clear(text);
            buffer_printf(text, "%s", latest.data);
            count++;
        }
    buffer_free(&latest);
    return count;
}

static void what_makes_no_progress_is_logged_at_growing_intervals(void **state)
{
    (void)state;
    struct loop_progress score = {0};
    struct named_progress loops[] = {{"score-0", &score}};
    struct watchdog watchdog = {.loops = loops, .count = 1};
    struct buffer text = {0};
    int64_t now = 1000 * (int64_t)SECOND;
    progress_start(&score, now);
    progress_step(&score, "starts transactions", WAITS_FOR_KAFKA);
    assert_int_equal(count_reports(&watchdog, &now, 9LL * SECOND, &text), 0);
    assert_int_equal(count_reports(&watchdog, &now, 36LL * SECOND, &text), 3); /* after 10, 20 and 40 s */
    assert_non_null(strstr(text.data, "score-0 starts transactions (waits for kafka"));
    assert_non_null(strstr(text.data, "no progress for 40 s, and no partitions from its group"));
    score.assigned = true;
    progress_turn(&score, false, WAITS_FOR_NOTHING, now);
    assert_int_equal(count_reports(&watchdog, &now, SECOND / 2, &text), 0);
    progress_turn(&score, true, WAITS_FOR_POSTGRESQL, now); /* logged by the loop */
    progress_step(&score, "stores", WAITS_FOR_POSTGRESQL);
    assert_int_equal(count_reports(&watchdog, &now, 60LL * SECOND, &text), 0);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_with_work_and_no_commit_is_stalled),
        cmocka_unit_test(a_named_server_excuses_all_but_kafka),
        cmocka_unit_test(a_loop_that_stands_still_ends_the_process),
        cmocka_unit_test(kafka_excuses_only_while_no_broker_answers),
        cmocka_unit_test(a_process_that_was_frozen_counts_again),
        cmocka_unit_test(what_makes_no_progress_is_logged_at_growing_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
