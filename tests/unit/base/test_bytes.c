/* base/bytes.h: a cursor never passes the end, a buffer keeps what it was given. */
#include "tests/unit/base/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static void spans_compare_by_content(void **state)
{
    (void)state;
    assert_true(span_equal(span_of("abc"), SPAN_LITERAL("abc")));
    assert_false(span_equal(span_of("abc"), span_of("abd")));
    assert_false(span_equal(span_of("abc"), span_of("ab")));
    assert_true(span_equal(SPAN_NULL, span_of("")));
}

static void cursor_stops_at_the_end(void **state)
{
    (void)state;
    struct cursor cursor = cursor_of(SPAN_LITERAL("\x01\x02\x03\x04\x05\x06"));
    uint8_t byte = 0;
    uint32_t word = 0;
    struct span rest;
    assert_true(cursor_u8(&cursor, &byte));
    assert_int_equal(byte, 1);
    assert_true(cursor_u32_be(&cursor, &word));
    assert_int_equal(word, 0x02030405);
    assert_false(cursor_u32_be(&cursor, &word));
    assert_false(cursor_span(&cursor, 2, &rest));
    assert_int_equal(cursor_left(&cursor), 1);
    assert_true(cursor_span(&cursor, 1, &rest));
    assert_true(cursor_span(&cursor, 0, &rest));
    assert_false(cursor_u8(&cursor, &byte));
    assert_false(cursor_span(&cursor, SIZE_MAX, &rest));
}

static void cursor_of_nothing_is_empty(void **state)
{
    (void)state;
    struct cursor cursor = cursor_of(SPAN_NULL);
    uint8_t byte = 0;
    assert_int_equal(cursor_left(&cursor), 0);
    assert_false(cursor_u8(&cursor, &byte));
}

static void buffer_grows_and_is_reused(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_int_equal(buffer_span(&buffer).bytes, 0);
    assert_non_null(buffer_span(&buffer).data);
    for (int i = 0; i < 10000; i++)
        buffer_add_u8(&buffer, (uint8_t)i);
    buffer_add(&buffer, NULL, 0);
    buffer_add_text(&buffer, "end");
    assert_int_equal(buffer.bytes, 10003);
    for (int i = 0; i < 10000; i++)
        assert_int_equal((uint8_t)buffer.data[i], i & 255);
    size_t capacity = buffer.capacity;
    buffer_clear(&buffer);
    buffer_printf(&buffer, "%d-%s", 7, "seven");
    assert_true(span_equal(buffer_span(&buffer), SPAN_LITERAL("7-seven")));
    assert_int_equal(buffer.capacity, capacity);
    buffer_free(&buffer);
    assert_null(buffer.data);
}

static void assert_flattens(const char *given, const char *expected)
{
    char text[64];
    strcpy(text, given);
    text_flatten(text);
    assert_string_equal(text, expected);
    char *copy = text_flat(given);
    assert_string_equal(copy, expected);
    free(copy);
}

static void texts_become_one_line_of_utf8(void **state)
{
    (void)state;
    assert_flattens("", "");
    assert_flattens("two\n\tlines \r\n", "two  lines");
    assert_flattens(" \n", "");
    assert_flattens("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
    assert_flattens("cut \xE2\x82", "cut ??");
    assert_flattens("latin \xE9t\xE9", "latin ?t?");
    assert_flattens("c1 \xC2\x9B"
                    "31m \xC2\xA0.\xC2\x80",
                    "c1   31m \xC2\xA0.");
    assert_flattens("\xE2\x80\xAA \xE2\x80\xAE \xE2\x81\xA6 \xE2\x81\xA9", "??? ??? ??? ???");
    assert_flattens("\xD8\x9C \xE2\x80\x8E \xE2\x80\x8F \xE2\x80\xA8 \xE2\x80\xA9", "?? ??? ??? ??? ???");
    assert_flattens("\xE2\x80\x8D \xE2\x80\x90 \xE2\x80\xAF \xE2\x81\xA5 \xE2\x81\xAA \xD8\x9B",
                    "\xE2\x80\x8D \xE2\x80\x90 \xE2\x80\xAF \xE2\x81\xA5 \xE2\x81\xAA \xD8\x9B");
    assert_flattens("\xC0\xAF \xED\xA0\x80 \xF4\x90\x80\x80 \xFF", "?? ??? ???? ?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_compare_by_content),   cmocka_unit_test(cursor_stops_at_the_end),
        cmocka_unit_test(cursor_of_nothing_is_empty), cmocka_unit_test(texts_become_one_line_of_utf8),
        cmocka_unit_test(buffer_grows_and_is_reused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
