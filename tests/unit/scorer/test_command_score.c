/* `scorer score` from file to standard output, with the shipped schema and a model made here: one answer for each line,
 * in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "events/schema.h"
#include "pipeline/onnx/onnx_write.h"
#include "scorer/commands.h"

static char directory[] = "/tmp/test_cmd_score.XXXXXX";
static char model_path[64], input_path[64], output_path[64];

static const struct subcommand SUBCOMMANDS[] = {{"score", "[FILE]", "", .run = cmd_score}, {0}};

/* One number, one nominal: margin = (Age − 40) / 10 ± 1 for overtime. */
static int make_model(void **state)
{
    (void)state;
    static const double age_weight[] = {1}, overtime_weights[] = {-1, 1};
    static const struct span categories[] = {SPAN_LITERAL("No"), SPAN_LITERAL("Yes")};
    struct schema *schema;
    struct error err;
    struct buffer file = {0};
    if (!mkdtemp(directory) || schema_load("schemas", &schema, &err))
        return -1;
    const struct fitted_column fitted[] = {
        {.column = &schema->columns[schema_column(schema, SPAN_LITERAL("Age"))],
         .median = 40,
         .mean = 40,
         .scale = 10,
         .weights = age_weight},
        {.column = &schema->columns[schema_column(schema, SPAN_LITERAL("OverTime"))],
         .categories = categories,
         .category_count = 2,
         .mode = 0,
         .weights = overtime_weights},
    };
    const struct model_property property = {
        "attrition.reference", SPAN_LITERAL("{\"kind\":\"linear\",\"columns\":{\"Age\":40,\"OverTime\":{\"No\":1}}}")};
    const struct linear_model model = {
        .columns = fitted, .column_count = 2, .labels = categories, .properties = &property, .property_count = 1};
    snprintf(model_path, sizeof model_path, "%s/m.onnx", directory);
    snprintf(input_path, sizeof input_path, "%s/in.jsonl", directory);
    snprintf(output_path, sizeof output_path, "%s/out.jsonl", directory);
    enum status status = onnx_write_linear(&model, &file, &err);
    if (!status)
        status = file_write_atomic(model_path, buffer_span(&file), &err);
    buffer_free(&file);
    schema_free(schema);
    return status ? -1 : 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(model_path);
    unlink(input_path);
    unlink(output_path);
    return rmdir(directory);
}

