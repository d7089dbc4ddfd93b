/* A model's functions of one nominal column as a table: a row for every text that schema or model knows, for a missing
 * one and for one that nobody knows. Exact by construction, whatever operators made the functions. Linear, tree and
 * step programs each have their own values in the rows; tabulated at load, looked up while scoring. */
#pragma once

#include "pipeline/expr.h"

/* The rows of one column's table: an unknown text, a missing one, the schema's values, what else the model knows. */
struct text_rows {
    uint32_t column;
    uint32_t first_known;     /* the row of known[0] */
    const struct span *known; /* sorted by texts_order: what CELL_OTHER may still be */
    size_t known_count;
};

static inline size_t text_rows_count(const struct text_rows *rows)
{
    return rows->first_known + rows->known_count;
}

/* The row of a text that the schema does not list. */
__attribute__((cold, pure)) size_t text_rows_find_other(const struct text_rows *rows, const struct cell *cell);
/* The cell's row. */
static inline size_t text_rows_find(const struct text_rows *rows, const struct cell *cell)
{
    return __builtin_expect(cell->code == CELL_OTHER, 0) ? text_rows_find_other(rows, cell) : (size_t)cell->code + 2;
}

/* One row of cells, all missing but the column at work, and the texts that its functions compare with. Plain data. */
struct tabulation {
    const struct expr_pool *pool;
    struct arena *arena; /* has what text_rows borrow; its bytes are added to *bytes */
    size_t *bytes;
    struct expr_memo memo;
    struct cell *cells;
    struct span *texts;
    size_t text_count, text_capacity;
    bool *seen;  /* expressions already searched: each belongs to one column */
    size_t work; /* steps to compute the column's functions once */
};
void tabulation_init(struct tabulation *tabulation, const struct expr_pool *pool, size_t column_count,
                     struct arena *arena, size_t *bytes);
void tabulation_free(struct tabulation *tabulation);

/* The rows of a column: begin, add each of its functions, end. per_row: steps of a row besides the functions.
 * STATUS_LIMIT: too many texts, or too much work. */
void tabulation_begin(struct tabulation *tabulation);
void tabulation_add(struct tabulation *tabulation, uint32_t function);
MUST_USE enum status tabulation_end(struct tabulation *tabulation, uint32_t column, size_t per_row,
                                    struct text_rows *out, struct error *err);

/* From now on functions are of the row's text; of a missing cell. */
void tabulation_set_row(struct tabulation *tabulation, const struct text_rows *rows, size_t row);
void tabulation_set_missing(struct tabulation *tabulation, uint32_t column);
double tabulation_value(struct tabulation *tabulation, uint32_t function);
