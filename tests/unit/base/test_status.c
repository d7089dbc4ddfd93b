/* base/status.h: error texts stay one bounded line. */
#include "tests/unit/base/unit.h"

#include <string.h>

#include "base/status.h"

static void set_fills_text_and_returns_status(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(error_set(&err, STATUS_NOT_FOUND, "no topic %s", "t"), STATUS_NOT_FOUND);
    assert_int_equal(err.status, STATUS_NOT_FOUND);
    assert_string_equal(err.text, "no topic t");
    assert_int_equal(error_set(ERROR_IGNORED, STATUS_IO, "nobody listens"), STATUS_IO);
}

static void prefix_puts_context_first(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, STATUS_DENIED, "wrong password");
    assert_int_equal(error_prefix(&err, "database %s", "hr"), STATUS_DENIED);
    assert_string_equal(err.text, "database hr: wrong password");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    struct error err = {0};
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&err, STATUS_INVALID, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    error_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void lines_become_one(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, STATUS_UNAVAILABLE, "%s", "connection refused\n\tIs the server running?\n");
    assert_string_equal(err.text, "connection refused  Is the server running?");
    error_prefix(&err, "%s", "file\nname");
    assert_string_equal(err.text, "file name: connection refused  Is the server running?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_text_and_returns_status),
        cmocka_unit_test(prefix_puts_context_first),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(lines_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
