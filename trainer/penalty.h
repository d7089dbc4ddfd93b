/* Choosing C by cross-validation among the training rows, as scikit-learn's LogisticRegressionCV does. */
#pragma once

#include "trainer/train_settings.h"
#include "trainer/table.h"

/* Ten values from 1e-4 to 1e4, evenly spaced by their logarithm; five stratified folds of the rows listed (or as many
 * as the rarer class has rows); the best mean of the measure of the settings wins, of equals the smallest C.
 * STATUS_INVALID: a class with one row. */
MUST_USE enum status penalty_choose(const struct table *table, const uint32_t *rows, size_t row_count,
                                    const struct train_settings *settings, double *out, struct error *err);
