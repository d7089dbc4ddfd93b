/* scorer/time_option.h: times as people write them, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "scorer/time_option.h"

static const struct subcommand rows[] = {{"audit", "", "", .run = NULL}, {0}};

static enum status read_from(const char *text, int64_t *out)
{
    const char *arguments[] = {"scorer", "audit", "--from", text};
    struct options *options = NULL;
    struct error err;
    bool exit_now;
    assert_int_equal(
        options_parse(PROGRAM_SCORER, rows, 4, (char **)(uintptr_t)arguments, NULL, &options, &exit_now, &err),
        STATUS_OK);
    enum status status = time_option(options, OPTION_AUDIT_FROM, "--from", out, &err);
    options_free(options);
    return status;
}

static void times_are_utc_unless_they_say_otherwise(void **state)
{
    (void)state;
    static const char *const same[] = {"2026-11-27T10:00:00Z", "2026-11-27T10:00", "2026-11-27 10:00:00",
                                       "2026-11-27T11:00:00+01:00", "2026-11-27T10:00:00.000Z"};
    int64_t ms;
    for (size_t s = 0; s < sizeof same / sizeof *same; s++) {
        assert_int_equal(read_from(same[s], &ms), STATUS_OK);
        assert_int_equal(ms, 1795773600000);
    }
    assert_int_equal(read_from("2026-11-27", &ms), STATUS_OK);
    assert_int_equal(ms, 1795737600000);
    assert_int_equal(read_from("2d", &ms), STATUS_OK);
    assert_true(llabs(clock_real_ms(&clock_system) - 172800000 - ms) < 60000);
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const none[] = {"", "soon", "2026-02-31", "2026-13-01", " 2026-11-27", "20261127", "1d2", "d"};
    int64_t ms;
    for (size_t n = 0; n < sizeof none / sizeof *none; n++)
        assert_int_equal(read_from(none[n], &ms), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_utc_unless_they_say_otherwise),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
