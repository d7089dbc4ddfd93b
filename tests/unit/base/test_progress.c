/* base/progress.h with a clock and a width of the test's own: what is drawn, and how often. */
#include "tests/unit/base/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/progress.h"

static int64_t now_us;
static char drawn[65536];
static FILE *out;

static int64_t test_us(void *context)
{
    (void)context;
    return now_us;
}

static const struct clock_source clock_test = {test_us, test_us, NULL};

static int setup(void **state)
{
    (void)state;
    now_us = 1000000;
    memset(drawn, 0, sizeof drawn);
    out = fmemopen(drawn, sizeof drawn, "w");
    return out ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return fclose(out);
}

static size_t occurrences(const char *text)
{
    size_t count = 0;
    for (const char *at = drawn; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static void terminals_are_redrawn_ten_times_a_second(void **state)
{
    (void)state;
    struct progress progress;
    progress_begin(&progress, out, &clock_test, "events", 10000);
    progress.terminal = true;
    progress.columns = 100;
    for (uint64_t done = 1; done <= 5000; done++) {
        now_us += 1000;
        progress_update(&progress, done);
    }
    assert_int_equal(occurrences("\r\033[K"), 50);
    assert_int_equal(occurrences("\n"), 0);
    assert_non_null(
        strstr(drawn, "[####################....................]  50 %  5,000 of 10,000 events, 1,000/s, 5 s left"));
    progress_update(&progress, 10000);
    progress_end(&progress);
    assert_non_null(strstr(drawn, "100 %  10,000 events in 5 s, 2,000/s\n"));
}

static void a_narrow_terminal_gets_no_bar_and_no_wrap(void **state)
{
    (void)state;
    struct progress progress;
    progress_begin(&progress, out, &clock_test, "events", 1000000);
    progress.terminal = true;
    progress.columns = 20;
    now_us += 1000000;
    progress_update(&progress, 500000);
    assert_string_equal(drawn, "\r\033[K500,000 of 1,000,00");
}

static void files_get_a_line_every_ten_seconds(void **state)
{
    (void)state;
    struct progress progress;
    progress_begin(&progress, out, &clock_test, "rows", 0);
    assert_false(progress.terminal);
    for (uint64_t done = 1; done <= 12; done++) {
        now_us += 1000000;
        progress_update(&progress, done * 1000);
    }
    progress_hide(&progress);
    assert_string_equal(drawn, "10,000 rows, 1,000/s\n");
    progress_end(&progress);
    assert_non_null(strstr(drawn, "12,000 rows in 12 s, 1,000/s\n"));
}

static void a_hidden_line_comes_back_at_once(void **state)
{
    (void)state;
    struct progress progress;
    progress_begin(&progress, out, &clock_test, "rows", 0);
    progress.terminal = true;
    progress.columns = 80;
    now_us += 100000;
    progress_update(&progress, 1);
    progress_hide(&progress);
    progress_update(&progress, 2);
    assert_string_equal(drawn, "\r\033[K1 rows, 10/s\r\033[K\r\033[K2 rows, 20/s");
}

static void rejects_and_what_is_in_flight_are_shown(void **state)
{
    (void)state;
    struct progress progress;
    progress_begin(&progress, out, &clock_test, "rows", 200000);
    progress.terminal = true;
    progress.columns = 90; /* too few for a bar */
    progress.rejected = 12;
    progress.in_flight = 3456;
    progress.passed = 50000; /* sent by an earlier run: no part of the rate */
    now_us += 1000000;
    progress_update(&progress, 100000);
    assert_string_equal(drawn,
                        "\r\033[K 50 %  100,000 of 200,000 rows, 50,000/s, 12 rejected, 3,456 in flight, 2 s left");
    progress_end(&progress);
    assert_non_null(strstr(drawn, "100,000 of 200,000 rows in 1 s, 50,000/s, 12 rejected, 3,456 not known\n"));
}

static void an_end_at_once_divides_by_nothing(void **state)
{
    (void)state;
    struct progress progress;
    progress_begin(&progress, out, &clock_test, "rows", 10);
    progress_end(&progress);
    assert_string_equal(drawn, "0 of 10 rows in 0 s, 0/s\n");
}

static void long_times_are_in_minutes_and_hours(void **state)
{
    (void)state;
    struct progress progress;
    progress_begin(&progress, out, &clock_test, "rows", 4000);
    now_us += 100 * 1000000LL;
    progress_update(&progress, 100);
    assert_string_equal(drawn, "100 of 4,000 rows, 1/s, 1 h 5 min left\n");
    progress_end(&progress);
    assert_non_null(strstr(drawn, "in 1 min 40 s"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(terminals_are_redrawn_ten_times_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(a_narrow_terminal_gets_no_bar_and_no_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(files_get_a_line_every_ten_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hidden_line_comes_back_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(rejects_and_what_is_in_flight_are_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_at_once_divides_by_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(long_times_are_in_minutes_and_hours, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
