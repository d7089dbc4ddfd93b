/* Intervals of measures: by bootstrap, and over folds. */
#pragma once

#include "trainer/assessment.h"

/* Percentile bootstrap: rows drawn again and again, the same for the same seed. Source: Efron and Tibshirani 1993. */
void intervals_bootstrap(const struct predictions *predictions, uint64_t seed, struct interval *intervals);

/* Mean over folds and its interval: Student's t with the variance corrected for folds that share training rows, so
 * (1 / n + test share / training share) in place of 1 / n. One fold: no interval. Source: Nadeau and Bengio 2003,
 * "Inference for the generalization error". */
struct interval intervals_of_folds(const double *values, size_t count, double test_share, double *mean);
