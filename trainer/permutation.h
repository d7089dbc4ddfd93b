/* Permutation importance (Breiman 2001; Fisher, Rudin and Dominici 2019), as scikit-learn measures it: what the AUC
 * falls by when a column's values are shuffled among the rows that the model has not seen. */
#pragma once

#include "trainer/evaluation.h"
#include "trainer/predictor.h"

/* Each column of the schema, shuffled `times` times among the rows listed: times falls of the AUC a column, NaN for
 * excluded columns and where there is no AUC. No fall depends on the number of threads. */
void permutation_drops(const struct predictor *predictor, const struct table *table, const uint32_t *rows,
                       size_t row_count, size_t times, uint64_t seed, size_t threads, double *drops);

/* Means and standard deviations of `parts` lists of falls, into out->permuted. times and parts: at least 1. */
void permutation_summarise(const double *drops, size_t parts, size_t times, struct evaluation *out);
/* Both, of rows that the model has not seen. */
void permutation_measure(const struct predictor *predictor, const struct table *table, const uint32_t *rows,
                         size_t row_count, size_t times, uint64_t seed, size_t threads, struct evaluation *out);
