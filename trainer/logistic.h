/* Logistic regression as scikit-learn defines it, to machine precision.
 *
 * Minimises  C · Σ weight·logloss + ½‖w‖²  (the intercept is not penalised), or without a penalty  Σ weight·logloss.
 * Newton's method (iteratively reweighted least squares) with Cholesky and a backtracking line search; without a
 * penalty in the row space of the design matrix, where the optimum is unique: of all optima the one of least norm. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct logistic_problem {
    const double *features; /* row-major, feature_count a row */
    const uint8_t *labels;  /* 0 or 1 */
    const double *weights;  /* one a row, positive */
    size_t row_count, feature_count;
    double inverse_penalty; /* scikit-learn's C, positive; INFINITY: no penalty */
    unsigned max_iterations;
};

struct logistic_fit {
    double *coefficients; /* feature_count; yours: logistic_fit_clear */
    double intercept;
    double gradient; /* largest entry of the mean loss's gradient at the end */
    unsigned iterations;
    double loss;    /* mean weighted log loss over the rows */
    bool converged; /* false: the iterations ran out, or rounding stopped the search */
    bool unbounded; /* converged in probability alone: some rows can be separated without error in some direction,
                       whose coefficients would grow for ever; they stand where no row's probability changes any more.
                       Never with a penalty */
};

/* STATUS_INVALID: numbers that are not finite. Running out of iterations is no error: see converged. */
MUST_USE enum status logistic_fit(const struct logistic_problem *problem, struct logistic_fit *out, struct error *err);
void logistic_fit_clear(struct logistic_fit *fit);

/* intercept + Σ coefficient·feature, summed in this order. */
double logistic_margin(const struct logistic_fit *fit, const double *features, size_t feature_count);
double logistic_probability(double margin);
