/* Preprocessing and coefficients together: see model.h. Pure; called for the whole table and for each fold. */
#include "trainer/model.h"

#include <stdlib.h>

#include "base/memory.h"

/* One weight a row: 1, or what makes both classes weigh the same (scikit-learn's class_weight="balanced"). */
static double *row_weights(const uint8_t *labels, size_t count, bool balanced)
{
    double *weights = mem_zeroed(count + 1, sizeof *weights);
    size_t of_class[2] = {0, 0};
    for (size_t r = 0; r < count; r++)
        of_class[labels[r]]++;
    for (size_t r = 0; r < count; r++)
        weights[r] = balanced ? (double)count / (2.0 * (double)of_class[labels[r]]) : 1;
    return weights;
}

enum status model_fit(const struct table *table, const uint32_t *rows, size_t row_count, const struct recipe *recipe,
                      struct model *out, struct error *err)
{
    struct model model;
    preprocess_fit(table, rows, row_count, &model.preprocessor);
    size_t features = model.preprocessor.feature_count;
    double *matrix = mem_zeroed(row_count * features + 1, sizeof *matrix);
    uint8_t *labels = mem_zeroed(row_count + 1, sizeof *labels);
    for (size_t r = 0; r < row_count; r++) {
        preprocess_row(&model.preprocessor, table_row(table, rows[r]), matrix + r * features);
        labels[r] = table->labels[rows[r]];
    }
    double *weights = row_weights(labels, row_count, recipe->balanced);
    const struct logistic_problem problem = {
        matrix, labels, weights, row_count, features, recipe->inverse_penalty, recipe->max_iterations};
    enum status status = logistic_fit(&problem, &model.fit, err);
    free(weights);
    free(labels);
    free(matrix);
    if (status == STATUS_OK)
        *out = model;
    else
        preprocess_free(&model.preprocessor);
    return status;
}

void model_clear(struct model *model)
{
    preprocess_free(&model->preprocessor);
    logistic_fit_clear(&model->fit);
}

void model_predict(const struct model *model, const struct table *table, const uint32_t *rows, size_t row_count,
                   double *probabilities)
{
    size_t count = model->preprocessor.feature_count;
    double *features = mem_zeroed(count + 1, sizeof *features);
    for (size_t r = 0; r < row_count; r++) {
        preprocess_row(&model->preprocessor, table_row(table, rows[r]), features);
        probabilities[r] = logistic_probability(logistic_margin(&model->fit, features, count));
    }
    free(features);
}
