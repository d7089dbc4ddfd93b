/* Random forest of classification trees as scikit-learn defines it (Breiman 2001): Gini, splits half-way between
 * neighbouring values, the probability is the mean of the leaves' class shares. Which rows and features a tree draws
 * comes from our own generator, so forests are alike in distribution, not node by node. */
#pragma once

#include "base/status.h"
#include "trainer/forest_problem.h"

struct forest {
    struct forest_tree *trees;
    size_t tree_count;
};

/* The same problem and settings (but threads) give the same forest. STATUS_INVALID: more max_features than features.
 * STATUS_LIMIT: more than FOREST_MOST_NODES. Free with forest_free. */
MUST_USE enum status forest_fit(const struct forest_problem *problem, const struct forest_settings *settings,
                                struct forest *out, struct error *err);
void forest_free(struct forest *forest);

/* Mean share over the trees, for one row of features. */
double forest_probability(const struct forest *forest, const float *features);
