/* What folding a graph into a program looks for in expressions: numbers that are one formula of a column, and the texts
 * that a column is compared with. Shared by the linear and the tree programs, at load only (texts_order also later). */
#pragma once

#include "pipeline/expr.h"

/* Of a column's texts: their number, and steps to tabulate its features for all of them. */
enum { TEXT_KEYS_MAX = 1 << 20, TEXT_KEYS_MAX_WORK = 1 << 28 };
/* Steps of one row for all features that no formula or table holds. */
enum { MIXED_MAX_COST = 1 << 16 };

/* (x − offset) × or / factor of a number that is not missing, in one type throughout. */
struct formula {
    uint32_t column;
    enum dtype dtype; /* FLOAT: rounded to float at each step */
    bool multiply;    /* (x − offset) × factor, else / factor */
    double offset, factor;
};

/* False for anything else. */
bool formula_match(const struct expr_pool *pool, uint32_t id, struct formula *out);

/* Every text that some expressions compare with, sorted, each once; the empty one is always among them. */
struct text_keys {
    struct span *texts;
    size_t count, capacity;
    bool *seen;  /* expressions already searched */
    size_t work; /* steps to compute the expressions once, since the last clear */
};
void text_keys_init(struct text_keys *keys, const struct expr_pool *pool);
void text_keys_free(struct text_keys *keys);
/* Forgets the texts, but not which expressions were searched: each belongs to one column. */
void text_keys_clear(struct text_keys *keys);
void text_keys_collect(struct text_keys *keys, const struct expr_pool *pool, uint32_t id);
void text_keys_sort(struct text_keys *keys);
/* Whether tabulating these and `more` texts, with per_row steps for each besides the expressions, stays in bounds. */
bool text_keys_fit(const struct text_keys *keys, size_t more, size_t per_row);

/* For qsort and bsearch, over items that begin with a struct span. */
int texts_order(const void *a, const void *b);
