/* Cross-validation: see evaluation_cross_validate in evaluation.h. Called once per training, on its only thread; the
 * fits run on several. It must never let a model, or a threshold, see the rows it is assessed by; and no figure may
 * depend on the number of threads. */
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "trainer/evaluation.h"
#include "trainer/fold.h"
#include "trainer/groups.h"
#include "trainer/intervals.h"
#include "trainer/parallel.h"
#include "trainer/permutation.h"
#include "trainer/random.h"

enum { PERMUTATION_STREAM = 8000009 };
enum { JOB_ROWS_MOST = 200000 }; /* beyond it the fits come one after the other: each takes memory by row */

/* A validation at work. Arrays of predictions have an entry a row and repeat: repeat × row_count + place in rows. */
struct work {
    const struct table *table;
    const uint32_t *rows;
    size_t row_count, fold_count, repeat_count;
    struct train_settings settings; /* of one fit */
    uint8_t *folds, *labels, *calls;
    double *probabilities, *uncalibrated;
    uint32_t *assessed_rows;
    double *drops;            /* of the first repeat: permutations a column, columns a fold */
    struct outcome *outcomes; /* one a fit */
};

struct outcome {
    enum status status;
    struct error err;
    bool converged;
};

/* Rows of the first repeat alone: each row once. */
static void permute_fold(struct work *work, const struct model *model, const struct fold_rows *part, size_t fold)
{
    size_t times = work->settings.permutations, columns = work->table->schema->column_count;
    const struct predictor predictor = model_predictor(model);
    if (times)
        permutation_drops(&predictor, work->table, part->assessed, part->assessed_count, times,
                          random_stream(work->settings.seed, PERMUTATION_STREAM + fold), work->settings.threads,
                          work->drops + fold * columns * times);
}

/* Fold `number % fold_count` of repeat `number / fold_count`: fits on the others, predicts its rows. */
static void predict_fold(void *context, size_t number)
{
    struct work *work = context;
    struct outcome *outcome = &work->outcomes[number];
    struct fold_rows part;
    struct model model;
    size_t first = number / work->fold_count * work->row_count, fold = number % work->fold_count;
    fold_split(work->rows, work->folds + first, work->row_count, fold, &part);
    outcome->status =
        model_fit(work->table, part.training, part.training_count, &work->settings, &model, &outcome->err);
    if (outcome->status == STATUS_OK) {
        double *probabilities = mem_zeroed(part.assessed_count + 1, sizeof *probabilities);
        double *uncalibrated = mem_zeroed(part.assessed_count + 1, sizeof *uncalibrated);
        model_predict(&model, work->table, part.assessed, part.assessed_count, probabilities, uncalibrated);
        for (size_t r = 0, assessed = 0; r < work->row_count; r++) {
            if (work->folds[first + r] != fold)
                continue;
            work->uncalibrated[first + r] = uncalibrated[assessed];
            work->probabilities[first + r] = probabilities[assessed++];
        }
        free(uncalibrated);
        outcome->converged = model_converged(&model);
        if (number < work->fold_count)
            permute_fold(work, &model, &part, number);
        free(probabilities);
        model_clear(&model);
    }
    fold_rows_clear(&part);
}

/* Labels, calls and probabilities side by side: those of one fold, or of all but it. */
struct gathered {
    uint8_t *labels, *calls;
    double *probabilities;
    size_t count;
};

static void gather(const struct work *work, size_t repeat, size_t fold, bool others, struct gathered *out)
{
    size_t first = repeat * work->row_count;
    out->count = 0;
    for (size_t r = first; r < first + work->row_count; r++) {
        if ((work->folds[r] == fold) == others)
            continue;
        out->labels[out->count] = work->labels[r];
        out->calls[out->count] = work->calls[r];
        out->probabilities[out->count++] = work->probabilities[r];
    }
}

