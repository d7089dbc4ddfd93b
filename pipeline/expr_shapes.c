/* Looking into expressions for what can be folded: see expr_shapes.h. Called by linear_compile.c and features.c, at
 * load only. Must never claim a formula that rounds differently from the graph. */
#include "pipeline/expr_shapes.h"

#include <stdlib.h>

/* Under "x is not missing": what a choice on isnan(x) comes down to. */
static const struct expr *expr_present(const struct expr_pool *pool, const struct expr *expr)
{
    while (expr->op == EXPR_WHERE) {
        const struct expr *condition = expr_at(pool, expr->a);
        if (condition->op != EXPR_IS_NAN || expr_at(pool, condition->a)->op != EXPR_INPUT)
            break;
        expr = expr_at(pool, expr->c);
    }
    return expr;
}

bool formula_match(const struct expr_pool *pool, uint32_t id, struct formula *out)
{
    const struct expr *expr = expr_at(pool, id);
    *out = (struct formula){.dtype = (enum dtype)expr->dtype, .factor = 1};
    expr = expr_present(pool, expr);
    if ((expr->op == EXPR_DIV || expr->op == EXPR_MUL) && expr_at(pool, expr->b)->op == EXPR_NUMBER) {
        out->multiply = expr->op == EXPR_MUL;
        out->factor = expr_at(pool, expr->b)->number;
        expr = expr_present(pool, expr_at(pool, expr->a));
    }
    if (expr->op == EXPR_SUB && expr_at(pool, expr->b)->op == EXPR_NUMBER) {
        out->offset = expr_at(pool, expr->b)->number;
        expr = expr_present(pool, expr_at(pool, expr->a));
    }
    out->column = (uint32_t)expr->column;
    return expr->op == EXPR_INPUT && expr->dtype == out->dtype && expr->dtype != DTYPE_TEXT;
}

int texts_order(const void *a, const void *b)
{
    const struct span *left = a, *right = b;
    size_t shorter = left->bytes < right->bytes ? left->bytes : right->bytes;
    int order = shorter ? memcmp(left->data, right->data, shorter) : 0;
    return order ? order : (left->bytes > right->bytes) - (left->bytes < right->bytes);
}