/* Runs the subcommand with standard output in a file; the answer is the caller's to free. */
static int run(const char **arguments, int count, const char *input, struct buffer *answer)
{
    struct options *options = NULL;
    struct error err;
    bool exit_now = false;
    char *environment[] = {NULL};
    assert_int_equal(file_write_atomic(input_path, span_of(input), &err), STATUS_OK);
    if (options_parse(PROGRAM_SCORER, SUBCOMMANDS, count, (char **)arguments, environment, &options, &exit_now, &err))
        fail_msg("%s", err.text);
    fflush(stdout);
    int kept = dup(STDOUT_FILENO), file = open(output_path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(kept >= 0 && file >= 0 && dup2(file, STDOUT_FILENO) >= 0);
    int status = cmd_score(options);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    close(kept);
    close(file);
    options_free(options);
    assert_int_equal(file_read(output_path, 1 << 24, answer, &err), STATUS_OK);
    return status;
}

static void expect(const char *input, const char *answer, bool unchecked)
{
    const char *arguments[] = {"scorer",    "score", "--model",  model_path,
                               "--reasons", "1",     input_path, unchecked ? "--unchecked" : NULL};
    struct buffer out = {0};
    assert_int_equal(run(arguments, unchecked ? 8 : 7, input, &out), 0);
    assert_string_equal(out.data, answer);
    buffer_free(&out);
}

static void test_scores_and_reasons(void **state)
{
    (void)state;
    expect("{\"id\": 7, \"attributes\": {\"Age\": 50, \"OverTime\": \"No\"}}\n",
           "{\"id\":7,\"prediction\":\"Yes\",\"probability\":0.5,\"margin\":0,\"base\":-1,"
           "\"reasons\":[{\"feature\":\"Age\",\"contribution\":1}]}\n",
           false);
    expect("{\"Age\": 40, \"OverTime\": \"Yes\"}", /* no line end, no id */
           "{\"id\":null,\"prediction\":\"Yes\",\"probability\":0.7310585786300049,\"margin\":1,\"base\":-1,"
           "\"reasons\":[{\"feature\":\"OverTime\",\"contribution\":2}]}\n",
           false);
}

static void test_every_line_is_answered_in_order(void **state)
{
    (void)state;
    expect(
        "\n{\"id\":\"a\",\"attributes\":{\"Age\":NaN}}\nno\n{\"id\":2,\"attributes\":{\"Age\":1e999}}\n"
        "{\"id\":3,\"attributes\":{\"Age\":\"50\"}}\n[]\n{\"id\":4,\"attributes\":{\"Age\":17}}\n",
        "{\"id\":null,\"error\":{\"code\":\"malformed\",\"field\":null,\"message\":\"not JSON: it ends too early "
        "(column "
        "1)\"}}\n"
        "{\"id\":\"a\",\"error\":{\"code\":\"not_finite\",\"field\":\"Age\",\"message\":\"Age: not a finite "
        "number\"}}\n"
        "{\"id\":null,\"error\":{\"code\":\"malformed\",\"field\":null,\"message\":\"not JSON (column 1)\"}}\n"
        "{\"id\":2,\"error\":{\"code\":\"not_finite\",\"field\":\"Age\",\"message\":\"Age: not a finite number\"}}\n"
        "{\"id\":3,\"error\":{\"code\":\"wrong_type\",\"field\":\"Age\",\"message\":\"Age: not a number\"}}\n"
        "{\"id\":null,\"error\":{\"code\":\"malformed\",\"field\":null,\"message\":\"not a JSON object (column "
        "2)\"}}\n"
        "{\"id\":4,\"error\":{\"code\":\"out_of_range\",\"field\":\"Age\",\"message\":\"Age: outside 18 to 100\"}}\n",
        false);
    expect(
        "{\"id\":5,\"attributes\":{\"Aeg\":50}}\n",
        "{\"id\":5,\"error\":{\"code\":\"unknown_field\",\"field\":\"Aeg\",\"message\":\"Aeg: the schema has no such "
        "field\"}}\n",
        false);
}

static void test_unchecked_scores_with_the_model(void **state)
{
    (void)state;
    expect("{\"id\":1,\"attributes\":{\"Age\":-960,\"OverTime\":\"never\",\"Other\":1}}\n"
           "{\"id\":2,\"attributes\":{\"Age\":\"x\"}}\n",
           "{\"id\":1,\"prediction\":\"No\",\"probability\":3.7200759760208361e-44,\"margin\":-100,\"base\":-1,"
           "\"reasons\":[{\"feature\":\"Age\",\"contribution\":-100}]}\n"
           "{\"id\":2,\"error\":{\"code\":\"wrong_type\",\"field\":\"Age\",\"message\":\"Age: not a number\"}}\n",
           true);
}

static void test_a_line_without_end_is_bounded(void **state)
{
    (void)state;
    size_t bytes = 17 << 20;
    char *input = malloc(bytes + 32);
    assert_non_null(input);
    memset(input, 'x', bytes);
    strcpy(input + bytes, "\n{\"id\":1,\"attributes\":[]}");
    expect(input,
           "{\"id\":null,\"error\":{\"code\":\"limit\",\"field\":null,\"message\":\"a line of more than 16 MiB\"}}\n"
           "{\"id\":1,\"error\":{\"code\":\"wrong_type\",\"field\":\"attributes\",\"message\":\"attributes: not an "
           "object\"}}\n",
           false);
    free(input);
}

static void test_a_model_that_cannot_be_used_fails(void **state)
{
    (void)state;
    const char *arguments[] = {"scorer", "score", "--model", input_path, input_path};
    struct buffer out = {0};
    assert_int_equal(run(arguments, 5, "{}\n", &out), 1);
    assert_int_equal(out.bytes, 0);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores_and_reasons),
        cmocka_unit_test(test_every_line_is_answered_in_order),
        cmocka_unit_test(test_unchecked_scores_with_the_model),
        cmocka_unit_test(test_a_line_without_end_is_bounded),
        cmocka_unit_test(test_a_model_that_cannot_be_used_fails),
    };
    return cmocka_run_group_tests(tests, make_model, remove_files);
}
