/* A table as bins: every column of a boosted model in at most 256 codes, so that its trees search splits by counting.
 *
 * Code 0 is what is missing. Numbers have codes from 1 on in ascending order, categories one each; where a column has
 * more categories than codes, the rarest share the last one. */
#pragma once

#include "trainer/preprocess.h"

enum { BINS_MOST = 256, BINS_LANES = 8 };

/* One column, as it stands in the preprocessor. Plain data, read-only once made. */
struct bin_column {
    bool nominal;
    uint32_t count;    /* codes, 0 included */
    size_t first;      /* its first code's place among all columns' */
    float *low, *high; /* number: least and largest value of each code but 0 */
    uint8_t *code_of;  /* nominal: by category of the preprocessor */
    size_t column;     /* index in the schema */
    int8_t monotone;   /* −1, 0, 1: which way the risk may go as the number grows */
};

struct bins {
    struct bin_column *columns;
    size_t column_count, row_count;
    size_t code_count; /* of all columns together */
    uint8_t *codes;    /* BINS_LANES columns side by side: column c of row r at [(c / 8 * row_count + r) * 8 + c % 8] */
};

/* The rows listed, by their place there. most: codes of a number, 2 to 255, the missing one not counted. */
void bins_make(const struct preprocessor *preprocessor, const struct table *table, const uint32_t *rows,
               size_t row_count, unsigned most, struct bins *out);
void bins_free_codes(struct bins *bins); /* the columns stay: what prediction needs */
void bins_free(struct bins *bins);

static inline uint8_t bins_at(const struct bins *bins, size_t column, size_t row)
{
    return bins->codes[(column / BINS_LANES * bins->row_count + row) * BINS_LANES + column % BINS_LANES];
}
