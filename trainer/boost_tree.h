/* Growing one tree of a boosted model: splits by histograms of both derivatives of the loss (Friedman 2001; Chen and
 * Guestrin 2016), the leaf that gains most first (Shi 2007), a learned side for what is missing, and subsets of
 * categories in the order of their gradient (Fisher 1958). */
#pragma once

#include "trainer/boost_model.h"

/* One thread's scratch, for any number of trees. Borrows bins and settings. */
struct boost_grower;
struct boost_grower *boost_grower_new(const struct bins *bins, const struct boost_settings *settings);
void boost_grower_free(struct boost_grower *grower);

/* Grows a tree on the rows listed (ascending; reordered), by the columns that are used[…], and adds its leaves to their
 * margins. New sets are added to `sets`. Its nodes are yours to free. */
void boost_tree_grow(struct boost_grower *grower, const struct boost_gradient *gradients, uint32_t *rows,
                     size_t row_count, const bool *used, struct boost_sets *sets, double *margins,
                     struct boost_tree *out);

/* The leaf where a row of the bins ends. */
const struct boost_node *boost_tree_walk(const struct boost_tree *tree, const struct boost_sets *sets,
                                         const struct bins *bins, size_t row);
