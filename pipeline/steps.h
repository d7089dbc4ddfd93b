/* A model as a list of steps: what neither one linear score nor one ensemble of trees can express, such as the mean of
 * several calibrated models. Computed as the graph says, in its types, for a block of rows at a time. */
#pragma once

#include "pipeline/compile.h"
#include "pipeline/score.h"

struct steps;

/* Lists the steps to the probability of class `positive`. Borrows the pool and its columns, which must outlive it.
 * STATUS_UNSUPPORTED: texts of more than one column; STATUS_LIMIT. Free with steps_free. */
MUST_USE enum status steps_compile(const struct expr_pool *pool, const struct compiled *compiled, size_t positive,
                                   size_t column_count, struct steps **out, struct error *err);
/* STATUS_UNSUPPORTED: on rows made up of the schema's ranges and values, the two classes' numbers are no probabilities.
 */
MUST_USE enum status steps_check(const struct steps *steps, const struct expr_pool *pool,
                                 const struct compiled *compiled, size_t positive, struct error *err);
void steps_free(struct steps *steps);

/* pipeline_score's contract, without reasons: the margin is the probability itself. */
void steps_score(const struct steps *steps, const struct cell *cells, size_t row_count, struct score *scores);
bool steps_use(const struct steps *steps, uint32_t column);
size_t steps_tree_count(const struct steps *steps);
size_t steps_bytes(const struct steps *steps);
