/* MLflow's YAML: quoting both ways, folding, nesting, and bytes that are no YAML at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "registry/yaml.h"

static void expect(const char *text, const char *key, const char *value)
{
    struct buffer out = {0};
    bool found = yaml_scalar(span_of(text), key, &out);
    if (value) {
        assert_true(found);
        assert_string_equal(out.data, value);
    } else {
        assert_false(found);
    }
    buffer_free(&out);
}

static void test_scalars_as_mlflow_writes_them(void **state)
{
    (void)state;
    expect("name: attrition\nversion: 3\n", "version", "3");
    expect("run_name: 'x: y'\n", "run_name", "x: y");
    expect("a: 'it''s'\r\nb: 2\r\n", "a", "it's");
    expect("a: 'it''s'\r\nb: 2\r\n", "b", "2");
    expect("a: \"tab\\t\\u00e4\\x41\\n\"\n", "a",
           "tab\t\xc3\xa4"
           "A\n");
    expect("a: ''\n", "a", "");
    expect("a: plain # comment\n", "a", "plain");
    expect("a: no#comment\n", "a", "no#comment");
    expect("---\n# head\na: 1", "a", "1");
    expect("run_link: null\na: ~\nb:\n", "run_link", NULL);
    expect("run_link: null\na: ~\nb:\n", "a", NULL);
    expect("run_link: null\na: ~\nb:\n", "b", NULL);
    expect("tags: []\n", "tags", NULL);
    expect("aa: 1\n", "a", NULL);
}

static void test_long_lines_fold(void **state)
{
    (void)state;
    expect("a: one two\n  three\n  four\nb: 1\n", "a", "one two three four");
    expect("a: 'one\n\n  two'\nb: 1\n", "a", "one\ntwo");
    expect("a: \"one\\\n  \\ two\"\n", "a", "one two");
}

static void test_nesting(void **state)
{
    (void)state;
    const char *text =
        "data: outer\nflavors:\n  python_function:\n    data: p.onnx\n  onnx:\n    data: model.onnx\n    "
        "providers:\n    - A\n    last: 1\nrun_id: r\n";
    struct span flavors, onnx;
    struct buffer out = {0};
    assert_true(yaml_block(span_of(text), "flavors", &flavors));
    assert_true(yaml_block(flavors, "onnx", &onnx));
    assert_true(yaml_scalar(onnx, "data", &out));
    assert_string_equal(out.data, "model.onnx");
    assert_true(yaml_scalar(onnx, "last", &out));
    assert_false(yaml_scalar(flavors, "run_id", &out));
    assert_false(yaml_block(span_of(text), "run_id", &flavors));
    buffer_free(&out);
    expect(text, "data", "outer");
    expect(text, "run_id", "r");
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    static const char *const values[] = {"plain",
                                         "1",
                                         "null",
                                         "yes",
                                         "a: b",
                                         "it's \"x\"",
                                         "tab\tnew\nline",
                                         "",
                                         "-",
                                         "/a/b.c",
                                         "\xc3\xa4 \xe2\x82\xac",
                                         "back\\slash",
                                         " space ",
                                         "# no comment"};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        struct buffer out = {0};
        yaml_add_text(&out, 0, "before", "x");
        yaml_add_text(&out, 0, "key", values[v]);
        yaml_add_int(&out, 0, "after", -5);
        buffer_add_u8(&out, 0);
        expect(out.data, "key", values[v]);
        expect(out.data, "after", "-5");
        buffer_free(&out);
    }
}

static void test_garbage_is_absent(void **state)
{
    (void)state;
    expect("", "a", NULL);
    expect("a", "a", NULL);
    expect("a:", "a", NULL);
    expect("a: 'open\n", "a", NULL);
    expect("a: \"open\\", "a", NULL);
    expect("a: \"\\x4\"", "a", NULL);
    expect("a: \"\\q\"", "a", NULL);
    expect("a: |\n  block\n", "a", NULL);
    expect("\t\n\n  \n", "a", NULL);
    struct buffer out = {0};
    assert_false(yaml_scalar(SPAN_NULL, "a", &out));
    assert_false(yaml_scalar((struct span){"\0\0a: 1", 6}, "a", &out));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_as_mlflow_writes_them),
        cmocka_unit_test(test_long_lines_fold),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_garbage_is_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
