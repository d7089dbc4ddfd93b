/* A table of floats as ranks: each column's distinct values in order, and for every row the place of its value. Trees
 * then search splits by counting instead of sorting. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { RANKS_NARROW = 256, RANKS_MOST = 65536 };

/* One column. Plain data, read-only once added. */
struct rank_column {
    uint8_t *narrow;   /* per row, where there are up to RANKS_NARROW ranks; else NULL */
    uint16_t *wide;    /* per row, else NULL */
    float *low, *high; /* per rank: least and largest value; equal, unless there are more than RANKS_MOST values */
    uint32_t count;    /* ranks */
};

struct ranks {
    struct rank_column *columns;
    size_t column_count, row_count;
};

void ranks_begin(struct ranks *ranks, size_t row_count, size_t column_count);
/* Fills column `column` from one float a row (never NaN). Beyond RANKS_MOST distinct values neighbours share a rank, as
 * many rows to each: then, and only then, splits between them are not found. */
void ranks_set(struct ranks *ranks, size_t column, const float *values);
void ranks_free(struct ranks *ranks);

static inline uint32_t ranks_at(const struct rank_column *column, size_t row)
{
    return column->narrow ? column->narrow[row] : column->wide[row];
}
