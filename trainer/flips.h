/* The flip test: which decisions change when only one attribute of a person does, of those that make groups
 * (Galhotra, Brun and Meliou 2017: causal discrimination; what follows from the attribute in other columns stays). */
#pragma once

#include "trainer/predictor.h"

/* Plain data. */
struct flip {
    uint32_t column; /* index in the schema */
    char *from;      /* the group that rows are of; NULL: all */
    char *to;        /* the group whose value they are given; NULL: any other, each row counted once */
    size_t count;    /* rows */
    size_t up, down; /* those that become positive, and negative */
};

/* By column: first of all rows, then of each group; of pairs of groups those with a flip. flips_clear. */
struct flips {
    struct flip *items;
    size_t count, row_count;
};

/* A group's value: its category; of numbers the median of the group's rows (of two the lower). A group without rows is
 * given to nobody, nor is a missing value. A row without a probability counts as one that does not flip. */
void flips_measure(const struct predictor *predictor, const struct table *table, const uint32_t *rows, size_t row_count,
                   double threshold, size_t threads, struct flips *out);
void flips_clear(struct flips *flips);

/* Whether the item is the sum over all rows and values of its column. */
bool flip_is_total(const struct flip *flip);
/* The largest share of decisions that flip, of the columns; NaN: there are none. */
double flips_most(const struct flips *flips);
