/* The body of struct shap, shared by who makes it (shap.c) and who runs it (shap_walk.c). Nobody else includes this. */
#pragma once

#include "pipeline/shap.h"

/* Points of a tree are walked four to eight at a time, each chunk of them with a table of its own. */
enum { SHAP_CHUNK = 8, SHAP_CHUNK_LEAST = 4, SHAP_CHUNKS = SHAP_MAX_PATH / 2 / 4, SHAP_MAX_DEPTH = 2 * SHAP_MAX_PATH };
enum { SHAP_LANES = FEATURE_LANES, SHAP_SUMS = (SHAP_MAX_COLUMNS + 1) * SHAP_LANES };
/* So few rows go one by one, without recursion, where no tree has more branches than these. */
enum { SHAP_FEW_ROWS = 4, SHAP_SINGLE_NODES = 512 };

/* A branch. Preorder: a left child that is no leaf stands right after its parent. */
struct shap_node {
    double share;      /* of the rows that come here: those that go left */
    double leaf[2];    /* left, right: value, where that child is a leaf */
    uint32_t child[2]; /* the node, from the tree's first; 0: a leaf */
    float threshold;   /* x ≤ threshold goes left */
    uint32_t slot;     /* of x */
    uint32_t column;   /* of the feature: place in shap->columns; one past the last: of none */
    uint16_t above;    /* depth of the next edge above with the same feature; 0: none */
    uint16_t depth;    /* of the edge above; 0: the root */
    bool last;         /* both children are leaves */
    uint32_t again;    /* with `above`: place in the tree's list of shap_again */
};

/* What a branch on a feature that stands on its path already needs to know, for one chunk of points; r: the share of
 * rows that pass all conditions on the feature above, f = t + (1 − t) r. */
struct shap_again {
    double pull[SHAP_CHUNK]; /* t / f: in place of t */
    double gain[SHAP_CHUNK]; /* r / f²: in place of 1 */
};

/* A chunk of the points of Gauss and Legendre on 0 … 1, of those that a tree needs. Unused ones weigh 0. */
struct shap_points {
    double at[SHAP_CHUNK], weight[SHAP_CHUNK];
};

struct shap_tree {
    uint32_t first, count; /* nodes; count 0: a leaf alone */
    uint32_t points;       /* how many make the sums exact */
    uint32_t again_count;
    size_t again; /* first; a list of again_count for each chunk */
    size_t chunks;
    size_t chunk; /* points in a chunk */
};

typedef void shap_tree_walk(const struct shap *shap, const struct shap_tree *tree, size_t chunk, const float *x,
                            double *contributions);

/* Walks for one instruction set. All give the same bits. */
struct shap_walk {
    size_t width;                                             /* rows at once: 2, 4 or 8 */
    shap_tree_walk *single;                                   /* one row, its sums `width` apart */
    shap_tree_walk *trees[SHAP_CHUNK - SHAP_CHUNK_LEAST + 1]; /* by points in a chunk */
};

struct shap {
    struct shap_node *nodes;
    struct shap_again *again;
    struct shap_tree *trees;
    size_t tree_count, node_count, again_count;
    uint32_t *columns;
    size_t column_count;
    double base;
    bool all_small;                                                /* no tree has more than SHAP_SINGLE_NODES */
    struct shap_points points[SHAP_MAX_PATH / 2 + 1][SHAP_CHUNKS]; /* by the number of points */
    const struct shap_walk *walk;
};

/* The widest that the processor runs. */
const struct shap_walk *shap_walk_choose(void);
