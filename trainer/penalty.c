/* The search for C: see penalty.h. Pure; called by model_fit. It must never look at a row that model_fit was not given:
 * inside a cross-validation each fold chooses again. */
#include "trainer/penalty.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/design_matrix.h"
#include "trainer/fold.h"
#include "trainer/metrics.h"
#include "trainer/random.h"

enum { GRID = 10, CHOICE_FOLDS = 5, CHOICE_STREAM = 1000003 };

static double grid_value(size_t index)
{
    return pow(10, -4 + 8.0 * (double)index / (GRID - 1));
}

/* Larger is better. */
static double score_fit(const struct logistic_fit *fit, const struct design_matrix *assessed,
                        enum penalty_choice choice)
{
    double *probabilities = mem_zeroed(assessed->row_count + 1, sizeof *probabilities);
    for (size_t r = 0; r < assessed->row_count; r++)
        probabilities[r] = logistic_probability(
            logistic_margin(fit, assessed->features + r * assessed->feature_count, assessed->feature_count));
    struct metrics metrics = metrics_measure(assessed->labels, assessed->labels, probabilities, assessed->row_count);
    free(probabilities);
    return choice == PENALTY_BY_ROC_AUC ? metrics.roc_auc : -metrics.log_loss;
}

/* Adds each C's score on one fold to scores. */
static enum status score_fold(const struct table *table, const struct train_settings *settings,
                              const struct fold_rows *part, double *scores, struct error *err)
{
    struct preprocessor preprocessor;
    struct design_matrix design, assessed;
    enum status status = STATUS_OK;
    preprocess_fit(table, part->training, part->training_count, true, &preprocessor);
    design_matrix_make(&preprocessor, table, part->training, part->training_count, settings->balanced, &design);
    design_matrix_make(&preprocessor, table, part->assessed, part->assessed_count, false, &assessed);
    for (size_t g = 0; g < GRID && status == STATUS_OK; g++) {
        struct logistic_fit fit;
        struct logistic_problem problem = design_matrix_problem(&design, grid_value(g), settings->max_iterations);
        status = logistic_fit(&problem, &fit, err);
        if (status != STATUS_OK)
            break;
        scores[g] += score_fit(&fit, &assessed, settings->choice);
        logistic_fit_clear(&fit);
    }
    design_matrix_clear(&design);
    design_matrix_clear(&assessed);
    preprocess_free(&preprocessor);
    return status;
}

static size_t best_of(const double *scores)
{
    size_t best = 0;
    for (size_t g = 1; g < GRID; g++)
        if (scores[g] > scores[best])
            best = g;
    return best;
}

enum status penalty_choose(const struct table *table, const uint32_t *rows, size_t row_count,
                           const struct train_settings *settings, double *out, struct error *err)
{
    size_t fold_count = fold_most(table, rows, row_count);
    fold_count = fold_count < CHOICE_FOLDS ? fold_count : CHOICE_FOLDS;
    if (fold_count < 2)
        return error_set(err, STATUS_INVALID,
                         "--param C=auto: one class has a single row to choose by: give C, such as C=1");
    double scores[GRID] = {0};
    uint8_t *folds = mem_zeroed(row_count, 1);
    enum status status = STATUS_OK;
    fold_assign(table, rows, row_count, fold_count, random_stream(settings->seed, CHOICE_STREAM), folds);
    for (size_t fold = 0; fold < fold_count && status == STATUS_OK; fold++) {
        struct fold_rows part;
        fold_split(rows, folds, row_count, fold, &part);
        status = score_fold(table, settings, &part, scores, err);
        fold_rows_clear(&part);
    }
    free(folds);
    if (status == STATUS_OK)
        *out = grid_value(best_of(scores));
    return status;
}
