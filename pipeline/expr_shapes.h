/* What folding a graph into a program looks for in expressions: numbers that are one formula of a column. Shared by the
 * linear and the tree programs, at load only (texts_order also later). */
#pragma once

#include "pipeline/expr.h"

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

/* For qsort and bsearch, over items that begin with a struct span. */
int texts_order(const void *a, const void *b);
