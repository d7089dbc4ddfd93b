/* Gradient boosting of trees for the logistic loss: rounds, shrinkage, sampling, and how many trees there are. */
#pragma once

#include "base/status.h"
#include "trainer/boost_tree.h"

enum { BOOST_ROUNDS_MOST = 2000 }; /* where the number is chosen */

struct boost_problem {
    const struct bins *bins;
    const uint8_t *labels; /* 0 or 1, one a row of the bins */
    const double *weights; /* one a row, positive */
};

struct boosting {
    struct boost_tree *trees;
    size_t tree_count;
    struct boost_sets sets;
    double base; /* log-odds of the weighted share of positives: the margin without a tree */
};

/* Fits n_estimators trees to all rows. The same problem and settings (but threads) give the same trees. */
void boosting_fit(const struct boost_problem *problem, const struct boost_settings *settings, struct boosting *out);
void boosting_free(struct boosting *boosting);

/* How many trees have the least mean log loss on rows they were not fitted to: `folds` has a number below fold_count a
 * row; folds 0 … used − 1 are assessed. Stops once early_stopping_rounds more brought nothing. At least 1. */
unsigned boosting_choose_count(const struct boost_problem *problem, const struct boost_settings *settings,
                               const uint8_t *folds, size_t used);
