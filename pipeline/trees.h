/* A tree ensemble as a flat program: forests and boosters over rows of floats. */
#pragma once

#include "pipeline/compile.h"
#include "pipeline/score.h"

struct trees;

/* Folds the probability of class `positive`, which must be a tree ensemble's (trees_match). Borrows the pool and its
 * columns, which must outlive it. Free with trees_free. */
MUST_USE enum status trees_compile(const struct expr_pool *pool, const struct compiled *compiled, size_t positive,
                                   size_t column_count, struct trees **out, struct error *err);
/* One of the ensembles that a list of steps reads: of its features' values, not of cells; for trees_member alone. */
MUST_USE enum status trees_compile_member(const struct expr_pool *pool, const struct ensemble *ensemble, size_t class,
                                          struct trees **out, struct error *err);
/* What it gives for `count` ≤ TREES_MEMBER_ROWS rows: input f of row r at inputs[f][r]. No allocation. */
enum { TREES_MEMBER_ROWS = 64 };
void trees_member(const struct trees *trees, const double *const *inputs, size_t count, double *out);
void trees_free(struct trees *trees);
bool trees_match(const struct expr_pool *pool, const struct compiled *compiled);

/* pipeline_score_from's contract. */
void trees_score(const struct trees *trees, const struct cell *cells, size_t row_count, uint32_t top_reasons,
                 double least, struct score *scores, struct reason *reasons);
bool trees_has_reasons(const struct trees *trees);
bool trees_are_logistic(const struct trees *trees); /* the margin goes through a sigmoid */

/* Reasons need to know how many training rows came to each leaf. Leaves in the order of the file, tree after tree. */
size_t trees_leaf_count(const struct trees *trees);
size_t trees_tree_leaves(const struct trees *trees, size_t tree);
size_t trees_tree_count(const struct trees *trees);
/* Makes reasons possible. Covers ≥ 0 and finite, their sum in each tree > 0. At load only. */
MUST_USE enum status trees_set_covers(struct trees *trees, const double *covers, struct error *err);
size_t trees_bytes(const struct trees *trees);
