/* Cross-validation: see fold.h. Called once per training, on its only thread. It must never let a model, or a
 * threshold, see the rows it is judged by. */
#include "trainer/fold.h"

#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

/* Steele, Lea and Flood's SplitMix64. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* 0 … bound - 1, each as likely. */
static uint64_t random_below(uint64_t *state, uint64_t bound)
{
    uint64_t unfair = -bound % bound, drawn;
    do
        drawn = random_next(state);
    while (drawn < unfair);
    return drawn % bound;
}

void fold_assign(const uint8_t *labels, size_t count, size_t fold_count, uint64_t seed, uint8_t *folds)
{
    uint32_t *rows = mem_zeroed(count + 1, sizeof *rows);
    size_t dealt = 0;
    for (int label = 0; label <= 1; label++) {
        size_t found = 0;
        for (size_t r = 0; r < count; r++)
            if (labels[r] == label)
                rows[found++] = (uint32_t)r;
        for (size_t left = found; left > 1; left--) {
            size_t other = (size_t)random_below(&seed, left);
            uint32_t swapped = rows[left - 1];
            rows[left - 1] = rows[other];
            rows[other] = swapped;
        }
        for (size_t r = 0; r < found; r++)
            folds[rows[r]] = (uint8_t)(dealt++ % fold_count);
    }
    free(rows);
}

/* The rows of one fold, or (others) of all but it; returns how many. */
static size_t rows_of(const uint8_t *folds, size_t count, size_t fold, bool others, uint32_t *rows)
{
    size_t found = 0;
    for (size_t r = 0; r < count; r++)
        if ((folds[r] == fold) != others)
            rows[found++] = (uint32_t)r;
    return found;
}

/* A validation at work: one entry a row. `rows`, `some_labels`, `some_numbers` and `some_calls` are scratch. */
struct work {
    const struct table *table;
    const struct recipe *recipe;
    uint8_t *folds, *calls, *some_labels, *some_calls;
    double *probabilities, *some_numbers;
    uint32_t *rows;
};

static enum status predict_fold(struct work *work, size_t fold, struct validation *out, struct error *err)
{
    struct model model;
    size_t count = rows_of(work->folds, work->table->row_count, fold, true, work->rows);
    enum status status = model_fit(work->table, work->rows, count, work->recipe, &model, err);
    if (status != STATUS_OK)
        return status;
    out->unconverged += !model.fit.converged;
    count = rows_of(work->folds, work->table->row_count, fold, false, work->rows);
    model_predict(&model, work->table, work->rows, count, work->some_numbers);
    for (size_t r = 0; r < count; r++)
        work->probabilities[work->rows[r]] = work->some_numbers[r];
    model_clear(&model);
    return STATUS_OK;
}

/* Labels and probabilities of the rows listed, side by side in the scratch. */
static void gather(struct work *work, size_t count)
{
    for (size_t r = 0; r < count; r++) {
        work->some_labels[r] = work->table->labels[work->rows[r]];
        work->some_calls[r] = work->calls[work->rows[r]];
        work->some_numbers[r] = work->probabilities[work->rows[r]];
    }
}

static void judge_fold(struct work *work, size_t fold, struct validation *out)
{
    double threshold = work->recipe->threshold;
    size_t count = rows_of(work->folds, work->table->row_count, fold, true, work->rows);
    gather(work, count);
    if (isnan(threshold))
        threshold = metrics_best_threshold(work->some_labels, work->some_numbers, count);
    count = rows_of(work->folds, work->table->row_count, fold, false, work->rows);
    for (size_t r = 0; r < count; r++)
        work->calls[work->rows[r]] = work->probabilities[work->rows[r]] >= threshold;
    gather(work, count);
    out->folds[fold] = metrics_measure(work->some_labels, work->some_calls, work->some_numbers, count);
}

static void measure_baseline(struct work *work, struct validation *out)
{
    const struct table *table = work->table;
    for (size_t r = 0; r < table->row_count; r++) {
        work->some_calls[r] = 0;
        work->some_numbers[r] = (double)table->positive_count / (double)table->row_count;
    }
    out->baseline = metrics_measure(table->labels, work->some_calls, work->some_numbers, table->row_count);
}

static enum status validate(struct work *work, struct validation *out, struct error *err)
{
    const struct table *table = work->table;
    enum status status = STATUS_OK;
    fold_assign(table->labels, table->row_count, out->fold_count, work->recipe->seed, work->folds);
    for (size_t fold = 0; fold < out->fold_count && status == STATUS_OK; fold++)
        status = predict_fold(work, fold, out, err);
    if (status != STATUS_OK)
        return status;
    for (size_t fold = 0; fold < out->fold_count; fold++)
        judge_fold(work, fold, out);
    if (out->unconverged)
        log_warn("trainer", "%zu of %zu folds did not converge: their figures are those of where the search stopped",
                 out->unconverged, out->fold_count);
    out->metrics = metrics_measure(table->labels, work->calls, work->probabilities, table->row_count);
    out->threshold = isnan(work->recipe->threshold)
                         ? metrics_best_threshold(table->labels, work->probabilities, table->row_count)
                         : work->recipe->threshold;
    measure_baseline(work, out);
    return STATUS_OK;
}

enum status fold_validate(const struct table *table, const struct recipe *recipe, struct validation *out,
                          struct error *err)
{
    size_t count = table->row_count, rarer = table->positive_count;
    rarer = rarer < count - rarer ? rarer : count - rarer;
    if (rarer < 2)
        return error_set(err, STATUS_INVALID,
                         "one class has a single row: cross-validation needs two of each at least");
    struct validation validation = {.fold_count = rarer < FOLD_MOST ? rarer : FOLD_MOST};
    struct work work = {.table = table, .recipe = recipe};
    uint8_t **bytes[] = {&work.folds, &work.calls, &work.some_labels, &work.some_calls};
    for (size_t b = 0; b < sizeof bytes / sizeof *bytes; b++)
        *bytes[b] = mem_zeroed(count, 1);
    work.probabilities = mem_zeroed(count, sizeof(double));
    work.some_numbers = mem_zeroed(count, sizeof(double));
    work.rows = mem_zeroed(count, sizeof *work.rows);
    enum status status = validate(&work, &validation, err);
    for (size_t b = 0; b < sizeof bytes / sizeof *bytes; b++)
        free(*bytes[b]);
    free(work.probabilities);
    free(work.some_numbers);
    free(work.rows);
    if (status == STATUS_OK)
        *out = validation;
    return status;
}
