/* What a random forest is fitted to, how, and what a tree of it is. Plain data. */
#pragma once

#include <stdbool.h>

#include "trainer/ranks.h"

/* Features tried at each split: max_features. */
enum forest_features { FOREST_SQRT, FOREST_LOG2, FOREST_ALL, FOREST_COUNT, FOREST_FRACTION };
enum forest_weight { FOREST_EVEN, FOREST_BALANCED, FOREST_BALANCED_SUBSAMPLE };

/* Named as in scikit-learn. Plain data. */
struct forest_settings {
    unsigned n_estimators, min_samples_split, min_samples_leaf;
    unsigned max_depth; /* 0: none */
    enum forest_features feature_rule;
    double max_features; /* of FOREST_COUNT and FOREST_FRACTION */
    bool bootstrap;
    enum forest_weight class_weight;
    unsigned threads; /* at least 1; the trees do not depend on it */
    uint64_t seed;
};

/* Nodes of a tree in preorder: a branch's left child follows it. */
struct forest_node {
    uint32_t right; /* of a branch: index of the right child; 0: a leaf */
    float cover;    /* weighted training rows that came here */
    union {
        struct {
            uint32_t feature; /* of a branch: value <= threshold goes left */
            float threshold;
        };
        double share; /* of a leaf: the positive class's part of its weight */
    };
};

struct forest_tree {
    struct forest_node *nodes;
    size_t node_count;
};

struct forest_problem {
    const struct ranks *ranks;
    const uint8_t *labels; /* 0 or 1, one a row */
};

enum { FOREST_MOST_NODES = 1 << 22 }; /* as many as the scorer loads */
