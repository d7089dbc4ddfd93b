/* What is computed of a score of trees, as an ensemble's own: so that it stays one, with reasons. Called by
 * operators_math.c during the walk, at load only. */
#include "pipeline/ensemble.h"

uint32_t ensemble_link(struct expr_pool *pool, uint32_t score)
{
    const struct expr *expr = expr_at(pool, score);
    if (expr->op != EXPR_TREES || expr->b != 1 || !expr->trees->binary || expr->trees->logistic)
        return EXPR_NONE;
    struct ensemble *linked = expr_pool_take(pool, 1, sizeof *linked);
    *linked = *expr->trees;
    linked->logistic = true;
    linked->raw = false;
    return expr_trees(pool, linked, 1);
}

uint32_t ensemble_other_class(struct expr_pool *pool, uint32_t share)
{
    const struct expr *expr = expr_at(pool, share);
    if (expr->op != EXPR_TREES || expr->b != 1 || !expr->trees->binary || expr->trees->raw)
        return EXPR_NONE;
    return expr_trees(pool, expr->trees, 0);
}