static void assess_fold(struct work *work, size_t repeat, size_t fold, struct gathered *scratch, struct evaluation *out)
{
    size_t first = repeat * work->row_count, number = repeat * work->fold_count + fold;
    gather(work, repeat, fold, true, scratch);
    double threshold = threshold_choose(&out->rule, scratch->labels, scratch->probabilities, scratch->count);
    for (size_t r = first; r < first + work->row_count; r++)
        if (work->folds[r] == fold)
            work->calls[r] = work->probabilities[r] >= threshold;
    gather(work, repeat, fold, false, scratch);
    out->folds[number] = metrics_measure(scratch->labels, scratch->calls, scratch->probabilities, scratch->count);
    out->fold_thresholds[number] = threshold;
}

static void assess_folds(struct work *work, struct evaluation *out)
{
    size_t fits = work->fold_count * work->repeat_count;
    struct gathered scratch = {.labels = mem_zeroed(work->row_count + 1, 1),
                               .calls = mem_zeroed(work->row_count + 1, 1),
                               .probabilities = mem_zeroed(work->row_count + 1, sizeof(double))};
    out->folds = mem_zeroed(fits + 1, sizeof *out->folds);
    out->fold_thresholds = mem_zeroed(fits + 1, sizeof *out->fold_thresholds);
    for (size_t number = 0; number < fits; number++)
        assess_fold(work, number / work->fold_count, number % work->fold_count, &scratch, out);
    free(scratch.labels);
    free(scratch.calls);
    free(scratch.probabilities);
}

/* Metrics as the mean over the folds, with intervals; all else of the pooled predictions. */
static void assess_all(struct work *work, struct evaluation *out)
{
    size_t count = work->row_count * work->repeat_count, fits = work->fold_count * work->repeat_count;
    const double *uncalibrated = work->settings.calibration ? work->uncalibrated : NULL;
    const struct predictions predictions = {work->table,         work->assessed_rows, work->labels, work->calls,
                                            work->probabilities, uncalibrated,        count};
    double *values = mem_zeroed(fits + 1, sizeof *values), means[METRIC_COUNT];
    assessment_measure(&predictions, &out->validation);
    groups_assess(&predictions, &out->validation);
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        for (size_t f = 0; f < fits; f++)
            values[f] = metric_value(&out->folds[f], m);
        out->validation.intervals[m] = intervals_of_folds(values, fits, 1 / (double)work->fold_count, &means[m]);
    }
    out->validation.metrics = metrics_of(means);
    free(values);
    out->threshold = threshold_choose(&out->rule, work->labels, work->probabilities, count);
}

/* The first fit that failed, by number. */
static enum status check_fits(const struct work *work, struct evaluation *out, struct error *err)
{
    for (size_t f = 0; f < work->fold_count * work->repeat_count; f++) {
        const struct outcome *outcome = &work->outcomes[f];
        if (outcome->status != STATUS_OK) {
            *err = outcome->err;
            return outcome->status;
        }
        out->unconverged += !outcome->converged;
    }
    if (out->unconverged)
        log_warn("trainer", "%zu of %zu fits did not converge: their figures are those of where the search stopped",
                 out->unconverged, work->fold_count * work->repeat_count);
    return STATUS_OK;
}

/* row,repeat,fold: row counts the table's rows that were used, from 0. */
static enum status write_folds(const struct work *work, const char *path, struct error *err)
{
    struct buffer text = {0};
    buffer_add_text(&text, "row,repeat,fold\n");
    for (size_t r = 0; r < work->row_count * work->repeat_count; r++)
        buffer_printf(&text, "%u,%zu,%u\n", work->assessed_rows[r], r / work->row_count, work->folds[r]);
    enum status status = file_write_atomic(path, buffer_span(&text), err);
    buffer_free(&text);
    return status;
}

static void digest_folds(const struct work *work, struct evaluation *out)
{
    struct buffer text = {0};
    size_t count = work->row_count * work->repeat_count;
    buffer_printf(&text, "%s %zu\n", work->table->sha256, work->repeat_count);
    buffer_add(&text, work->folds, count);
    buffer_add(&text, work->assessed_rows, work->row_count * sizeof *work->assessed_rows);
    sha256_hex(buffer_span(&text), out->folds_sha256);
    buffer_free(&text);
}

