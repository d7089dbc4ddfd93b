/* The body of struct linear, shared by who folds it (linear_compile.c), who runs it (linear.c) and who takes means
 * through it (background.c). Nobody else includes this. */
#pragma once

#include "pipeline/expr_shapes.h"
#include "pipeline/linear.h"
#include "pipeline/tabulation.h"

/* weight × ((x − offset) / divisor) in double: our trainer's form, and the hot loop. Each list is one array, so that
 * two columns are computed at a time; their positions are 0, 1, 2, … */
struct number_terms {
    size_t count;
    uint32_t *columns;
    double *offsets, *divisors, *weights;
    double *missing; /* the term of a missing cell */
};

/* The same formula in the forms other exporters write. */
struct formula_term {
    uint32_t column, position; /* position: in the order of summation */
    enum dtype dtype;          /* FLOAT: rounded to float at each step */
    bool multiply;             /* (x − offset) × factor, else / factor */
    double offset, factor, weight, missing;
};

/* A nominal column: each of its texts has its value. */
struct table_term {
    struct text_rows texts;
    uint32_t position;
    const double *values; /* by row */
};

/* What fits none of the above: evaluated expression by expression. Slow, exact. */
struct mixed_term {
    uint32_t column, position;
    struct expr_terms parts;
};

struct column_position {
    uint32_t column, position; /* position: in the order of summation */
};

struct linear {
    const struct expr_pool *pool;
    struct arena arena;
    size_t bytes, column_count; /* columns of a row */
    struct number_terms numbers;
    struct formula_term *formulas;
    struct table_term *tables;
    struct mixed_term *mixed;
    size_t formula_count, table_count, mixed_count, term_count;
    uint32_t *columns;                 /* by position */
    struct column_position *by_spread; /* columns whose terms vary most first: reasons are looked for in this order */
    double intercept, base;
    double *reference; /* by position; NULL: no reasons */
    enum dtype dtype;  /* of the raw score */
    bool normalised;   /* σ(z) / (σ(−z) + σ(z)) */
};
