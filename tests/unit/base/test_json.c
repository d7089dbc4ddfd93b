/* base/json.h: what is written reads back as the same value. */
#include "tests/unit/base/unit.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/json.h"

static const char *text_of(struct buffer *buffer)
{
    buffer_add_u8(buffer, '\0');
    return buffer->data;
}

static void texts_are_escaped(void **state)
{
    (void)state;
    struct buffer out = {0};
    json_add_text(&out, SPAN_LITERAL("a\"b\\c\n\t\x01\x7f é"));
    assert_string_equal(text_of(&out), "\"a\\\"b\\\\c\\u000a\\u0009\\u0001\\u007f é\"");
    buffer_free(&out);
}

static void any_ascii_text_reads_back(void **state)
{
    (void)state;
    struct buffer out = {0};
    char text[127];
    for (int i = 0; i < 127; i++)
        text[i] = (char)(i + 1);
    json_add_text(&out, (struct span){text, sizeof text});
    json_t *value = json_loads(text_of(&out), JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    assert_int_equal(json_string_length(value), sizeof text);
    assert_memory_equal(json_string_value(value), text, sizeof text);
    json_decref(value);
    buffer_free(&out);
}

static void assert_double(double number, const char *expected)
{
    struct buffer out = {0};
    json_add_double(&out, number);
    assert_string_equal(text_of(&out), expected);
    buffer_free(&out);
}

static void doubles_have_one_form(void **state)
{
    (void)state;
    assert_double(41, "41");
    assert_double(-3, "-3");
    assert_double(0, "0");
    assert_double(-0.0, "-0.0");
    assert_double(0.1, "0.10000000000000001");
    assert_double(9007199254740991.0, "9007199254740991");
    assert_double(9007199254740992.0, "9007199254740992");
    assert_double(NAN, "\"NaN\"");
    assert_double(INFINITY, "\"Infinity\"");
    assert_double(-INFINITY, "\"-Infinity\"");
}

static void doubles_read_back_bit_for_bit(void **state)
{
    (void)state;
    static const double numbers[] = {DBL_MIN, DBL_MAX, -DBL_MAX, 4.9e-324, M_PI, 1e21, 1.0 / 3, 123456.789e-20};
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        struct buffer out = {0};
        json_add_double(&out, numbers[n]);
        json_t *value = json_loads(text_of(&out), JSON_DECODE_ANY, NULL);
        double read = json_number_value(value);
        assert_memory_equal(&read, &numbers[n], sizeof read);
        json_decref(value);
        buffer_free(&out);
    }
}

static void integers_reach_their_limits(void **state)
{
    (void)state;
    struct buffer out = {0};
    json_add_int(&out, INT64_MIN);
    buffer_add_u8(&out, ' ');
    json_add_int(&out, INT64_MAX);
    buffer_add_u8(&out, ' ');
    json_add_int(&out, 0);
    assert_string_equal(text_of(&out), "-9223372036854775808 9223372036854775807 0");
    buffer_free(&out);
}

static void rows_stand_under_their_names(void **state)
{
    (void)state;
    const struct column columns[] = {{.name = "years", .kind = COLUMN_NUMERIC},
                                     {.name = "place", .kind = COLUMN_NOMINAL},
                                     {.name = "rank", .kind = COLUMN_ORDINAL}};
    struct cell cells[] = {cell_number(2.5), {.text = "a\"b", .text_bytes = 3, .code = CELL_OTHER}, cell_number(NAN)};
    struct buffer out = {0};
    json_add_row(&out, columns, 3, cells);
    assert_string_equal(text_of(&out), "{\"years\":2.5,\"place\":\"a\\\"b\",\"rank\":null}");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped),           cmocka_unit_test(any_ascii_text_reads_back),
        cmocka_unit_test(doubles_have_one_form),       cmocka_unit_test(doubles_read_back_bit_for_bit),
        cmocka_unit_test(integers_reach_their_limits), cmocka_unit_test(rows_stand_under_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
