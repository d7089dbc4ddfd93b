/* The body of struct shap, shared by who makes it (shap.c) and who runs it (shap_walk.c). Nobody else includes this. */
#pragma once

#include "pipeline/shap.h"

/* Points of a tree are walked two to eight at a time, each chunk of them with a table of its own. */
enum { SHAP_CHUNK = 8, SHAP_CHUNK_LEAST = 2, SHAP_CHUNKS = SHAP_MAX_PATH / 2 / 4, SHAP_MAX_DEPTH = 2 * SHAP_MAX_PATH };
#define SHAP_PARTS(points) ((points) <= 5 ? 2 : 1) /* vectors of rows that a walk takes at once */
enum { SHAP_EDGES = 2 * (SHAP_MAX_DEPTH + 1) };
enum { SHAP_LANES = FEATURE_LANES, SHAP_SUMS = (SHAP_MAX_COLUMNS + 1) * 2 * SHAP_LANES };
/* So few rows go one by one, without recursion, where no tree has more branches than these. */
enum { SHAP_FEW_ROWS = 4, SHAP_SINGLE_NODES = 1024 };

/* A branch. Preorder: a left child that is no leaf stands right after its parent. */
struct shap_node {
    double known;      /* what the point t = 0 adds to each row's sum: P (left − right) there, weighed */
    double share;      /* of the rows that come here: those that go left */
    double leaf[2];    /* left, right: value, where that child is a leaf */
    uint32_t child[2]; /* the node, from the tree's first; 0: a leaf */
    float threshold;   /* x ≤ threshold goes left */
    uint32_t slot;     /* of x */
    uint32_t column;   /* of the feature: place in shap->columns; one past the last: of none */
    uint32_t again;    /* place in the tree's list of shap_again; 0: not repeated */
    uint16_t above;    /* place (shap_edge) of the next edge above with the same feature; 0: none */
    uint16_t depth;    /* of the edge above; 0: the root */
    uint8_t inner[2];  /* 255: that child is a branch; 0: a leaf */
    bool last;         /* both children are leaves */
};

/* An edge's place among those that a node's path may use: by its depth, left and right side by side. */
static inline size_t shap_edge(size_t depth, size_t side)
{
    return 2 * depth + side;
}

/* What a branch on a feature that stands on its path already needs to know, for one chunk of points; r: the share of
 * rows that pass all conditions on the feature above, f = t + (1 − t) r. With r = 1: t and 1. */
struct shap_again {
    double pull[SHAP_CHUNK]; /* t / f: in place of t */
    double gain[SHAP_CHUNK]; /* r / f²: in place of 1 */
};

/* A chunk of Radau's points on 0 … 1, without the point 0, of those that a tree needs. Unused ones weigh 0. */
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
                            const float *last, double *contributions);

/* Walks for one instruction set. All give the same bits. */
struct shap_walk {
    size_t width;                                             /* rows at once: 4, 8 or 16 */
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

/* Those that the processor runs, the widest last; their number. */
size_t shap_walks(const struct shap_walk *const **out);
