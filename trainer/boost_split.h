/* The best split of a leaf, column by column: inside of boost_tree.c. */
#pragma once

#include "trainer/boost_model.h"

/* Sums of both derivatives: [0] first, [1] second. */
typedef double boost_sums __attribute__((vector_size(16)));

struct boost_split {
    double gain; /* what the loss falls by; not above 0: no split */
    boost_sums left;
    uint32_t column;
    uint8_t code; /* of a number: the last that goes left */
    bool missing_left;
    uint64_t set[BINS_MOST / 64]; /* of a nominal */
};

/* What a leaf's splits are looked for with. Borrowed. */
struct boost_search {
    const struct bins *bins;
    const struct boost_settings *settings;
    const struct boost_sets *sets;
    bool monotone;    /* some column is: weights keep within low and high */
    double low, high; /* of the leaf's weight, before shrinkage */
    boost_sums total; /* of the leaf */
    double score;     /* of the leaf unsplit */
};

/* −G / (H + λ), within the bounds. */
double boost_weight(const struct boost_search *search, boost_sums sums);
/* Sets what splits are compared with; once total and bounds are set. */
void boost_search_begin(struct boost_search *search);
/* Looks for a better split than *best in one column; `histogram`: the leaf's sums by code of that column. */
void boost_search_column(const struct boost_search *search, size_t column, const boost_sums *histogram,
                         struct boost_split *best);
