/* producer/input_form.h: which form an input has. */
#include "tests/unit/producer/unit.h"

#include "producer/input_form.h"

static const char *form_of(const char *format, const char *path, const char *text)
{
    return input_form_text(format, path, span_of(text))->name;
}

static void test_name_before_content(void **state)
{
    (void)state;
    assert_string_equal(form_of(NULL, "people.CSV", "{"), "csv");
    assert_string_equal(form_of(NULL, "people.json", "a"), "jsonl");
    assert_string_equal(form_of(NULL, "people.ndjson.rejects.rejects", "a"), "jsonl");
    assert_string_equal(form_of(NULL, "people.jsonl.gz.rejects", "a"), "jsonl");
    assert_string_equal(form_of(NULL, "people.json.ZST", "a"), "jsonl");
    assert_string_equal(form_of("csv", "people.jsonl", "{"), "csv");
}

static void test_content_where_the_name_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(form_of(NULL, "-", "{}"), "jsonl");
    assert_string_equal(form_of(NULL, "people", "[{}]"), "jsonl");
    assert_string_equal(form_of(NULL, "people.txt", "a,b"), "csv");
    assert_string_equal(form_of(NULL, "csv", ""), "csv");
}

static void test_unknown_format(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(input_form_check("jsonl", &err), STATUS_OK);
    assert_int_equal(input_form_check("xml", &err), STATUS_INVALID);
    assert_string_equal(err.text, "--format xml: csv, jsonl or avro");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_before_content),
        cmocka_unit_test(test_content_where_the_name_says_nothing),
        cmocka_unit_test(test_unknown_format),
    };
    return cmocka_run_group_tests_name("producer/input_form", tests, unit_setup, unit_teardown);
}
