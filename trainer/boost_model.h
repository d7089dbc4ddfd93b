/* What a boosted model is made of, and how it is to be grown. Plain data. */
#pragma once

#include "trainer/bins.h"

/* Named as in XGBoost's and LightGBM's scikit-learn interfaces. */
struct boost_settings {
    unsigned n_estimators;          /* 0: as many as early stopping finds */
    unsigned max_depth, max_leaves; /* 0: no bound */
    unsigned max_bin, early_stopping_rounds;
    double learning_rate, min_child_weight, reg_lambda, min_split_gain, subsample, colsample_bytree;
    unsigned threads; /* at least 1; no tree depends on it */
    uint64_t seed;
};

/* Categories of one column that a node sends to the left; bit 0: the missing one. */
struct boost_set {
    uint32_t column;
    uint64_t codes[BINS_MOST / 64];
};

/* All that a model's nodes use, each once: a feature of the file each, so there is a limit. */
struct boost_sets {
    struct boost_set *items;
    size_t count, capacity;
};
enum { BOOST_SETS_MOST = 768 };

static inline bool boost_set_has(const struct boost_set *set, uint8_t code)
{
    return set->codes[code / 64] >> (code % 64) & 1;
}

struct boost_node {
    uint32_t left, right; /* of a branch; left 0: a leaf */
    uint32_t column;      /* of the bins */
    uint32_t set;         /* of a nominal: which set goes left */
    uint32_t rows;        /* of a leaf: training rows that come here */
    float threshold;      /* of a number: value <= threshold goes left; as codes: <= code */
    float weight;         /* of a leaf: what it adds to the margin */
    uint8_t code;
    bool nominal, missing_left;
};

struct boost_tree {
    struct boost_node *nodes;
    size_t node_count;
};

/* First and second derivative of a row's loss by its margin. */
struct boost_gradient {
    float first, second;
};
