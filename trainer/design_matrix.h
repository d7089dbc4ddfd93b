/* The rows of a table as the matrix, labels and weights of a linear model. */
#pragma once

#include "trainer/logistic.h"
#include "trainer/preprocess.h"

struct design_matrix {
    double *features; /* row-major */
    uint8_t *labels;
    double *weights; /* 1, or what makes both classes weigh the same (scikit-learn's class_weight="balanced") */
    size_t row_count, feature_count;
};

void design_matrix_make(const struct preprocessor *preprocessor, const struct table *table, const uint32_t *rows,
                        size_t row_count, bool balanced, struct design_matrix *out);
void design_matrix_clear(struct design_matrix *design);

/* Borrows the design. */
struct logistic_problem design_matrix_problem(const struct design_matrix *design, double inverse_penalty,
                                              unsigned max_iterations);
