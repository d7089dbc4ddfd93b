/* scorer/audit/audit_rows.h: what two rows must share to have one digest, as PostgreSQL writes them and as the sink
 * does. */
#include "tests/support/test.h"

#include "scorer/audit/audit_rows.h"
#include "scorer/sink/copy_fields.h"

static uint64_t digest_of(const struct buffer *row, size_t count)
{
    struct cursor fields = cursor_of(buffer_span(row));
    uint64_t digest = 0;
    assert_true(audit_digest(&fields, count, &digest));
    return digest;
}

static uint64_t json_digest(const char *text)
{
    struct buffer row = {0};
    size_t at = jsonb_start(&row);
    buffer_add_text(&row, text);
    jsonb_end(&row, at);
    uint64_t digest = digest_of(&row, 1);
    buffer_free(&row);
    return digest;
}

static void jsonb_counts_by_its_content(void **state)
{
    (void)state;
    uint64_t ours = json_digest("{\"A\":1e-07,\"Bee\":\"x\\u00e9\",\"C\":null,\"D\":-0.0,\"E\":[1,2]}");
    assert_int_equal(ours,
                     json_digest("{\"C\": null, \"A\": 0.0000001, \"D\": 0.0, \"E\": [1, 2], \"Bee\": \"x\xc3\xa9\"}"));
    assert_int_not_equal(ours, json_digest("{\"A\":1e-07,\"Bee\":\"x\\u00e9\",\"C\":null,\"D\":0,\"E\":[2,1]}"));
    assert_int_not_equal(
        ours, json_digest("{\"A\":1.0000000000000002e-07,\"Bee\":\"x\\u00e9\",\"C\":null,\"D\":0,\"E\":[1,2]}"));
    assert_int_not_equal(json_digest("{\"A\":1,\"B\":2}"), json_digest("{\"A\":2,\"B\":1}"));
    assert_int_not_equal(json_digest("{\"A\":null}"), json_digest("{}"));
    assert_int_not_equal(json_digest("{\"A\":\"1\"}"), json_digest("{\"A\":1}"));
}

static void other_fields_count_by_their_bytes(void **state)
{
    (void)state;
    struct buffer row = {0}, other = {0};
    field_text(&row, "ab");
    field_float8(&row, 0.1);
    field_bytes(&row, SPAN_NULL);
    uint64_t digest = digest_of(&row, 3);
    field_text(&other, "ab");
    field_float8(&other, 0.1 + 1e-17 * 2); /* the next double */
    field_bytes(&other, SPAN_NULL);
    assert_int_not_equal(digest, digest_of(&other, 3));
    buffer_clear(&other);
    field_text(&other, "ab");
    field_float8(&other, 0.1);
    field_text(&other, "");
    assert_int_not_equal(digest, digest_of(&other, 3));
    buffer_clear(&row);
    buffer_clear(&other);
    field_text(&row, "a");
    field_text(&row, "bc");
    field_text(&other, "ab");
    field_text(&other, "c");
    assert_int_not_equal(digest_of(&row, 2), digest_of(&other, 2));
    buffer_free(&row);
    buffer_free(&other);
}

static void what_only_looks_like_jsonb_counts_by_its_bytes(void **state)
{
    (void)state;
    assert_int_equal(json_digest("{no json"), json_digest("{no json"));
    assert_int_not_equal(json_digest("{no json"), json_digest("{no  json"));
}

static void cut_rows_are_refused(void **state)
{
    (void)state;
    struct buffer row = {0};
    field_text(&row, "text");
    row.bytes--;
    struct cursor fields = cursor_of(buffer_span(&row));
    uint64_t digest;
    int64_t number;
    assert_false(audit_digest(&fields, 1, &digest));
    buffer_clear(&row);
    field_int8(&row, 5000000000);
    field_int4(&row, 7);
    field_bytes(&row, SPAN_NULL);
    fields = cursor_of(buffer_span(&row));
    assert_true(audit_field_integer(&fields, &number));
    assert_int_equal(number, 5000000000);
    assert_true(audit_field_integer(&fields, &number));
    assert_int_equal(number, 7);
    assert_true(audit_field_integer(&fields, &number));
    assert_int_equal(number, -1);
    assert_false(audit_field_integer(&fields, &number));
    buffer_free(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jsonb_counts_by_its_content),
        cmocka_unit_test(other_fields_count_by_their_bytes),
        cmocka_unit_test(what_only_looks_like_jsonb_counts_by_its_bytes),
        cmocka_unit_test(cut_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
