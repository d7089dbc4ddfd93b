/* A tree operator's ensemble, checked: every tree's nodes breadth-first from its root, siblings side by side, and every
 * comparison turned into one form. Plain data in the pool's arena, read-only once built. */
#pragma once

#include "pipeline/operators.h"

enum { ENSEMBLE_MAX_NODES = 1 << 22, ENSEMBLE_MAX_TREES = 1 << 16, TREE_MAX_NODES = 1 << 20, TREE_MAX_DEPTH = 1024 };

/* x ≤ threshold goes left, else right; NaN goes where missing_left says. */
struct tree_node {
    uint32_t left;   /* index within the tree; right is left + 1; 0: a leaf */
    uint32_t source; /* position in the file's lists */
    union {
        struct {              /* of a branch */
            double threshold; /* of the input's type */
            uint32_t feature; /* place in struct ensemble's inputs */
            bool missing_left;
        };
        double value[CLASS_COUNT]; /* leaf: what it adds to each class's score; binary: to value[0] alone */
    };
};

struct ensemble {
    enum dtype dtype; /* of the input and of the sums: float or double */
    bool binary;      /* one score; else one for each class */
    bool logistic;    /* probability = sigmoid(score), else the score itself */
    bool raw;         /* some weight < 0 without a sigmoid: ± the score, no probabilities; binary alone */
    double base;      /* added to the score at the end */
    size_t tree_count, node_count;
    const uint32_t *starts; /* tree t: nodes[starts[t]] (its root) up to nodes[starts[t + 1]] */
    const uint16_t *depths; /* of each tree: steps from the root to its deepest leaf */
    const struct tree_node *nodes;
    const uint32_t *inputs;  /* the expressions that it reads, by feature */
    const uint32_t *players; /* by feature: whose part its reasons are; NULL: its own (see ensemble_sets.c) */
    size_t input_count;
};

/* The sigmoid of a score of trees as an ensemble's own, and 1 − a share of trees as the other class's; EXPR_NONE: it is
 * none of those. */
uint32_t ensemble_link(struct expr_pool *pool, uint32_t score);
uint32_t ensemble_other_class(struct expr_pool *pool, uint32_t share);
