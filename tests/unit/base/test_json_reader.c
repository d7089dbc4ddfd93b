/* base/json_reader.h: what is JSON is taken, and every flaw has its name. */
#include "tests/unit/base/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_reader.h"

/* A copy that ends where the text does, so that the sanitizers see what reads beyond it. */
static enum json_flaw flaw_of(struct span text, struct json_value *value)
{
    struct json_reader reader = {0};
    char *exact = malloc(text.bytes ? text.bytes : 1);
    memcpy(exact, text.data, text.bytes);
    json_reader_start(&reader, (struct span){exact, text.bytes});
    if (json_read_value(&reader, value))
        json_skip_rest(&reader, value);
    enum json_flaw flaw = json_reader_end(&reader);
    json_reader_free(&reader);
    free(exact);
    return flaw;
}

static void assert_flaw(const char *text, enum json_flaw expected)
{
    struct json_value value;
    enum json_flaw flaw = flaw_of(span_of(text), &value);
    if (flaw != expected)
        fail_msg("%s: %s, not %s", text, json_flaw_text(flaw), json_flaw_text(expected));
}

static void what_is_json_is_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        " { \"a\" : [ 1 , 2.5e-3 , null , true , false ] }\r\n\t",
        "\"\"",
        "0",
        "-0",
        "1e5",
        "1E+5",
        "0.5",
        "{\"a\":{\"b\":{\"a\":1},\"c\":2},\"b\":1}",
        "[[],[[]],{}]",
        "\"\\u00e9\\ud83d\\ude00\\n\\/\"",
        "\"\x7f\"",
        "[NaN,Infinity,-Infinity,1e999,-1e999]",
        "[{\"a\":1},{\"a\":1}]",
        "\"\\u0000\"",
        "123456789012345678901234567890",
    };
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
        assert_flaw(texts[t], JSON_FLAW_NONE);
}

static void every_flaw_has_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum json_flaw flaw;
    } cases[] = {
        {"", JSON_FLAW_CUT_OFF},
        {"  ", JSON_FLAW_CUT_OFF},
        {"{", JSON_FLAW_CUT_OFF},
        {"{\"a\"", JSON_FLAW_CUT_OFF},
        {"{\"a\":", JSON_FLAW_CUT_OFF},
        {"{\"a\":1", JSON_FLAW_CUT_OFF},
        {"\"abc", JSON_FLAW_CUT_OFF},
        {"\"abc\\\"", JSON_FLAW_CUT_OFF},
        {"[1,", JSON_FLAW_CUT_OFF},
        {"{\"a\":1,}", JSON_FLAW_SYNTAX},
        {"[1,]", JSON_FLAW_SYNTAX},
        {"[,1]", JSON_FLAW_SYNTAX},
        {"[1 2]", JSON_FLAW_SYNTAX},
        {"{\"a\" 1}", JSON_FLAW_SYNTAX},
        {"{a:1}", JSON_FLAW_SYNTAX},
        {"{'a':1}", JSON_FLAW_SYNTAX},
        {"nul", JSON_FLAW_SYNTAX},
        {"True", JSON_FLAW_SYNTAX},
        {"nan", JSON_FLAW_SYNTAX},
        {"+1", JSON_FLAW_SYNTAX},
        {".5", JSON_FLAW_SYNTAX},
        {"-", JSON_FLAW_SYNTAX},
        {"-a", JSON_FLAW_SYNTAX},
        {"01", JSON_FLAW_NUMBER},
        {"-01", JSON_FLAW_NUMBER},
        {"1.", JSON_FLAW_NUMBER},
        {"1.e5", JSON_FLAW_NUMBER},
        {"1e", JSON_FLAW_NUMBER},
        {"1e+", JSON_FLAW_NUMBER},
        {"0x10", JSON_FLAW_TRAILING},
        {"1 1", JSON_FLAW_TRAILING},
        {"{}{}", JSON_FLAW_TRAILING},
        {"{}//", JSON_FLAW_TRAILING},
        {"nullx", JSON_FLAW_TRAILING},
        {"\"\x01\"", JSON_FLAW_CONTROL},
        {"\"12345678\n\"", JSON_FLAW_CONTROL},
        {"\"\\u0041\t\"", JSON_FLAW_CONTROL},
        {"\"\\x\"", JSON_FLAW_ESCAPE},
        {"\"\\u12g4\"", JSON_FLAW_ESCAPE},
        {"\"\\u12\"", JSON_FLAW_ESCAPE},
        {"\"\\ud800\"", JSON_FLAW_SURROGATE},
        {"\"\\udc00\"", JSON_FLAW_SURROGATE},
        {"\"\\ud800\\u0041\"", JSON_FLAW_SURROGATE},
        {"\"\xc3\"", JSON_FLAW_UTF8},
        {"\"12345678\xed\xa0\x80\"", JSON_FLAW_UTF8},
        {"\"\xc0\x80\"", JSON_FLAW_UTF8},
        {"\"\\n\xff\"", JSON_FLAW_UTF8},
        {"{\"a\":1,\"a\":2}", JSON_FLAW_DUPLICATE},
        {"[{\"b\":{\"a\":1,\"x\":[],\"\\u0061\":2}}]", JSON_FLAW_DUPLICATE},
        {"\xef\xbb\xbf{}", JSON_FLAW_SYNTAX},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_flaw(cases[c].text, cases[c].flaw);
}

