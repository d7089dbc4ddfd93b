/* What json_line_prepare changes, and above all what it leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scorer/json_line.h"

static void expect(const char *line, const char *prepared, const char *id)
{
    struct buffer out = {0};
    struct span raw;
    json_line_prepare(span_of(line), &out, &raw);
    buffer_add_u8(&out, 0);
    assert_string_equal(out.data, prepared);
    if (id)
        assert_true(span_equal(raw, span_of(id)));
    else
        assert_null(raw.data);
    buffer_free(&out);
}

static void unchanged(const char *line)
{
    expect(line, line, NULL);
}

static void test_what_is_no_number_becomes_a_text(void **state)
{
    (void)state;
    expect("{\"a\": NaN}", "{\"a\": \"NaN\"}", NULL);
    expect("{\"a\":Infinity,\"b\":-Infinity}", "{\"a\":\"Infinity\",\"b\":\"-Infinity\"}", NULL);
    expect("{\"a\": 1e999, \"b\": -1.5E+400}", "{\"a\": \"Infinity\", \"b\": \"-Infinity\"}", NULL);
    expect("{\"a\": [NaN, 1, NaN]}", "{\"a\": [\"NaN\", 1, \"NaN\"]}", NULL);
    expect("{\"a\": {\"b\": NaN}, \"c\": NaN}", "{\"a\": {\"b\": \"NaN\"}, \"c\": \"NaN\"}", NULL);
    expect("{\"a\": 100000000000000000000}", "{\"a\": 100000000000000000000e0}", NULL);
    expect("NaN", "\"NaN\"", NULL);
}

static void test_everything_else_stays(void **state)
{
    (void)state;
    unchanged("");
    unchanged("   ");
    unchanged("{\"a\": \"NaN\", \"b\": \"\\\"NaN\", \"c\": \"{NaN\"}");
    unchanged("{\"a\": 1e308, \"b\": -0, \"c\": 0.1e-400, \"d\": 9223372036854775807, \"e\": -9223372036854775808}");
    unchanged("{NaN: 1, \"a\": nan, \"b\": -NaN, \"c\": +Infinity, \"d\": 01e999, \"e\": 1.e999, \"f\": .5e999, \"g\": "
              "1e999x}");
    unchanged("{\"a\" NaN}");
    unchanged("{\"a\": \"unclosed NaN");
    unchanged("{\"a\": \"\\");
    unchanged("]]]}}}{\"a\": true, \"b\": null}");
}

static void test_the_id_is_raw(void **state)
{
    (void)state;
    expect("{\"id\": 1.50, \"attributes\": {\"id\": 2}}", "{\"id\": 1.50, \"attributes\": {\"id\": 2}}", "1.50");
    expect("{\"attributes\": {\"id\": 2}, \"id\" : \"a\\u00e9\\\"b\"}",
           "{\"attributes\": {\"id\": 2}, \"id\" : \"a\\u00e9\\\"b\"}", "\"a\\u00e9\\\"b\"");
    expect("{\"id\": 12345678901234567890}", "{\"id\": 12345678901234567890e0}", "12345678901234567890");
    expect("{\"id\": NaN}", "{\"id\": \"NaN\"}", "\"NaN\"");
    expect("{\"id\":null}", "{\"id\":null}", "null");
    expect("{\"x\": \"id\", \"y\": 3}", "{\"x\": \"id\", \"y\": 3}", NULL);
    expect("{\"id\": {\"a\": 1}}", "{\"id\": {\"a\": 1}}", NULL);
    expect("[{\"id\": 3}]", "[{\"id\": 3}]", NULL);
}

static void test_depth_is_no_danger(void **state)
{
    (void)state;
    struct buffer line = {0}, out = {0};
    struct span raw;
    for (int level = 0; level < 100000; level++)
        buffer_add_text(&line, level % 2 ? "[NaN," : "{\"id\":");
    json_line_prepare(buffer_span(&line), &out, &raw);
    assert_true(out.bytes >= line.bytes);
    buffer_free(&line);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_number_becomes_a_text),
        cmocka_unit_test(test_everything_else_stays),
        cmocka_unit_test(test_the_id_is_raw),
        cmocka_unit_test(test_depth_is_no_danger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
