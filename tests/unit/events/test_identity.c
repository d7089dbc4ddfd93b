/* events/identity.h and time_unit.h: what is an id, when an event may have occurred. */
#include "tests/unit/events/unit.h"

#include "base/options_private.h"
#include "events/identity.h"
#include "events/time_unit.h"

#define LATEST_MS INT64_C(1795514400000) /* 2026-11-24T10:00:00Z */

static void assert_flaw(const char *text, size_t bytes, const char *part)
{
    struct span copy = unit_copy((struct span){text, bytes});
    const char *flaw = id_flaw(copy);
    if (part) {
        assert_non_null(flaw);
        assert_non_null(strstr(flaw, part));
    } else {
        assert_null(flaw);
    }
    free((char *)copy.data);
}

#define FLAW(text, part) assert_flaw(text, sizeof(text) - 1, part)

static void test_ids(void **state)
{
    (void)state;
    FLAW("7", NULL);
    FLAW("E 0000001~", NULL);
    FLAW("Zo\xc3\xab, Gro\xc3\x9f & S\xc3\xb8n", NULL);
    FLAW("\xe5\xb1\xb1\xe7\x94\xb0", NULL);
    FLAW("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac", NULL); /* a joiner turns nothing */
    FLAW("\xc2\xa0", NULL);
    FLAW("", "empty");
    FLAW("\xff", "UTF-8");
    FLAW("E000000001\xc3", "UTF-8");
    FLAW("\xed\xa0\x80", "UTF-8");
    FLAW("\0", "control");
    FLAW("\x1f", "control");
    FLAW("\x7f", "control");
    FLAW("E00000001\n", "control");
    FLAW("\tE00000001", "control");
    FLAW("E0000\x7f"
         "0000001",
         "control");
    FLAW("\xc2\x80", "control");
    FLAW("E\xc2\x9f", "control");
    FLAW("\xd8\x9c", "direction");
    FLAW("E\xe2\x80\x8e", "direction");
    FLAW("E\xe2\x80\x8f", "direction");
    FLAW("E\xe2\x80\xaa", "direction");
    FLAW("E\xe2\x80\xae"
         "1",
         "direction");
    FLAW("E\xe2\x81\xa6", "direction");
    FLAW("E\xe2\x81\xa9", "direction");
    FLAW("E\xe2\x81\xa5", NULL);
    FLAW("E\xe2\x80\xa9", NULL);
}

/* Code points are counted, not bytes. */
static void test_lengths(void **state)
{
    (void)state;
    char text[4 * 257 + 1];
    memset(text, 'x', sizeof text);
    for (size_t bytes = 1; bytes <= 256; bytes++)
        assert_flaw(text, bytes, NULL);
    assert_flaw(text, 257, "longer");
    assert_flaw(text, sizeof text, "longer");
    for (size_t i = 0; i < 257; i++)
        memcpy(text + 4 * i, "\xf0\x9f\x94\xac", 4);
    assert_flaw(text, (size_t)4 * 256, NULL);
    assert_flaw(text, (size_t)4 * 257, "longer");
    memset(text, 'x', 300);
    memcpy(text, "\xc3\xab", 2);
    assert_flaw(text, 257, NULL);
    assert_flaw(text, 258, "longer");
}

/* Each byte at each place of short and long texts: the words of eight see what the slow way sees. */
static void test_each_place(void **state)
{
    (void)state;
    char text[40];
    for (size_t bytes = 1; bytes <= sizeof text; bytes++)
        for (size_t at = 0; at < bytes; at++)
            for (int byte = 0; byte < 256; byte++) {
                memset(text, 'E', bytes);
                text[at] = (char)byte;
                assert_int_equal(id_is_plain((struct span){text, bytes}), byte >= 0x20 && byte < 0x7f);
            }
}

static void assert_time(int64_t ms, enum event_code code, const char *part)
{
    struct fault fault = {0};
    assert_int_equal(occurred_at_check(ms, LATEST_MS, &fault), code);
    if (code == EVENT_OK)
        return;
    assert_int_equal(fault.column, FAULT_OCCURRED_AT);
    assert_non_null(strstr(fault.text, part));
}

