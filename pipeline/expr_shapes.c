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

void text_keys_init(struct text_keys *keys, const struct expr_pool *pool)
{
    *keys = (struct text_keys){.seen = mem_zeroed(pool->count, sizeof *keys->seen)};
}

void text_keys_free(struct text_keys *keys)
{
    free(keys->texts);
    free(keys->seen);
}

void text_keys_clear(struct text_keys *keys)
{
    keys->count = 0;
    keys->work = 0;
}

static void keys_add(struct text_keys *keys, struct span text)
{
    if (keys->count > TEXT_KEYS_MAX)
        return; /* refused by text_keys_fit */
    keys->texts = mem_grow(keys->texts, &keys->capacity, keys->count + 1, sizeof *keys->texts);
    keys->texts[keys->count++] = text;
}

/* Recursion is bounded by EXPR_MAX_DEPTH. */
void text_keys_collect(struct text_keys *keys, const struct expr_pool *pool, uint32_t id)
{
    const struct expr *expr = expr_at(pool, id);
    if (keys->seen[id] || expr->op == EXPR_NUMBER || expr->op == EXPR_TEXT || expr->op == EXPR_INPUT)
        return;
    keys->seen[id] = true;
    keys->work += 1 + (expr->op == EXPR_LINEAR                               ? expr->terms->count
                       : expr->op == EXPR_ENCODE || expr->op == EXPR_NEAREST ? expr->map->count
                                                                             : 0);
    if (expr->op == EXPR_LINEAR) {
        for (size_t t = 0; t < expr->terms->count; t++)
            text_keys_collect(keys, pool, expr->terms->terms[t].expr);
        return;
    }
    if (expr->op == EXPR_ENCODE && expr->map->text_keys)
        for (size_t k = 0; k < expr->map->count; k++)
            keys_add(keys, expr->map->text_keys[k]);
    if (expr->op == EXPR_INDICATE && expr_at(pool, expr->a)->dtype == DTYPE_TEXT)
        keys_add(keys, expr->text);
    text_keys_collect(keys, pool, expr->a);
    if (expr->op == EXPR_WHERE || expr_is_binary(expr))
        text_keys_collect(keys, pool, expr->b);
    if (expr->op == EXPR_WHERE)
        text_keys_collect(keys, pool, expr->c);
}

bool text_keys_fit(const struct text_keys *keys, size_t more, size_t per_row)
{
    size_t work = 0;
    return keys->count <= TEXT_KEYS_MAX && !__builtin_mul_overflow(keys->count + more, keys->work + per_row, &work) &&
           work <= TEXT_KEYS_MAX_WORK;
}

void text_keys_sort(struct text_keys *keys)
{
    keys_add(keys, SPAN_LITERAL(""));
    qsort(keys->texts, keys->count, sizeof *keys->texts, texts_order);
    size_t kept = 1;
    for (size_t k = 1; k < keys->count; k++)
        if (texts_order(&keys->texts[k], &keys->texts[kept - 1]) != 0)
            keys->texts[kept++] = keys->texts[k];
    keys->count = kept;
}
