/* Preprocessing and model together: see model.h. Pure but for the forest's threads; called for the whole table and for
 * each fold. */
#include "trainer/model.h"

#include <stdlib.h>

#include "base/memory.h"
#include "trainer/design.h"
#include "trainer/penalty.h"

static enum status fit_linear(const struct table *table, const uint32_t *rows, size_t row_count,
                              const struct recipe *recipe, struct model *out, struct error *err)
{
    struct design design;
    out->inverse_penalty = recipe->inverse_penalty;
    if (recipe->choice != PENALTY_GIVEN) {
        enum status status = penalty_choose(table, rows, row_count, recipe, &out->inverse_penalty, err);
        if (status != STATUS_OK)
            return status;
    }
    design_make(&out->preprocessor, table, rows, row_count, recipe->balanced, &design);
    struct logistic_problem problem = design_problem(&design, out->inverse_penalty, recipe->max_iterations);
    enum status status = logistic_fit(&problem, &out->fit, err);
    design_clear(&design);
    return status;
}

static enum status fit_forest(const struct table *table, const uint32_t *rows, size_t row_count,
                              const struct recipe *recipe, struct model *out, struct error *err)
{
    struct ranks ranks;
    size_t features = out->preprocessor.feature_count;
    float *values = mem_zeroed(row_count + 1, sizeof *values);
    uint8_t *labels = mem_zeroed(row_count + 1, 1);
    ranks_begin(&ranks, row_count, features);
    for (size_t f = 0; f < features; f++) {
        preprocess_feature(&out->preprocessor, table, rows, row_count, f, values);
        ranks_set(&ranks, f, values);
    }
    for (size_t r = 0; r < row_count; r++)
        labels[r] = table->labels[rows[r]];
    const struct forest_problem problem = {&ranks, labels};
    free(values);
    enum status status = forest_fit(&problem, &recipe->forest, &out->forest, err);
    free(labels);
    ranks_free(&ranks);
    return status;
}

enum status model_fit(const struct table *table, const uint32_t *rows, size_t row_count, const struct recipe *recipe,
                      struct model *out, struct error *err)
{
    struct model model = {.is_forest = recipe->is_forest};
    preprocess_fit(table, rows, row_count, &model.preprocessor);
    enum status status = recipe->is_forest ? fit_forest(table, rows, row_count, recipe, &model, err)
                                           : fit_linear(table, rows, row_count, recipe, &model, err);
    if (status == STATUS_OK)
        *out = model;
    else
        preprocess_free(&model.preprocessor);
    return status;
}

bool model_converged(const struct model *model)
{
    return model->is_forest || model->fit.converged;
}

void model_clear(struct model *model)
{
    preprocess_free(&model->preprocessor);
    logistic_fit_clear(&model->fit);
    forest_free(&model->forest);
}

void model_predict(const struct model *model, const struct table *table, const uint32_t *rows, size_t row_count,
                   double *probabilities)
{
    size_t count = model->preprocessor.feature_count;
    double *features = mem_zeroed(count + 1, sizeof *features);
    float *floats = mem_zeroed(count + 1, sizeof *floats);
    for (size_t r = 0; r < row_count; r++) {
        preprocess_row(&model->preprocessor, table_row(table, rows[r]), features);
        for (size_t f = 0; model->is_forest && f < count; f++)
            floats[f] = (float)features[f];
        probabilities[r] = model->is_forest ? forest_probability(&model->forest, floats)
                                            : logistic_probability(logistic_margin(&model->fit, features, count));
    }
    free(features);
    free(floats);
}