static void test_times(void **state)
{
    (void)state;
    assert_time(0, EVENT_OK, NULL);
    assert_time(LATEST_MS, EVENT_OK, NULL);
    assert_time(LATEST_MS + 1, EVENT_OUT_OF_RANGE, "after 2026-11-24T10:00:00Z");
    assert_time(253402300799999, EVENT_OUT_OF_RANGE, "after");
    assert_time(INT64_MAX, EVENT_OUT_OF_RANGE, "after");
    assert_time(OCCURRED_AT_FIRST_MS, EVENT_OK, NULL);
    assert_time(OCCURRED_AT_FIRST_MS - 1, EVENT_OUT_OF_RANGE, "before 1900");
    assert_time(INT64_MIN + 1, EVENT_OUT_OF_RANGE, "before 1900");
    assert_time(OCCURRED_AT_NO_UNIT, EVENT_WRONG_TYPE, "TIME_UNIT");
}

static void test_fields(void **state)
{
    (void)state;
    struct fault fault;
    struct event event = {.event_id = SPAN_LITERAL("e"), .employee_id = SPAN_LITERAL("E1"), .occurred_at_ms = 1};
    assert_int_equal(identity_check(&event, LATEST_MS, &fault), EVENT_OK);
    event.employee_id = SPAN_LITERAL("");
    assert_int_equal(identity_check(&event, LATEST_MS, &fault), EVENT_BAD_ID);
    assert_string_equal(envelope_field_name(fault.column), "employee_id");
    event.event_id = SPAN_LITERAL("\n");
    assert_int_equal(identity_check(&event, LATEST_MS, &fault), EVENT_BAD_ID);
    assert_string_equal(envelope_field_name(fault.column), "event_id");
    assert_null(envelope_field_name(FAULT_NO_COLUMN));
}

static void test_units(void **state)
{
    (void)state;
    assert_int_equal(time_unit_find("days"), TIME_UNIT_DAYS);
    assert_int_equal(time_unit_find(NULL), TIME_UNIT_NONE);
    assert_int_equal(time_unit_find("sec"), TIME_UNIT_NONE);
    const char *const *words = option_rows[OPTION_TIME_UNIT].words;
    for (int unit = TIME_UNIT_S; unit <= TIME_UNIT_DAYS; unit++)
        assert_int_equal(time_unit_find(words[unit - TIME_UNIT_S]), unit);
    assert_null(words[TIME_UNIT_DAYS]);
    assert_int_equal(time_unit_to_ms(TIME_UNIT_S, 1741046400), 1741046400000);
    assert_int_equal(time_unit_to_ms(TIME_UNIT_MS, -7), -7);
    assert_int_equal(time_unit_to_ms(TIME_UNIT_US, 1741046400123999), 1741046400123);
    assert_int_equal(time_unit_to_ms(TIME_UNIT_US, -1), -1);
    assert_int_equal(time_unit_to_ms(TIME_UNIT_NS, 1741046400123999999), 1741046400123);
    assert_int_equal(time_unit_to_ms(TIME_UNIT_NS, -1000001), -2);
    assert_int_equal(time_unit_to_ms(TIME_UNIT_DAYS, 20151), 1741046400000);
    assert_int_equal(time_unit_to_ms(TIME_UNIT_DAYS, INT64_MAX), INT64_MAX);
    assert_int_equal(time_unit_to_ms(TIME_UNIT_S, INT64_MIN), INT64_MIN + 1);
    assert_int_equal(time_unit_to_ms(TIME_UNIT_MS, INT64_MIN), INT64_MIN + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),   cmocka_unit_test(test_lengths), cmocka_unit_test(test_each_place),
        cmocka_unit_test(test_times), cmocka_unit_test(test_fields),  cmocka_unit_test(test_units),
    };
    return cmocka_run_group_tests_name("events/identity", tests, NULL, NULL);
}
