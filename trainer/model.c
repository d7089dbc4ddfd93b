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
    preprocess_fit(table, rows, row_count, !model.kind->takes_cells, &model.preprocessor);
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
    const struct model_scratch scratch = {mem_zeroed(count + 1, sizeof(double)), mem_zeroed(count + 1, sizeof(float))};
    for (size_t r = 0; r < row_count; r++) {
        double score = model->kind->score(model, table_row(table, rows[r]), &scratch);
        probabilities[r] = model->kind->score_is_share ? score : logistic_probability(score);
    }
    free(scratch.features);
    free(scratch.floats);
}
