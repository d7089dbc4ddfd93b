/* Preprocessing and model together: see model.h. Pure but for the forest's threads; called for the whole table and for
 * each fold. */
#include "trainer/model.h"

#include <stdlib.h>

#include "base/memory.h"
#include "trainer/kinds/kinds.h"

enum status model_fit(const struct table *table, const uint32_t *rows, size_t row_count,
                      const struct train_settings *settings, struct model *out, struct error *err)
{
    struct model model = {.kind = settings->kind};
    preprocess_fit(table, rows, row_count, &model.preprocessor);
    enum status status = model.kind->fit(table, rows, row_count, settings, &model, err);
    if (status == STATUS_OK)
        *out = model;
    else
        preprocess_free(&model.preprocessor);
    return status;
}

bool model_converged(const struct model *model)
{
    return model->kind->converged(model);
}

void model_clear(struct model *model)
{
    preprocess_free(&model->preprocessor);
    if (model->kind)
        model->kind->clear(model);
}

void model_predict(const struct model *model, const struct table *table, const uint32_t *rows, size_t row_count,
                   double *probabilities)
{
    size_t count = model->preprocessor.feature_count;
    double *features = mem_zeroed(count + 1, sizeof *features);
    float *floats = mem_zeroed(count + 1, sizeof *floats);
    for (size_t r = 0; r < row_count; r++) {
        preprocess_row(&model->preprocessor, table_row(table, rows[r]), features);
        probabilities[r] = model->kind->probability(model, features, floats);
    }
    free(features);
    free(floats);
}
