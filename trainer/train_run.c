/* See train_run.h. Called by the trainer's commands, on their only thread; fits run on several. */
#include "trainer/train_run.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "trainer/dependence.h"
#include "trainer/export.h"
#include "trainer/kinds/kinds.h"
#include "trainer/permutation.h"
#include "trainer/random.h"
#include "trainer/search_runs.h"

/* The seed of the held-out split: the same rows are held out whatever the model. */
enum { HOLD_OUT_STREAM = 2000003 };

static void split_later(const struct table *table, size_t later_from, struct fold_rows *out)
{
    *out = (struct fold_rows){.training = mem_zeroed(later_from + 1, sizeof(uint32_t)),
                              .assessed = mem_zeroed(table->row_count - later_from + 1, sizeof(uint32_t)),
                              .training_count = later_from,
                              .assessed_count = table->row_count - later_from};
    for (size_t r = 0; r < table->row_count; r++)
        *(r < later_from ? &out->training[r] : &out->assessed[r - later_from]) = (uint32_t)r;
}

static enum status train_split(const struct training *training, size_t later_from, struct train_run *run,
                               struct error *err)
{
    const struct train_settings *settings = training->settings;
    if (later_from)
        split_later(training->table, later_from, &run->split);
    else if (!fold_hold_out(training->table, settings->test_share, random_stream(settings->seed, HOLD_OUT_STREAM),
                            &run->split))
        return error_set(err, STATUS_INVALID,
                         "--test-size %g: a class would be left without a row to train on: give less",
                         settings->test_share);
    return STATUS_OK;
}

/* training->settings becomes what the search finds best. */
static enum status train_search(const struct options *options, struct training *training, struct train_run *run,
                                struct error *err)
{
    const struct option_pair *given;
    struct trial_store store = {0};
    const struct train_settings asked = *training->settings;
    const struct fold_rows *split = &run->split;
    size_t given_count = options_params(options, &given);
    enum status status = search_plan(training->table, split->training, split->training_count, &asked, given,
                                     given_count, &run->search, err);
    if (status == STATUS_OK && !options_text(options, OPTION_OUTPUT))
        status = search_runs_open(options, training->table, &run->search, &run->runs, &store, err);
    if (status == STATUS_OK)
        status = search_run(training->table, split->training, split->training_count, &store, &run->search, err);
    if (status != STATUS_OK)
        return status;
    if (split->assessed_count == 0)
        log_warn("trainer", "the parameters were chosen on the rows that the figures are from, which flatters them: "
                            "--test-size 0.2 also assesses rows that no choice has seen");
    run->settings = run->search.trials[0].settings;
    run->settings.seed = asked.seed;
    run->settings.fold_count = asked.fold_count;
    run->settings.folds_given = asked.folds_given;
    run->settings.repeat_count = asked.repeat_count;
    run->settings.permutations = asked.permutations;
    training->settings = &run->settings;
    training->search = &run->search;
    return STATUS_OK;
}

static enum status train_validate(const struct options *options, const struct training *training, struct train_run *run,
                                  struct error *err)
{
    const struct train_settings *settings = training->settings;
    struct evaluation *evaluation = &run->evaluation;
    evaluation->schema = training->table->schema;
    evaluation->rule = settings->threshold;
    evaluation->threshold = settings->threshold.value;
    if (settings->fold_count == 0)
        return STATUS_OK;
    return evaluation_cross_validate(training->table, run->split.training, run->split.training_count, settings,
                                     options_text(options, OPTION_FOLDS_OUT), evaluation, err);
}

static void assess_held_out(const struct training *training, struct train_run *run)
{
    const struct fold_rows *split = &run->split;
    if (split->assessed_count == 0)
        return;
    double *probabilities = mem_zeroed(split->assessed_count, sizeof *probabilities);
    double *uncalibrated = mem_zeroed(split->assessed_count, sizeof *uncalibrated);
    model_predict(&run->model, training->table, split->assessed, split->assessed_count, probabilities, uncalibrated);
    evaluation_hold_out(training->table, split->assessed, split->assessed_count, probabilities,
                        run->model.calibration ? uncalibrated : NULL, training->settings->seed, &run->evaluation);
    free(probabilities);
    free(uncalibrated);
}

/* Shuffled columns of held-out rows, where no folds had them; what the model gives by value. */
static void measure_columns(const struct training *training, struct train_run *run)
{
    const struct train_settings *settings = training->settings;
    const struct fold_rows *split = &run->split;
    const struct predictor predictor = model_predictor(&run->model);
    if (settings->permutations == 0)
        return;
    if (run->evaluation.repeat_count == 0)
        permutation_measure(&predictor, training->table, split->assessed, split->assessed_count, settings->permutations,
                            settings->seed, settings->threads, &run->evaluation);
    dependence_measure(&predictor, training->table, split->training, split->training_count, settings->threads,
                       &run->evaluation);
}

/* The fit to all training rows, the file, and what the file says of itself. */
static enum status train_run_fit(const struct training *training, struct train_run *run, struct error *err)
{
    const uint32_t *rows = run->split.training;
    size_t count = run->split.training_count;
    enum status status = model_fit(training->table, rows, count, training->settings, &run->model, err);
    if (status == STATUS_OK && run->model.kind->check)
        status = run->model.kind->check(&run->model, training->settings, err);
    if (status != STATUS_OK)
        return status;
    assess_held_out(training, run);
    measure_columns(training, run);
    if (export_model(&run->model, training->table, rows, count, &run->evaluation, &run->file, err) != STATUS_OK)
        return err->status;
    forest_free(&run->model.forest); /* the file has it, and loading it back needs the room */
    return evaluation_explain(buffer_span(&run->file), training->table, &run->split, training->settings->threads,
                              &run->evaluation, err);
}

static enum status train_run_steps(const struct options *options, size_t later_from, struct training *training,
                                   struct train_run *run, struct error *err)
{
    enum status status = train_split(training, later_from, run, err);
    if (status == STATUS_OK && training->settings->search_trials)
        status = train_search(options, training, run, err);
    if (status == STATUS_OK)
        status = train_validate(options, training, run, err);
    if (status != STATUS_OK)
        return error_prefix(err, "%s", training->data_path);
    return train_run_fit(training, run, err);
}

enum status train_run_make(const struct options *options, size_t later_from, struct training *training,
                           struct train_run *run, struct error *err)
{
    *run = (struct train_run){0};
    training->model = &run->model;
    training->evaluation = &run->evaluation;
    enum status status = train_run_steps(options, later_from, training, run, err);
    if (status != STATUS_OK)
        search_runs_fail(run->runs);
    training->file = buffer_span(&run->file);
    training->ended_ms = clock_real_ms(&clock_system);
    return status;
}

void train_run_clear(struct train_run *run)
{
    fold_rows_clear(&run->split);
    search_runs_close(run->runs);
    search_clear(&run->search);
    model_clear(&run->model);
    evaluation_clear(&run->evaluation);
    buffer_free(&run->file);
}

int train_command(const struct options *options, train_call *run)
{
    struct train_settings settings;
    struct run_labels labels;
    struct error err;
    if (train_settings_read(options, &settings, &err) != STATUS_OK ||
        run_labels_read(options, &labels, &err) != STATUS_OK) {
        log_error("trainer", "%s", err.text);
        return 2;
    }
    enum status status = run(options, &settings, &labels, &err);
    run_labels_clear(&labels);
    if (status == STATUS_OK)
        return 0;
    log_error("trainer", "%s", err.text);
    return 1;
}
