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

/* Numbers of every size, just beside powers of ten, and halfway between two last digits. */
static void doubles_are_printed_as_printf_does(void **state)
{
    (void)state;
    struct buffer out = {0};
    uint64_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        char expected[32];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int kind = i % 4, size = (int)(seed >> 33) % 70;
        double ten = pow(10, size % 21 - 5), share = (double)(seed >> 11) / 0x1p53;
        double number = kind == 0   ? ldexp(1 + share, size - 18)
                        : kind == 1 ? (double)(seed >> 40) / 1000
                        : kind == 2 ? nextafter(ten, seed >> 63 ? 0 : INFINITY)
                                    : (double)(seed >> 14) / (double)(UINT64_C(1) << size % 60);
        if (number == floor(number))
            continue; /* whole: no matter of digits */
        number = i & 8 ? -number : number;
        buffer_clear(&out);
        json_add_double(&out, number);
        snprintf(expected, sizeof expected, "%.17g", number);
        assert_string_equal(text_of(&out), expected);
    }
    buffer_free(&out);
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
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(any_ascii_text_reads_back),
        cmocka_unit_test(doubles_have_one_form),
        cmocka_unit_test(doubles_are_printed_as_printf_does),
        cmocka_unit_test(doubles_read_back_bit_for_bit),
        cmocka_unit_test(integers_reach_their_limits),
        cmocka_unit_test(rows_stand_under_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
