/* base/json_writer.h: commas, names and nesting are right, and misuse is asserted. */
#include "tests/unit/base/unit.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json_writer.h"

static struct buffer out;
static struct json_writer json;

static int begin(void **state)
{
    (void)state;
    buffer_clear(&out);
    json = json_writer_of(&out);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buffer_free(&out);
    return 0;
}

static void assert_written(const char *expected)
{
    buffer_add_u8(&out, '\0');
    assert_string_equal(out.data, expected);
}

static void each_kind_of_value_has_its_form(void **state)
{
    (void)state;
    json_begin_object(&json, NULL);
    json_write_text(&json, "text", SPAN_LITERAL("a\"b"));
    json_write_text(&json, "no text", SPAN_NULL);
    json_write_text(&json, "empty", SPAN_LITERAL(""));
    json_write_string(&json, "string", "ok");
    json_write_string(&json, "no string", NULL);
    json_write_int(&json, "int", INT64_MIN);
    json_write_uint(&json, "uint", UINT64_MAX);
    json_write_double(&json, "double", 0.1);
    json_write_double(&json, "nan", NAN);
    json_write_finite(&json, "finite", 2.5);
    json_write_finite(&json, "not finite", INFINITY);
    json_write_fixed(&json, "fixed", 1.0 / 3, 3);
    json_write_bool(&json, "true", true);
    json_write_bool(&json, "false", false);
    json_write_null(&json, "null");
    buffer_add_text(json_write_raw(&json, "raw"), "[1]");
    json_end_object(&json);
    json_end_line(&json);
    assert_written("{\"text\":\"a\\\"b\",\"no text\":null,\"empty\":\"\",\"string\":\"ok\",\"no string\":null,"
                   "\"int\":-9223372036854775808,\"uint\":18446744073709551615,\"double\":0.10000000000000001,"
                   "\"nan\":\"NaN\",\"finite\":2.5,\"not finite\":null,\"fixed\":0.333,\"true\":true,\"false\":false,"
                   "\"null\":null,\"raw\":[1]}\n");
}

static void commas_stand_between_items_alone(void **state)
{
    (void)state;
    json_begin_array(&json, NULL);
    json_begin_object(&json, NULL);
    json_end_object(&json);
    json_begin_array(&json, NULL);
    json_begin_array(&json, NULL);
    json_end_array(&json);
    json_write_int(&json, NULL, 1);
    json_end_array(&json);
    json_begin_object(&json, NULL);
    json_begin_array(&json, "a");
    json_write_null(&json, NULL);
    json_write_null(&json, NULL);
    json_end_array(&json);
    json_begin_object(&json, "b");
    json_end_object(&json);
    json_end_object(&json);
    json_end_array(&json);
    assert_written("[{},[[],1],{\"a\":[null,null],\"b\":{}}]");
}

static void a_key_may_stand_before_its_value(void **state)
{
    (void)state;
    json_begin_object(&json, NULL);
    json_key_span(&json, SPAN_LITERAL("\"quoted\""));
    json_begin_array(&json, NULL);
    json_end_array(&json);
    json_key(&json, "b");
    json_write_int(&json, NULL, 2);
    json_end_object(&json);
    assert_written("{\"\\\"quoted\\\"\":[],\"b\":2}");
}

static void items_may_stand_on_lines_of_their_own(void **state)
{
    (void)state;
    json_begin_array(&json, NULL);
    json_break(&json);
    json_write_int(&json, NULL, 1);
    json_break(&json);
    json_write_int(&json, NULL, 2);
    json_break(&json);
    json_end_array(&json);
    assert_written("[\n1,\n2\n]");
}

static void separators_may_be_given(void **state)
{
    (void)state;
    json.comma = ", ";
    json.colon = ": ";
    json_begin_object(&json, NULL);
    json_write_int(&json, "a", 1);
    json_write_int(&json, "b", 2);
    json_end_object(&json);
    assert_written("{\"a\": 1, \"b\": 2}");
}

static void levels_are_kept_to_the_deepest(void **state)
{
    (void)state;
    for (int d = 0; d < JSON_DEPTH_MAX; d++)
        if (d % 2)
            json_begin_object(&json, NULL), json_key(&json, "a");
        else
            json_begin_array(&json, NULL);
    json_write_null(&json, NULL);
    for (int d = JSON_DEPTH_MAX; d-- > 0;)
        if (d % 2)
            json_end_object(&json);
        else
            json_end_array(&json);
    json_end_line(&json);
    assert_int_equal(json.depth, 0);
}

static void a_document_may_follow_other_text(void **state)
{
    (void)state;
    buffer_add_text(&out, "before ");
    json_write_int(&json, NULL, 1);
    json_end_line(&json);
    json = json_writer_of(&out);
    json_write_int(&json, NULL, 2);
    assert_written("before 1\n2");
}

static void a_document_is_an_object_and_its_line(void **state)
{
    (void)state;
    json = json_begin_document(&out);
    json_write_int(&json, "a", 1);
    json_end_document(&json);
    assert_written("{\"a\":1}\n");
}

static void value_without_key(void)
{
    json_begin_object(&json, NULL);
    json_write_int(&json, NULL, 1);
}

static void key_in_array(void)
{
    json_begin_array(&json, NULL);
    json_write_int(&json, "a", 1);
}

static void key_after_key(void)
{
    json_begin_object(&json, NULL);
    json_key(&json, "a");
    json_write_int(&json, "b", 1);
}

static void key_without_value(void)
{
    json_begin_object(&json, NULL);
    json_key(&json, "a");
    json_end_object(&json);
}

static void wrong_end(void)
{
    json_begin_object(&json, NULL);
    json_end_array(&json);
}

static void end_without_begin(void)
{
    json_end_object(&json);
}

static void second_value_at_the_top(void)
{
    json_write_int(&json, NULL, 1);
    json_write_int(&json, NULL, 2);
}

static void line_ended_within(void)
{
    json_begin_object(&json, NULL);
    json_end_line(&json);
}

static void too_deep(void)
{
    for (int d = 0; d <= JSON_DEPTH_MAX; d++)
        json_begin_array(&json, NULL);
}

/* In a child: true if it was ended by abort(). */
static bool aborts(void (*misuse)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        if (close(STDERR_FILENO) == 0)
            misuse();
        _exit(0);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    return WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT;
}

static void misuse_is_asserted(void **state)
{
    (void)state;
    static void (*const misuses[])(void) = {
        value_without_key, key_in_array,      key_after_key,           key_without_value, wrong_end,
        end_without_begin, line_ended_within, second_value_at_the_top, too_deep};
    for (size_t m = 0; m < sizeof misuses / sizeof *misuses; m++)
        if (!aborts(misuses[m]))
            fail_msg("misuse %zu was not asserted", m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_kind_of_value_has_its_form, begin, end),
        cmocka_unit_test_setup_teardown(commas_stand_between_items_alone, begin, end),
        cmocka_unit_test_setup_teardown(a_key_may_stand_before_its_value, begin, end),
        cmocka_unit_test_setup_teardown(items_may_stand_on_lines_of_their_own, begin, end),
        cmocka_unit_test_setup_teardown(separators_may_be_given, begin, end),
        cmocka_unit_test_setup_teardown(levels_are_kept_to_the_deepest, begin, end),
        cmocka_unit_test_setup_teardown(a_document_may_follow_other_text, begin, end),
        cmocka_unit_test_setup_teardown(a_document_is_an_object_and_its_line, begin, end),
        cmocka_unit_test_setup_teardown(misuse_is_asserted, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