static void numbers_are_the_nearest_doubles(void **state)
{
    (void)state;
    char text[64];
    struct json_value value;
    static const char *const odd[] = {"9007199254740993",
                                      "9007199254740992.5",
                                      "0.1",
                                      "123456.789e-20",
                                      "1e22",
                                      "1e23",
                                      "4.9e-324",
                                      "2.4e-324",
                                      "1.7976931348623157e308",
                                      "18446744073709551616",
                                      "0.30000000000000004",
                                      "8.5",
                                      "1e-22",
                                      "123e22"};
    for (size_t o = 0; o < sizeof odd / sizeof *odd; o++) {
        assert_int_equal(flaw_of(span_of(odd[o]), &value), JSON_FLAW_NONE);
        assert_int_equal(value.kind, JSON_KIND_NUMBER);
        assert_true(value.number == strtod(odd[o], NULL));
    }
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int places = (int)(seed >> 60), scale = (int)(seed >> 40 & 63) - 32;
        snprintf(text, sizeof text, i % 2 ? "%.*e" : "%.*f", places, ldexp((double)(int64_t)seed, -40 + scale / 4));
        assert_int_equal(flaw_of(span_of(text), &value), JSON_FLAW_NONE);
        assert_true(value.number == strtod(text, NULL));
    }
}

static void numbers_say_what_they_are(void **state)
{
    (void)state;
    struct json_value value;
    assert_int_equal(flaw_of(span_of("-0"), &value), JSON_FLAW_NONE);
    assert_true(value.whole && !signbit(value.number));
    assert_int_equal(flaw_of(span_of("-0.0"), &value), JSON_FLAW_NONE);
    assert_true(!value.whole && signbit(value.number));
    assert_int_equal(flaw_of(span_of("1e999"), &value), JSON_FLAW_NONE);
    assert_int_equal(value.kind, JSON_KIND_NOT_FINITE);
    assert_int_equal(flaw_of(span_of("-Infinity"), &value), JSON_FLAW_NONE);
    assert_int_equal(value.kind, JSON_KIND_NOT_FINITE);
}

