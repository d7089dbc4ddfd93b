/* scorer/model/challengers.c: scored, left out when broken, sums of one version. Models are files in a
 * directory. */
#include "tests/support/scorer.h"
#include "tests/support/wait.h"

#include "scorer/model/challengers.h"

struct lab {
    char directory[64], used[128], challenger[128], flags[2][400];
    struct schema *schema;
    struct options *options;
    struct settings settings;
    struct counters *counters;
    struct model_holder *models;
    struct challengers *challengers;
    struct cell *cells;
};

enum { ROWS = 3 };

/* The model in use has margin 0, so probability one half; the challenger what the test writes. */
static void set_up(struct lab *lab)
{
    struct error err;
    *lab = (struct lab){.directory = "/tmp/attrition-challenger-XXXXXX"};
    assert_non_null(mkdtemp(lab->directory));
    snprintf(lab->used, sizeof lab->used, "%s/used.onnx", lab->directory);
    snprintf(lab->challenger, sizeof lab->challenger, "%s/challenger.onnx", lab->directory);
    snprintf(lab->flags[0], sizeof *lab->flags, "--model=%s", lab->used);
    snprintf(lab->flags[1], sizeof *lab->flags, "--challengers=%s, %s/missing.onnx", lab->challenger, lab->directory);
    lab->schema = scorer_schema();
    lab->options = scorer_options(
        (const char *const[]){lab->flags[0], lab->flags[1], "--instance-id=x", "--model-poll-interval=1h", NULL});
    assert_int_equal(settings_resolve(lab->options, lab->schema, &lab->settings, &err), STATUS_OK);
    scorer_write_model(lab->schema, lab->used, 0);
    scorer_write_model(lab->schema, lab->challenger, 2);
    lab->counters = aligned_alloc(_Alignof(struct counters), sizeof *lab->counters);
    memset(lab->counters, 0, sizeof *lab->counters);
    assert_int_equal(model_holder_new(&lab->settings, lab->counters, &lab->models, &err), STATUS_OK);
    assert_int_equal(challengers_new(&lab->settings, &lab->challengers, &err), STATUS_OK);
    lab->cells = calloc(ROWS * lab->schema->column_count, sizeof *lab->cells);
    for (size_t c = 0; c < ROWS * lab->schema->column_count; c++)
        lab->cells[c] = cell_missing(&lab->schema->columns[c % lab->schema->column_count]);
}

static void tear_down(struct lab *lab)
{
    challengers_free(lab->challengers);
    model_holder_free(lab->models);
    free(lab->cells);
    free(lab->counters);
    unlink(lab->used);
    unlink(lab->challenger);
    rmdir(lab->directory);
    settings_release(&lab->settings);
    options_free(lab->options);
    schema_free(lab->schema);
}

static void score(struct lab *lab, struct challenger_rows *rows)
{
    struct score scores[ROWS];
    struct reason none;
    const struct model *model = model_acquire(lab->models);
    pipeline_score(model->pipeline, lab->cells, ROWS, 0, scores, &none);
    challenger_rows_score(rows, lab->cells, ROWS, model, scores);
    model_release(model);
}

static void challengers_score_and_a_missing_one_is_left_out(void **state)
{
    (void)state;
    struct lab lab;
    struct challenger_report report;
    size_t count;
    set_up(&lab);
    assert_int_equal(challengers_count(lab.challengers), 2);
    struct challenger_rows *rows = challenger_rows_new(lab.challengers, ROWS);
    score(&lab, rows);
    const struct challenger_score *said = challenger_rows_of(rows, ROWS - 1, &count);
    assert_int_equal(count, 1);
    assert_true(fabs(said->probability - 1 / (1 + exp(-2))) < 1e-12);
    challengers_report(lab.challengers, 0, &report);
    assert_true(span_equal(said->model, span_of(report.model)));
    assert_int_equal(report.scored, ROWS);
    assert_int_equal(report.agreed, ROWS); /* one half is at the threshold: both say yes */
    assert_true(fabs(report.difference - ROWS * (said->probability - 0.5)) < 1e-9);
    assert_true(fabs(report.differences - report.difference) < 1e-12);
    challengers_report(lab.challengers, 1, &report);
    assert_false(report.loaded);
    assert_true(report.has_problem);
    assert_non_null(strstr(report.problem.text, "missing.onnx"));
    assert_int_equal(counter_get(lab.counters, COUNTER_MODEL_LOADS), 1);
    challenger_rows_free(rows);
    tear_down(&lab);
}

static void another_version_starts_its_sums_again(void **state)
{
    (void)state;
    struct lab lab;
    struct challenger_report report = {.scored = 1};
    struct error err;
    set_up(&lab);
    struct challenger_rows *rows = challenger_rows_new(lab.challengers, ROWS);
    score(&lab, rows);
    scorer_write_model(lab.schema, lab.challenger, -2);
    challengers_refresh(lab.challengers);
    WAIT_UNTIL((challengers_report(lab.challengers, 0, &report), !report.scored), "the other version is not loaded");
    score(&lab, rows);
    challengers_report(lab.challengers, 0, &report);
    assert_int_equal(report.scored, ROWS);
    assert_int_equal(report.agreed, 0);
    assert_true(report.difference < 0 && report.differences > 0);
    assert_int_equal(file_write_atomic(lab.challenger, SPAN_LITERAL("no model"), &err), STATUS_OK);
    challengers_refresh(lab.challengers);
    WAIT_UNTIL((challengers_report(lab.challengers, 0, &report), report.has_problem), "the bad file is not reported");
    assert_true(report.has_problem && report.loaded); /* the version before goes on */
    challenger_rows_free(rows);
    tear_down(&lab);
}

static void none_and_too_many(void **state)
{
    (void)state;
    struct settings settings = {0};
    struct challengers *challengers;
    struct error err;
    size_t count = 7;
    settings.options = scorer_options((const char *const[]){"--challengers= , ", NULL});
    assert_int_equal(challengers_new(&settings, &challengers, &err), STATUS_OK);
    assert_null(challengers);
    assert_null(challenger_rows_new(challengers, 1));
    assert_null(challenger_rows_of(NULL, 0, &count));
    assert_int_equal(count, 0);
    assert_int_equal(challengers_count(NULL), 0);
    options_free((struct options *)settings.options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challengers_score_and_a_missing_one_is_left_out),
        cmocka_unit_test(another_version_starts_its_sums_again),
        cmocka_unit_test(none_and_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
