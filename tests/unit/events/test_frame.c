/* A message's frame: which schema it names, and what is no frame. */
#include "events/frame.h"
#include "tests/unit/events/unit.h"

static struct frame frame;
static struct fault fault;

static enum event_code read_copy(struct span value, struct span header)
{
    struct span exact = unit_copy(value);
    enum event_code code = frame_read(exact, header, &frame, &fault);
    if (code == EVENT_OK) {
        frame.datum.data = value.data + (frame.datum.data - exact.data);
    }
    free((char *)exact.data);
    return code;
}

static void reads_ids_and_guids(void **state)
{
    (void)state;
    char text[SCHEMA_KEY_TEXT_BYTES];
    assert_int_equal(read_copy(SPAN_LITERAL("\0\0\0\1\2abc"), SPAN_NULL), EVENT_OK);
    assert_int_equal(frame.key.id, 258);
    assert_true(span_equal(frame.datum, SPAN_LITERAL("abc")));
    schema_key_text(&frame.key, text);
    assert_string_equal(text, "258");
    assert_int_equal(read_copy(SPAN_LITERAL("\1\x8d\x3e\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\xff"), SPAN_NULL),
                     EVENT_OK);
    assert_true(frame.key.is_guid && frame.key.id == 0 && frame.datum.bytes == 0);
    schema_key_text(&frame.key, text);
    assert_string_equal(text, "8d3e0102-0304-0506-0708-090a0b0c0dff");
    assert_int_equal(read_copy(SPAN_LITERAL("\0\xff\xff\xff\xff"), SPAN_NULL), EVENT_OK);
    assert_int_equal(frame.key.id, UINT32_MAX);
}

static void header_wins_over_the_value(void **state)
{
    (void)state;
    struct span value = SPAN_LITERAL("\0\0\0\0\1abc");
    assert_int_equal(read_copy(value, SPAN_LITERAL("\0\0\0\0\7")), EVENT_OK);
    assert_int_equal(frame.key.id, 7);
    assert_true(span_equal(frame.datum, value));
    assert_int_equal(read_copy(value, SPAN_LITERAL("\1xxxxxxxxxxxxxxxx")), EVENT_OK);
    assert_true(frame.key.is_guid);
}

static void assert_refused(struct span value, struct span header, const char *why)
{
    assert_int_equal(read_copy(value, header), EVENT_BAD_FRAME);
    assert_non_null(strstr(fault.text, why));
}

static void refuses_what_is_no_frame(void **state)
{
    (void)state;
    assert_refused(SPAN_LITERAL(""), SPAN_NULL, "empty");
    assert_refused(SPAN_LITERAL(""), SPAN_LITERAL("\0\0\0\0\7"), "empty");
    assert_refused(SPAN_LITERAL("\0\0\0\1"), SPAN_NULL, "4 bytes are too short");
    assert_refused(SPAN_LITERAL("\1xxxxxxxxxxxxxxx"), SPAN_NULL, "16 bytes are too short");
    assert_refused(SPAN_LITERAL("{\"a\":1}"), SPAN_NULL, "byte 123");
    assert_refused(SPAN_LITERAL("x"), SPAN_LITERAL(""), "0 bytes that are no schema id");
    assert_refused(SPAN_LITERAL("x"), SPAN_LITERAL("\0\0\0\0"), "no schema id");
    assert_refused(SPAN_LITERAL("x"), SPAN_LITERAL("\0\0\0\0\7\7"), "no schema id");
    assert_refused(SPAN_LITERAL("x"), SPAN_LITERAL("7"), "no schema id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_ids_and_guids),
        cmocka_unit_test(header_wins_over_the_value),
        cmocka_unit_test(refuses_what_is_no_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