static void texts_are_decoded(void **state)
{
    (void)state;
    struct json_reader reader = {0};
    struct json_value value;
    const struct span text = SPAN_LITERAL("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\u20ac\\ud83d\\ude00z\"");
    const struct span meant = SPAN_LITERAL("a\"\\/\b\f\n\r\t\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
    json_reader_start(&reader, text);
    assert_true(json_read_value(&reader, &value));
    assert_int_equal(value.text.bytes, meant.bytes);
    assert_memory_equal(value.text.data, meant.data, meant.bytes);
    assert_int_equal(json_reader_end(&reader), JSON_FLAW_NONE);
    json_reader_free(&reader);
}

static void assert_text(const char *text, size_t bytes, enum json_flaw expected)
{
    struct json_value value;
    enum json_flaw flaw = flaw_of((struct span){text, bytes}, &value);
    if (flaw != expected)
        fail_msg("%.*s: %s, not %s", (int)bytes, text, json_flaw_text(flaw), json_flaw_text(expected));
    if (flaw == JSON_FLAW_NONE)
        assert_int_equal(value.text.bytes, bytes - 2);
}

/* One byte of a text of a's between quotes is another. */
static void assert_byte(char *text, size_t letters, size_t place, char byte, enum json_flaw expected)
{
    text[place] = byte;
    assert_text(text, letters + 2, expected);
    text[place] = 'a';
}

/* They are looked through in pieces of sixteen and eight bytes: every kind of byte stands at every place of them. */
static void texts_end_where_they_end(void **state)
{
    char text[64];
    (void)state;
    for (size_t letters = 1; letters <= 40; letters++) {
        memset(text, 'a', sizeof text);
        text[0] = text[letters + 1] = '"';
        text[letters + 2] = '\x80';
        assert_text(text, letters + 2, JSON_FLAW_NONE);
        assert_text(text, letters + 3, JSON_FLAW_TRAILING);
        for (size_t place = 1; place <= letters; place++) {
            assert_text(text, place, JSON_FLAW_CUT_OFF);
            assert_byte(text, letters, place, '\x1f', JSON_FLAW_CONTROL);
            assert_byte(text, letters, place, '\x80', JSON_FLAW_UTF8);
            assert_byte(text, letters, place, '\\', place == letters ? JSON_FLAW_CUT_OFF : JSON_FLAW_ESCAPE);
            assert_byte(text, letters, place, '"', JSON_FLAW_TRAILING);
            assert_byte(text, letters, place, '\x7f', JSON_FLAW_NONE);
            if (place == letters)
                continue;
            text[place] = '\xc3';
            assert_byte(text, letters, place + 1, '\xa9', JSON_FLAW_NONE);
            text[place] = 'a';
        }
    }
}

static void depth_is_bounded(void **state)
{
    (void)state;
    struct json_value value;
    struct buffer deep = {0};
    for (int levels = JSON_NESTED_MAX; levels <= 10000; levels = levels == JSON_NESTED_MAX ? levels + 1 : levels * 3) {
        buffer_clear(&deep);
        for (int i = 0; i < levels; i++)
            buffer_add_u8(&deep, '[');
        for (int i = 0; i < levels; i++)
            buffer_add_u8(&deep, ']');
        assert_int_equal(flaw_of(buffer_span(&deep), &value),
                         levels > JSON_NESTED_MAX ? JSON_FLAW_DEPTH : JSON_FLAW_NONE);
    }
    buffer_free(&deep);
}

/* Many names, and many objects after them: neither time nor memory may run away. */
static void many_names_differ(void **state)
{
    (void)state;
    struct json_value value;
    struct buffer text = {0};
    buffer_add_text(&text, "[{\"a\":0");
    for (int i = 0; i < 30000; i++)
        buffer_printf(&text, ",\"k%d\":{\"a\":%d}", i, i);
    buffer_add_text(&text, "}]");
    assert_int_equal(flaw_of(buffer_span(&text), &value), JSON_FLAW_NONE);
    text.bytes -= 2;
    buffer_add_text(&text, ",\"k17\":0}]");
    assert_int_equal(flaw_of(buffer_span(&text), &value), JSON_FLAW_DUPLICATE);
    buffer_free(&text);
}

/* The next documents do not pay for one with many names. */
static void a_large_table_of_names_is_not_kept(void **state)
{
    (void)state;
    struct json_reader reader = {0};
    struct buffer text = {0};
    struct span all;
    for (int i = 0; i < 3000; i++)
        buffer_printf(&text, "%c\"n%d\":1", i ? ',' : '{', i);
    buffer_add_u8(&text, '}');
    for (int round = 0; round < 2; round++) {
        json_reader_start(&reader, buffer_span(&text));
        json_skip_value(&reader, &all);
        assert_int_equal(json_reader_end(&reader), JSON_FLAW_NONE);
        assert_int_equal(reader.name_count, 3000);
        json_reader_start(&reader, SPAN_LITERAL("{\"n1\":{\"n1\":2}}"));
        assert_true(reader.name_capacity <= 1024);
        json_skip_value(&reader, &all);
        assert_int_equal(json_reader_end(&reader), JSON_FLAW_NONE);
    }
    json_reader_free(&reader);
    buffer_free(&text);
}

static void members_and_places_are_known(void **state)
{
    (void)state;
    struct json_reader reader = {0};
    struct json_value value;
    struct span name, raw;
    size_t line, column, members = 0;
    json_reader_start(&reader, SPAN_LITERAL("{\"a\": [1, {\"b\" : 2}],\n \"c\": tru }"));
    assert_true(json_read_value(&reader, &value));
    for (bool first = true; json_next_name(&reader, &first, &name); members++) {
        json_skip_value(&reader, &raw);
        if (members == 0)
            assert_true(span_equal(raw, SPAN_LITERAL("[1, {\"b\" : 2}]")));
    }
    assert_int_equal(members, 2);
    assert_int_equal(json_reader_end(&reader), JSON_FLAW_SYNTAX);
    json_reader_place(&reader, &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 7);
    json_reader_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_json_is_taken),
        cmocka_unit_test(every_flaw_has_its_name),
        cmocka_unit_test(numbers_are_the_nearest_doubles),
        cmocka_unit_test(numbers_say_what_they_are),
        cmocka_unit_test(texts_are_decoded),
        cmocka_unit_test(texts_end_where_they_end),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(many_names_differ),
        cmocka_unit_test(a_large_table_of_names_is_not_kept),
        cmocka_unit_test(members_and_places_are_known),
    };
    return cmocka_run_group_tests_name("base/json_reader", tests, NULL, NULL);
}
