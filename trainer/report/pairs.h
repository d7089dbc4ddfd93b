/* How strongly two columns go together, by what they hold: Pearson's and Spearman's correlation of two numbers,
 * Cramér's V of two categories, the correlation ratio of a category and a number. Pure.
 *
 * Columns come as codes, one a row: a place in the column's distinct values, which stand in ascending order. Rows in
 * which either column has none are passed over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAIR_MISSING UINT32_MAX /* a row without a value */

/* A column. Plain data, all borrowed. */
struct pair_side {
    const uint32_t *codes; /* by row */
    const double *values;  /* by code; NULL: categories */
    size_t count;          /* codes there are */
};

enum pair_kind { PAIR_NUMBERS, PAIR_CATEGORIES, PAIR_MIXED };

struct pair {
    enum pair_kind kind;
    uint32_t left, right; /* the columns; the caller's */
    size_t rows;          /* with both values */
    /* Of numbers, −1 to 1; NaN where there is none: fewer than two values on a side, or beyond a double's range. */
    double pearson, spearman;
    /* Of all pairs: of numbers the correlation that is farther from 0, of categories Cramér's V corrected for its bias
     * (Bergsma 2013), of a number by a category the correlation ratio η (Pearson 1911), both 0 to 1. NaN: none. */
    double strength;
};

void pair_measure(const struct pair_side *left, const struct pair_side *right, size_t rows, struct pair *out);
