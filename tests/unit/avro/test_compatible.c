/* avro/compatible.h: what a newer schema may change, and what breaks the reading of older data. */
#include "tests/support/bytes.h"

#include "avro/compatible.h"

#define OLDER \
    "{\"name\":\"a\",\"type\":\"long\"},{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[" \
    "\"X\",\"Y\"]}}"
#define RECORD(FIELDS) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" FIELDS "]}"
#define ENUM(SYMBOLS) "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":" SYMBOLS "}}"
#define LONG "{\"name\":\"a\",\"type\":\"long\"},"

static enum status reads(const char *reader, const char *writer)
{
    struct avro_schema *newer, *older;
    struct error err;
    assert_int_equal(avro_schema_parse(span_of(reader), &newer, &err), STATUS_OK);
    assert_int_equal(avro_schema_parse(span_of(writer), &older, &err), STATUS_OK);
    enum status status = schema_reads(avro_schema_type(newer), avro_schema_type(older), &err);
    assert_true(status == STATUS_OK || *err.text);
    avro_schema_free(newer);
    avro_schema_free(older);
    return status;
}

static void test_changes(void **state)
{
    (void)state;
    static const struct {
        const char *what, *newer;
        enum status status;
    } cases[] = {
        {"the same", RECORD(OLDER), STATUS_OK},
        {"a field removed", RECORD(ENUM("[\"X\",\"Y\"]")), STATUS_OK},
        {"a field added with a default", RECORD(OLDER ",{\"name\":\"b\",\"type\":\"int\",\"default\":1}"), STATUS_OK},
        {"a field added without", RECORD(OLDER ",{\"name\":\"b\",\"type\":\"int\"}"), STATUS_INVALID},
        {"a field renamed", RECORD("{\"name\":\"b\",\"aliases\":[\"a\"],\"type\":\"long\"}"), STATUS_OK},
        {"a field renamed without alias", RECORD("{\"name\":\"b\",\"type\":\"long\"}"), STATUS_INVALID},
        {"a symbol added", RECORD(LONG ENUM("[\"Z\",\"Y\",\"X\"]")), STATUS_OK},
        {"a symbol removed", RECORD(LONG ENUM("[\"X\"]")), STATUS_INVALID},
        {"a symbol removed, with a default", RECORD(LONG ENUM("[\"X\"],\"default\":\"X\"")), STATUS_OK},
        {"a type widened", RECORD("{\"name\":\"a\",\"type\":[\"null\",\"double\"]}"), STATUS_OK},
        {"a type narrowed", RECORD("{\"name\":\"a\",\"type\":\"int\"}"), STATUS_INVALID},
        {"narrowed in a union", RECORD("{\"name\":\"a\",\"type\":[\"null\",\"int\"]}"), STATUS_INVALID},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        if (reads(cases[c].newer, RECORD(OLDER)) != cases[c].status)
            fail_msg("%s", cases[c].what);
}

static void test_branches(void **state)
{
    (void)state;
    const char *nullable = "[\"null\",\"long\"]";
    assert_int_equal(reads("[\"long\",\"string\",\"null\"]", nullable), STATUS_OK);
    assert_int_equal(reads("\"long\"", nullable), STATUS_INVALID);
    assert_int_equal(reads("[\"null\",\"int\"]", nullable), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes), cmocka_unit_test(test_branches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
