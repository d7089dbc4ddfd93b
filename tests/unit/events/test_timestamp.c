/* events/timestamp.h: points in time, and what is none. */
#include "tests/unit/producer/unit.h"

#include "events/timestamp.h"

static void test_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01", 0},
        {"2026-11-23T10:00:00Z", 1795428000000},
        {"2026-11-23T10:00:00.5Z", 1795428000500},
        {"2026-11-23T10:00:00.123456+00:00", 1795428000123},
        {"2026-11-23 11:00+01:00", 1795428000000},
        {"2026-11-23T05:30:00-0430", 1795428000000},
        {"2026-11-23T10:00", 1795428000000},
        {"2024-02-29", 1709164800000},
        {"1969-12-31T23:59:59.999Z", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = 42;
        assert_true(timestamp_parse(span_of(cases[i].text), &ms));
        assert_int_equal(ms, cases[i].ms);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "-",
        "soon",
        "2026-13-01",
        "2026-02-29",
        "2026-11-23T",
        "2026-1-2",
        "2026-11-23T24:00",
        "2026-11-23T10:60",
        "2026-11-23T10:00:00.",
        "2026-11-23T10:00:00Zulu",
        "0000-01-01",
        "12345678901234567",
        "0",
        "1795428000123",
        "20250304",
        "04.03.2025",
        "03/04/2025",
        "2026-11-23T10:00+1:00",
        "2026-11-23+01:00",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = 0;
        assert_false(timestamp_parse(span_of(cases[i]), &ms));
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum time_unit unit;
        int64_t ms;
    } cases[] = {
        {"0", TIME_UNIT_MS, 0},
        {"-1", TIME_UNIT_MS, -1},
        {"1741046400", TIME_UNIT_S, 1741046400000},
        {"20151", TIME_UNIT_DAYS, 1741046400000},
        {"999999999999999999", TIME_UNIT_DAYS, INT64_MAX},
    };
    static const char *const refused[] = {"", "-", "+5", "00000000", "01", "-01", "1.5", "1e3", "1234567890123456789"};
    int64_t ms;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(timestamp_is_number(span_of(cases[i].text)));
        assert_true(timestamp_parse_number(span_of(cases[i].text), cases[i].unit, &ms));
        assert_int_equal(ms, cases[i].ms);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(timestamp_parse_number(span_of(refused[i]), TIME_UNIT_S, &ms));
    assert_true(timestamp_is_number(SPAN_LITERAL("00000000")));
    assert_false(timestamp_is_number(SPAN_LITERAL("2025-03-04")));
    assert_false(timestamp_is_number(SPAN_LITERAL("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_numbers)};
    return cmocka_run_group_tests_name("events/timestamp", tests, NULL, NULL);
}