static enum status validate_folds(struct work *work, const char *folds_path, struct evaluation *out, struct error *err)
{
    for (size_t r = 0; r < work->row_count * work->repeat_count; r++) {
        work->assessed_rows[r] = work->rows[r % work->row_count];
        work->labels[r] = work->table->labels[work->assessed_rows[r]];
    }
    for (size_t repeat = 0; repeat < work->repeat_count; repeat++)
        fold_assign(work->table, work->rows, work->row_count, work->fold_count,
                    repeat ? random_stream(work->settings.seed, repeat) : work->settings.seed,
                    work->folds + repeat * work->row_count);
    digest_folds(work, out);
    enum status status = folds_path ? write_folds(work, folds_path, err) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    bool together = work->row_count <= JOB_ROWS_MOST;
    size_t threads = together ? work->settings.threads : 1;
    if (threads > 1)
        work->settings.threads = work->settings.forest.threads = work->settings.boost.threads = 1;
    parallel_run(threads, work->fold_count * work->repeat_count, predict_fold, work);
    if (check_fits(work, out, err) != STATUS_OK)
        return err->status;
    assess_folds(work, out);
    assess_all(work, out);
    if (work->settings.permutations)
        permutation_summarise(work->drops, work->fold_count, work->settings.permutations, out);
    return STATUS_OK;
}

/* The folds of the settings, or as many as the rows allow where they were not asked for. */
static enum status count_folds(const struct table *table, const uint32_t *rows, size_t row_count,
                               const struct train_settings *settings, size_t *out, struct error *err)
{
    size_t most = fold_most(table, rows, row_count);
    if (most < 2)
        return error_set(
            err, STATUS_INVALID,
            "one class has a single row: cross-validation needs two of each at least: give more rows, or do "
            "without it (--folds 0)");
    if (settings->fold_count > most && settings->folds_given)
        return error_set(err, STATUS_INVALID,
                         "--folds %u: the rarer class has %zu rows, so there can be %zu folds at most",
                         settings->fold_count, most, most);
    if (settings->fold_count > most)
        log_warn("trainer", "%zu folds instead of %u: the rarer class has no more rows", most, settings->fold_count);
    *out = settings->fold_count < most ? settings->fold_count : most;
    return STATUS_OK;
}

enum status evaluation_cross_validate(const struct table *table, const uint32_t *rows, size_t row_count,
                                      const struct train_settings *settings, const char *folds_path,
                                      struct evaluation *out, struct error *err)
{
    struct work work = {.table = table, .rows = rows, .row_count = row_count, .repeat_count = settings->repeat_count};
    if (count_folds(table, rows, row_count, settings, &work.fold_count, err) != STATUS_OK)
        return err->status;
    size_t count = row_count * work.repeat_count;
    out->schema = table->schema;
    out->rule = settings->threshold;
    out->fold_count = work.fold_count;
    out->repeat_count = work.repeat_count;
    work.settings = *settings;
    work.folds = mem_zeroed(count + 1, 1);
    work.labels = mem_zeroed(count + 1, 1);
    work.calls = mem_zeroed(count + 1, 1);
    work.probabilities = mem_zeroed(count + 1, sizeof *work.probabilities);
    work.uncalibrated = mem_zeroed(count + 1, sizeof *work.uncalibrated);
    work.assessed_rows = mem_zeroed(count + 1, sizeof *work.assessed_rows);
    work.drops =
        mem_zeroed(table->schema->column_count * work.fold_count * settings->permutations + 1, sizeof *work.drops);
    work.outcomes = mem_zeroed(work.fold_count * work.repeat_count + 1, sizeof *work.outcomes);
    enum status status = validate_folds(&work, folds_path, out, err);
    free(work.folds);
    free(work.labels);
    free(work.calls);
    free(work.probabilities);
    free(work.uncalibrated);
    free(work.assessed_rows);
    free(work.drops);
    free(work.outcomes);
    return status;
}
