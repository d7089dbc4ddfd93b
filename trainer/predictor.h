/* Whatever gives rows probabilities: a model of the trainer, or a file's. */
#pragma once

#include "trainer/table.h"

struct predictor {
    /* `count` rows of cells, one after the other as in a table; NaN: the row gets none. On several threads. */
    void (*predict)(const void *context, const struct cell *cells, size_t count, double *probabilities);
    const void *context;
};

struct pipeline;
/* A loaded model file's. Borrowed. */
struct predictor predictor_of_file(const struct pipeline *pipeline);

/* The column's cell of a number, or of the category that stands there among its values. */
struct cell predictor_cell(const struct column *column, double value);

/* Another cell in a column of every row: that of the row's giver, or one for all. */
struct replacement {
    uint32_t column;
    const uint32_t *givers; /* as the rows, in the table; NULL: `cell` */
    struct cell cell;
};

/* Probabilities of the rows listed with that replacement. */
void predictor_run(const struct predictor *predictor, const struct table *table, const uint32_t *rows, size_t row_count,
                   const struct replacement *replacement, double *probabilities);
