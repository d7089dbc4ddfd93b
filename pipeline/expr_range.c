/* Bounds of integer expressions: see expr.h. Called by operators' bodies, at load only. */
#include <math.h>

#include "pipeline/expr.h"

static const double whole_most = 9007199254740992.0; /* 2^53: integers up to here are exact */

bool expr_range(struct expr_pool *pool, uint32_t id, double *low, double *high)
{
    const struct expr *expr = expr_at(pool, id);
    double other_low, other_high;
    if (++pool->work > EXPR_MAX_WORK) {
        pool->overflow = STATUS_LIMIT;
        return false;
    }
    if (expr->op == EXPR_NUMBER) {
        *low = *high = expr->number;
        return fabs(expr->number) <= whole_most; /* not of NaN */
    }
    if (expr->op != EXPR_WHERE && expr->op != EXPR_ADD && expr->op != EXPR_SUB)
        return false;
    bool chosen = expr->op == EXPR_WHERE;
    if (!expr_range(pool, chosen ? expr->b : expr->a, low, high) ||
        !expr_range(pool, chosen ? expr->c : expr->b, &other_low, &other_high))
        return false;
    bool less = expr->op == EXPR_SUB;
    *low = chosen ? fmin(*low, other_low) : *low + (less ? -other_high : other_low);
    *high = chosen ? fmax(*high, other_high) : *high + (less ? -other_low : other_high);
    return *low >= -whole_most && *high <= whole_most;
}
