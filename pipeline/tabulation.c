/* Tables of a nominal column's functions: see tabulation.h. Called by linear_compile.c, features.c and steps_compile.c
 * at load; a row is looked up by any thread while scoring, and nothing is allocated then. */
#include "pipeline/tabulation.h"

#include <stdlib.h>

#include "pipeline/expr_shapes.h"

/* Of a column's texts: their number, and steps to tabulate its functions for all of them. */
enum { TEXTS_MAX = 1 << 20, WORK_MAX = 1 << 28 };

/* --- while scoring --- */

size_t text_rows_find_other(const struct text_rows *rows, const struct cell *cell)
{
    struct span text = {cell->text, cell->text_bytes};
    const struct span *known = bsearch(&text, rows->known, rows->known_count, sizeof *known, texts_order);
    return known ? rows->first_known + (size_t)(known - rows->known) : 0;
}

/* --- at load --- */

void tabulation_init(struct tabulation *tabulation, const struct expr_pool *pool, size_t column_count,
                     struct arena *arena, size_t *bytes)
{
    *tabulation = (struct tabulation){.pool = pool, .arena = arena, .bytes = bytes};
    expr_memo_init(&tabulation->memo, pool);
    tabulation->seen = mem_zeroed(pool->count, sizeof *tabulation->seen);
    tabulation->cells = mem_zeroed(column_count, sizeof *tabulation->cells);
    for (size_t c = 0; c < column_count; c++)
        tabulation->cells[c] = cell_missing(&pool->columns[c]);
}

void tabulation_free(struct tabulation *tabulation)
{
    expr_memo_clear(&tabulation->memo);
    free(tabulation->cells);
    free(tabulation->texts);
    free(tabulation->seen);
}

static void text_add(struct tabulation *tabulation, struct span text)
{
    if (tabulation->text_count > TEXTS_MAX)
        return; /* refused by tabulation_end */
    tabulation->texts =
        mem_grow(tabulation->texts, &tabulation->text_capacity, tabulation->text_count + 1, sizeof *tabulation->texts);
    tabulation->texts[tabulation->text_count++] = text;
}

void tabulation_begin(struct tabulation *tabulation)
{
    tabulation->text_count = 0;
    tabulation->work = 0;
    text_add(tabulation, SPAN_LITERAL(""));
}

/* Recursion is bounded by EXPR_MAX_DEPTH. */
void tabulation_add(struct tabulation *tabulation, uint32_t function)
{
    const struct expr *expr = expr_at(tabulation->pool, function);
    if (tabulation->seen[function] || expr->op == EXPR_NUMBER || expr->op == EXPR_TEXT || expr->op == EXPR_INPUT)
        return;
    tabulation->seen[function] = true;
    tabulation->work += 1 + (expr->op == EXPR_LINEAR                               ? expr->terms->count
                             : expr->op == EXPR_ENCODE || expr->op == EXPR_NEAREST ? expr->map->count
                                                                                   : 0);
    if (expr->op == EXPR_LINEAR) {
        for (size_t t = 0; t < expr->terms->count; t++)
            tabulation_add(tabulation, expr->terms->terms[t].expr);
        return;
    }
    if (expr->op == EXPR_ENCODE && expr->map->text_keys)
        for (size_t k = 0; k < expr->map->count; k++)
            text_add(tabulation, expr->map->text_keys[k]);
    if (expr->op == EXPR_INDICATE && expr_at(tabulation->pool, expr->a)->dtype == DTYPE_TEXT)
        text_add(tabulation, expr->text);
    tabulation_add(tabulation, expr->a);
    if (expr->op == EXPR_WHERE || expr_is_binary(expr))
        tabulation_add(tabulation, expr->b);
    if (expr->op == EXPR_WHERE)
        tabulation_add(tabulation, expr->c);
}

/* The texts ascending, each once; returns how many. */
static size_t texts_sort(struct span *texts, size_t count)
{
    size_t kept = 1;
    qsort(texts, count, sizeof *texts, texts_order);
    for (size_t t = 1; t < count; t++)
        if (texts_order(&texts[t], &texts[kept - 1]) != 0)
            texts[kept++] = texts[t];
    return kept;
}

enum status tabulation_end(struct tabulation *tabulation, uint32_t column, size_t per_row, struct text_rows *out,
                           struct error *err)
{
    const struct column *schema = &tabulation->pool->columns[column];
    size_t first_known = 2 + schema->value_count, work;
    bool too_many = tabulation->text_count > TEXTS_MAX;
    size_t count = texts_sort(tabulation->texts, tabulation->text_count);
    if (too_many || __builtin_mul_overflow(count + first_known, tabulation->work + per_row, &work) || work > WORK_MAX)
        return error_set(err, STATUS_LIMIT, "column %s: %zu categories are too many", schema->name, count);
    struct span *known = arena_zeroed(tabulation->arena, count, sizeof *known);
    memcpy(known, tabulation->texts, count * sizeof *known);
    *tabulation->bytes += count * sizeof *known;
    *out = (struct text_rows){
        .column = column, .first_known = (uint32_t)first_known, .known = known, .known_count = count};
    return STATUS_OK;
}

static struct span row_text(const struct column *schema, const struct text_rows *rows, size_t row)
{
    if (row < 2)
        return row == 0 ? (struct span){EXPR_UNKNOWN, sizeof EXPR_UNKNOWN} : SPAN_LITERAL("");
    return row < rows->first_known ? schema->values[row - 2] : rows->known[row - rows->first_known];
}

void tabulation_set_row(struct tabulation *tabulation, const struct text_rows *rows, size_t row)
{
    struct span text = row_text(&tabulation->pool->columns[rows->column], rows, row);
    tabulation->cells[rows->column] =
        (struct cell){.text = text.data, .text_bytes = (uint32_t)text.bytes, .code = CELL_OTHER};
    expr_memo_next_row(&tabulation->memo);
}

void tabulation_set_missing(struct tabulation *tabulation, uint32_t column)
{
    tabulation->cells[column] = cell_missing(&tabulation->pool->columns[column]);
    expr_memo_next_row(&tabulation->memo);
}

double tabulation_value(struct tabulation *tabulation, uint32_t function)
{
    return expr_evaluate_memo(tabulation->pool, &tabulation->memo, function, tabulation->cells).number;
}
