/* What a recipe is made of: shared by recipe_load.c, which builds it, and recipe.c, which draws from it. */
#pragma once

#include "base/memory.h"
#include "producer/recipe.h"

enum law { LAW_TABLE, LAW_NORMAL, LAW_UNIFORM, LAW_EXPONENTIAL };

/* How one column is drawn under one condition. */
struct draw_case {
    uint64_t codes; /* the given column is nominal: bit c is set where category c meets the condition */
    double up_to;   /* the given column is a number: it must not exceed this */
    enum law law;
    const struct cell *values; /* table */
    const double *cumulative;  /* table: running sum of the weights, value_count of them, the last is the total */
    size_t value_count;
    double first, second; /* normal: mean, sd; uniform: least, greatest; exponential: mean, – */
    double low, high;     /* laws: the number is rounded (whole columns), then clamped to this */
};

struct draw {
    uint32_t column;
    int32_t given; /* column that the cases' conditions are about, drawn earlier; -1: a single case without one */
    const struct draw_case *cases;
    size_t case_count;      /* the conditions cover every value: checked when loaded */
    const uint32_t *bounds; /* columns drawn earlier whose number must not be exceeded */
    size_t bound_count;
    double least; /* no number drawn here is below this */
};

/* One summand of the planted margin. */
struct term {
    uint32_t column;
    const double *weights; /* nominal: one per category; NULL for numbers */
    double mean, sd, per_sd;
};

/* What a change of an employee's life does to one column. */
struct life_effect {
    enum {
        EFFECT_DRAW,
        EFFECT_SET,
        EFFECT_ADD,
        EFFECT_SCALE
    } kind; /* drawn again; to a value; by, or times a number … */
    uint32_t column;
    struct cell value;
    double least, greatest; /* … between these */
};

struct life_change {
    double per_year; /* INFINITY: on the day of each year on which the employee came */
    const struct life_effect *effects;
    size_t effect_count;
};

struct life {
    const struct life_change *changes;
    size_t change_count;
    struct life_change hired; /* what is so for a new employee */
    double vacant_days;       /* until somebody else comes in the place of one who has left; the mean */
    double total_per_year;    /* of all changes that may come at any time */
};

struct recipe {
    const struct schema *schema;
    struct draw *draws; /* in drawing order; column_count of the schema */
    struct term *terms;
    size_t term_count;
    double intercept;
    const struct life *life; /* NULL: the recipe has none */
    struct arena arena;      /* everything above lives here */
};
