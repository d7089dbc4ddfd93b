/* The decoded row: the one plain struct in which events (who fills it) and pipeline (who scores it) meet.
 *
 * Columns are described once, by the schema files; a row is an array of one cell per column, in schema order.
 * Batches are row-major arrays: cell c of row r is cells[r * column_count + c]. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum column_kind {
    COLUMN_NUMERIC, /* a quantity */
    COLUMN_ORDINAL, /* a rank: a number whose order counts; treated as a number by models */
    COLUMN_NOMINAL, /* a category: text, one of `values` */
};

enum column_type { /* the Avro type, without its null */
                   COLUMN_INT,
                   COLUMN_LONG,
                   COLUMN_FLOAT,
                   COLUMN_DOUBLE,
                   COLUMN_TEXT,
};

/* Read-only after the schema is loaded; owned by it. */
struct column {
    const char *name;  /* the data set's own name */
    const char *label; /* for people */
    const char *doc;
    enum column_kind kind;
    enum column_type type;
    bool required;                   /* null is refused instead of imputed */
    bool imputes;                    /* what is no sound value is taken for missing instead of being refused */
    double low, high;                /* inclusive range of numbers; -INFINITY and INFINITY where the schema has none */
    const struct span *values;       /* nominal: the categories, in schema order */
    const char *const *value_labels; /* ordinal: label of low, low + 1, …, high; NULL where the schema has none */
    size_t value_count;              /* number of `values` (nominal) or `value_labels` (ordinal) */
    bool group;                      /* groups of people by this column are compared when a model is evaluated */
    bool unit;                       /* a part of the organisation: risk is shown by it */
    const double *bands;             /* numbers: where the second and each further group begins, ascending */
    size_t band_count;
};

/* Numbers in column `left` must not exceed the number in column `right`; a missing operand passes. */
struct rule {
    uint32_t left, right;
};

static inline bool column_is_whole(const struct column *column)
{
    return column->type == COLUMN_INT || column->type == COLUMN_LONG;
}

/* The largest magnitude that the column's type holds and a double holds exactly: int's own, 2^53 for long. */
static inline double column_most(const struct column *column)
{
    return column->type == COLUMN_INT ? 2147483647.0 : column->type == COLUMN_LONG ? 9007199254740992.0 : INFINITY;
}

enum { CELL_MISSING = -1, CELL_OTHER = -2, CELL_UNLISTED = -3 };

/* One value. Numeric and ordinal columns use `number` (NaN = missing) and leave code 0 or CELL_MISSING;
 * nominal columns use `code`, and `text` where code is CELL_OTHER or >= 0. Texts are borrowed from the message. */
struct cell {
    union {
        double number;
        const char *text;
    };
    uint32_t text_bytes;
    int32_t code; /* index into column.values, CELL_MISSING, CELL_OTHER (a text that is not among them), or
                     CELL_UNLISTED (a partial event leaves the column as it is: such cells are never scored) */
};

static inline struct cell cell_number(double number)
{
    return (struct cell){.number = number, .code = isnan(number) ? CELL_MISSING : 0};
}

static inline struct cell cell_missing(const struct column *column)
{
    struct cell cell = {.code = CELL_MISSING};
    if (column->kind == COLUMN_NOMINAL)
        cell.text = NULL;
    else
        cell.number = NAN;
    return cell;
}

/* The code of a category by linear search: for loading and tools. The hot path has its own tables. */
static inline int32_t column_code(const struct column *column, struct span text)
{
    for (size_t v = 0; v < column->value_count; v++)
        if (span_equal(column->values[v], text))
            return (int32_t)v;
    return CELL_OTHER;
}

/* Why a score is what it is: margin = base + the sum of all columns' contributions, in the model's raw score. */
struct reason {
    uint32_t column;     /* index of the original feature */
    double contribution; /* positive raises the risk */
};
