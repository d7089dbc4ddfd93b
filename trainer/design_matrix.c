/* Table → matrix: see design_matrix.h. Pure. */
#include "trainer/design_matrix.h"

#include <stdlib.h>

#include "base/memory.h"

void design_matrix_make(const struct preprocessor *preprocessor, const struct table *table, const uint32_t *rows,
                        size_t row_count, bool balanced, struct design_matrix *out)
{
    size_t features = preprocessor->feature_count, of_class[2] = {0, 0};
    *out = (struct design_matrix){.row_count = row_count, .feature_count = features};
    out->features = mem_zeroed(row_count * features + 1, sizeof *out->features);
    out->labels = mem_zeroed(row_count + 1, sizeof *out->labels);
    out->weights = mem_zeroed(row_count + 1, sizeof *out->weights);
    for (size_t r = 0; r < row_count; r++) {
        preprocess_row(preprocessor, table_row(table, rows[r]), out->features + r * features);
        out->labels[r] = table->labels[rows[r]];
        of_class[out->labels[r]]++;
    }
    for (size_t r = 0; r < row_count; r++)
        out->weights[r] = balanced ? (double)row_count / (2.0 * (double)of_class[out->labels[r]]) : 1;
}

void design_matrix_clear(struct design_matrix *design)
{
    free(design->features);
    free(design->labels);
    free(design->weights);
    *design = (struct design_matrix){0};
}

struct logistic_problem design_matrix_problem(const struct design_matrix *design, double inverse_penalty,
                                              unsigned max_iterations)
{
    return (struct logistic_problem){design->features,      design->labels,  design->weights, design->row_count,
                                     design->feature_count, inverse_penalty, max_iterations};
}
