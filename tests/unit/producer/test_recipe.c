/* producer/recipe.h: what a recipe may say, and that nothing it says can draw an invalid row. */
#include "tests/unit/producer/unit.h"

#include "base/file.h"
#include "events/validate.h"
#include "producer/recipe.h"
#include "producer/table_writer.h"

enum { ROWS = 20000 };

static const char shipped[] = "producer/recipe.json";

static struct recipe *load_shipped(void)
{
    struct recipe *recipe = NULL;
    struct error err = {0};
    if (recipe_load(shipped, test_schema, &recipe, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return recipe;
}

static void test_every_row_is_valid(void **state)
{
    (void)state;
    struct recipe *recipe = load_shipped();
    struct cell *cells = calloc(test_schema->column_count, sizeof *cells);
    unsigned positives = 0;
    for (uint64_t i = 0; i < ROWS; i++) {
        struct random random;
        struct fault fault;
        uint32_t label;
        random_seed(&random, 9, 0, i);
        draw_row(recipe, &random, cells, &label);
        if (validate_row(test_schema, cells, &fault) != EVENT_OK)
            fail_msg("row %llu: %s", (unsigned long long)i, fault.text);
        assert_true(label < test_schema->target_count);
        positives += label;
    }
    assert_in_range(positives, ROWS * 145 / 1000, ROWS * 175 / 1000);
    free(cells);
    recipe_free(recipe);
}

static void test_same_seed_same_row(void **state)
{
    (void)state;
    struct recipe *recipe = load_shipped();
    struct cell *cells = calloc(test_schema->column_count, sizeof *cells);
    struct buffer rows[3] = {{0}};
    const uint64_t seeds[3] = {5, 5, 6};
    for (size_t r = 0; r < 3; r++)
        for (uint64_t i = 0; i < 100; i++) {
            struct random random;
            uint32_t label;
            random_seed(&random, seeds[r], 0, i);
            draw_row(recipe, &random, cells, &label);
            table_write_row(test_schema, SPAN_LITERAL("id"), cells, label, &rows[r]);
        }
    assert_true(span_equal(buffer_span(&rows[0]), buffer_span(&rows[1])));
    assert_false(span_equal(buffer_span(&rows[0]), buffer_span(&rows[2])));
    for (size_t r = 0; r < 3; r++)
        buffer_free(&rows[r]);
    free(cells);
    recipe_free(recipe);
}

/* The shipped recipe with its first `from` replaced. */
static char *edited(const char *from, const char *to)
{
    struct buffer text = {0};
    struct error err;
    assert_int_equal(file_read(shipped, 1 << 20, &text, &err), STATUS_OK);
    char *at = strstr(text.data, from);
    if (!at)
        fail_msg("the recipe has no %s", from);
    size_t bytes = text.bytes + strlen(to) + 1;
    char *out = malloc(bytes);
    snprintf(out, bytes, "%.*s%s%s", (int)(at - text.data), text.data, to, at + strlen(from));
    buffer_free(&text);
    return out;
}

static void test_faults_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"{", "[", "not JSON"},
        {"\"target\"", "\"aim\"", "unknown key \"aim\""},
        {"\"column\": \"JobRole\"", "\"column\": \"Shoe\"", "column 1: \"column\": the schema has no column \"Shoe\""},
        {"{\"column\": \"Gender\"", "{\"column\": \"JobRole\"", "(JobRole): duplicate in the list"},
        {"\"given\": \"JobRole\"", "\"given\": \"Age\"", "(Department): \"given\": Age must come earlier"},
        {"\"is\": \"Human Resources\"", "\"is\": \"Nobody\"", "case 2: \"is\" must name categories of JobRole"},
        {"\"is\": \"Human Resources\"", "\"is\": \"Manager\"", "never met"},
        {"\"is\": \"Human Resources\"", "\"up_to\": 3", "\"up_to\" is for numbers"},
        {"{\"is\": \"Human Resources\", \"table\": {\"Human Resources\": 52}},", "", "do not cover every JobRole"},
        {"\"Healthcare Representative\": 131", "\"Shoe\": 1", "(JobRole): \"Shoe\" is not one of"},
        {"\"Healthcare Representative\": 131", "\"Healthcare Representative\": -1", "must be a number from 0 on"},
        {"{\"up_to\": 1, \"normal\"", "{\"up_to\": 9, \"normal\"", "never met"},
        {"\"normal\": {\"mean\"", "\"normal\": {\"means\"", "unknown key \"means\""},
        {"\"low\": 19,", "\"low\": 17,", "17 is outside the column's range"},
        {"\"at_most\": \"TotalWorkingYears\"", "\"at_most\": \"Age\"", "the schema's rule needs YearsAtCompany"},
        {"\"at_most\": \"TotalWorkingYears\"", "\"at_most\": \"JobRole\"", "\"at_most\" is for numbers"},
        {"\"at_most\": \"TotalWorkingYears\"", "\"at_most\": \"Gender\"", "Gender must come earlier"},
        {"\"uniform\": {\"least\": 102", "\"uniform\": {\"least\": 9102", "\"least\" is above \"greatest\""},
        {"\"uniform\": {\"least\": 102", "\"uniform\": {\"least\": 102.5", "integers"},
        {"\"per_sd\"", "\"weight\"", "unknown key \"weight\""},
        {"\"weights\": {\"Yes\"", "\"weights\": {\"Maybe\"", "target: term 1: \"Maybe\" is not one of"},
        {"\"intercept\": -", "\"intercept\": \"\", \"i\": -", "target: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = edited(cases[i].from, cases[i].to);
        struct recipe *recipe = NULL;
        struct error err = {0};
        if (recipe_load(unit_file("recipe.json", text), test_schema, &recipe, &err) != STATUS_INVALID)
            fail_msg("accepted: %s", cases[i].to);
        if (!strstr(err.text, cases[i].says))
            fail_msg("expected …%s…: %s", cases[i].says, err.text);
        assert_null(recipe);
        free(text);
    }
}

static void test_missing_file(void **state)
{
    (void)state;
    struct recipe *recipe = NULL;
    struct error err = {0};
    assert_int_equal(recipe_load(unit_file("none.json", NULL), test_schema, &recipe, &err), STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_valid),
        cmocka_unit_test(test_same_seed_same_row),
        cmocka_unit_test(test_faults_are_named),
        cmocka_unit_test(test_missing_file),
    };
    return cmocka_run_group_tests_name("producer/recipe", tests, unit_setup, unit_teardown);
}
