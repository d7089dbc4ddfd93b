/* scorer/model/model_holder.c: loading, replacing, keeping what works. Models are files in a temporary directory. */
#include "tests/support/scorer.h"
#include "tests/support/wait.h"

#include "scorer/model/model_holder.h"

struct lab {
    char directory[64], path[128], flag[160];
    struct schema *schema;
    struct options *options;
    struct settings settings;
    struct counters counters;
};

static void set_up(struct lab *lab, const char *poll)
{
    struct error err;
    *lab = (struct lab){.directory = "/tmp/attrition-model-XXXXXX"};
    assert_non_null(mkdtemp(lab->directory));
    snprintf(lab->path, sizeof lab->path, "%s/model.onnx", lab->directory);
    snprintf(lab->flag, sizeof lab->flag, "--model=%s", lab->path);
    lab->schema = scorer_schema();
    lab->options = scorer_options((const char *const[]){lab->flag, "--instance-id=x", poll, NULL});
    assert_int_equal(settings_resolve(lab->options, lab->schema, &lab->settings, &err), STATUS_OK);
}

static void tear_down(struct lab *lab)
{
    unlink(lab->path);
    rmdir(lab->directory);
    settings_release(&lab->settings);
    options_free(lab->options);
    schema_free(lab->schema);
}

static void wait_for(const struct lab *lab, enum counter_id id, uint64_t wanted)
{
    WAIT_UNTIL(counter_get(&lab->counters, id) >= wanted, "counter %d is %zu, not %zu", (int)id,
               (size_t)counter_get(&lab->counters, id), (size_t)wanted);
    assert_int_equal(counter_get(&lab->counters, id), wanted);
}

static void a_model_is_loaded_and_stamped(void **state)
{
    (void)state;
    struct lab lab;
    struct model_holder *models;
    struct error err;
    set_up(&lab, "--model-poll-interval=1h");
    scorer_write_model(lab.schema, lab.path, 0);
    assert_int_equal(model_holder_new(&lab.settings, &lab.counters, &models, &err), STATUS_OK);
    const struct model *model = model_acquire(models);
    assert_true(model->stamp.name.bytes > 0 && model->stamp.version.bytes > 0);
    assert_null(model->stamp.alias.data);
    assert_true(model->threshold > 0 && model->threshold <= 1);
    assert_false(model_holder_problem(models, &err));
    model_release(model);
    model_holder_free(models);
    tear_down(&lab);
}

static void a_missing_or_broken_first_model_is_an_error(void **state)
{
    (void)state;
    struct lab lab;
    struct model_holder *models;
    struct error err = {0};
    set_up(&lab, "--model-poll-interval=1h");
    assert_int_equal(model_holder_new(&lab.settings, &lab.counters, &models, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, lab.path));
    assert_int_equal(file_write_atomic(lab.path, SPAN_LITERAL("no model"), &err), STATUS_OK);
    assert_int_not_equal(model_holder_new(&lab.settings, &lab.counters, &models, &err), STATUS_OK);
    tear_down(&lab);
}

static void a_new_file_is_picked_up_and_the_old_one_lives_while_used(void **state)
{
    (void)state;
    struct lab lab;
    struct model_holder *models;
    struct error err;
    struct score score;
    struct reason reason;
    set_up(&lab, "--model-poll-interval=20ms");
    scorer_write_model(lab.schema, lab.path, 0);
    assert_int_equal(model_holder_new(&lab.settings, &lab.counters, &models, &err), STATUS_OK);
    const struct model *old = model_acquire(models);
    scorer_write_model(lab.schema, lab.path, 2);
    wait_for(&lab, COUNTER_MODEL_LOADS, 2);
    const struct model *new = model_acquire(models);
    assert_ptr_not_equal(old, new);
    struct cell *cells = calloc(lab.schema->column_count, sizeof *cells);
    for (size_t c = 0; c < lab.schema->column_count; c++)
        cells[c] = cell_missing(&lab.schema->columns[c]);
    pipeline_score(old->pipeline, cells, 1, 0, &score, &reason);
    assert_true(fabs(score.margin) < 1e-12);
    pipeline_score(new->pipeline, cells, 1, 0, &score, &reason);
    assert_true(fabs(score.margin - 2) < 1e-12);
    free(cells);
    model_release(old);
    model_release(new);
    model_holder_free(models);
    tear_down(&lab);
}

static void a_failed_load_keeps_the_model_and_shows(void **state)
{
    (void)state;
    struct lab lab;
    struct model_holder *models;
    struct error err = {0};
    set_up(&lab, "--model-poll-interval=1h");
    scorer_write_model(lab.schema, lab.path, 0);
    assert_int_equal(model_holder_new(&lab.settings, &lab.counters, &models, &err), STATUS_OK);
    const struct model *before = model_acquire(models);
    assert_int_equal(file_write_atomic(lab.path, SPAN_LITERAL("no model"), &err), STATUS_OK);
    model_holder_refresh(models);
    wait_for(&lab, COUNTER_MODEL_LOAD_FAILURES, 1);
    assert_true(model_holder_problem(models, &err));
    const struct model *after = model_acquire(models);
    assert_ptr_equal(before, after);
    scorer_write_model(lab.schema, lab.path, 1);
    model_holder_refresh(models);
    wait_for(&lab, COUNTER_MODEL_LOADS, 2);
    assert_false(model_holder_problem(models, &err));
    model_release(before);
    model_release(after);
    model_holder_free(models);
    tear_down(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_loaded_and_stamped),
        cmocka_unit_test(a_missing_or_broken_first_model_is_an_error),
        cmocka_unit_test(a_new_file_is_picked_up_and_the_old_one_lives_while_used),
        cmocka_unit_test(a_failed_load_keeps_the_model_and_shows),
    };
    return cmocka_run_group_tests_name("scorer/model_holder", tests, NULL, NULL);
}
