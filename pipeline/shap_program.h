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
enum { SHAP_ROOM = 288 << 10 }; /* bytes that a walk keeps its state in */

/* A branch. Its first child is the left one if that is a branch, else the right one if that is, else the left leaf.
 * Values are relative: below a branch with one leaf, to that leaf's; only differences count. Preorder, first children
 * before second ones. */
struct shap_node {
    double known;      /* what the point t = 0 adds to each row's sum: P (first − second) there, weighed */
    double share;      /* of the rows that come here: those that go to the first child */
    double pull[2];    /* e of a row that goes left, right: 1 − share if to the first child, else −share */
    double leaf, rest; /* of leaves: the first, less the second; the second. 0: a branch */
    float threshold;   /* x ≤ threshold goes left */
    uint32_t slot;     /* of x */
    uint32_t column;   /* of the feature: place in shap->columns; one past the last: of none */
    uint32_t again;    /* place in the tree's list of shap_again; 0: not repeated */
    uint16_t above;    /* place (shap_edge) of the next edge above with the same feature; 0: none */
    uint16_t depth;    /* of the edge above; 0: the root */
    uint16_t ends;     /* nodes above that end with this one */
    bool last;         /* both children are leaves */
    bool both;         /* both are branches */
    bool second;       /* it is its parent's second child, and the first is a branch */
    bool repeated;     /* its feature comes again below */
};

/* The same for one row alone: level by level, those over two leaves behind all others. */
struct shap_single {
    double share, leaf, rest;
    float threshold;
    uint16_t slot, again, child[2]; /* first, second: its place in the tree; one past the last: a leaf */
    bool first_is_left;
};

/* A node of shap_single in the order in which nodes end: children before their parent. */
struct shap_end {
    double known;
    uint32_t column, node;
};

/* A node of shap_single whose feature stands on its path already, and the edge where it does. By `again`. */
struct shap_repeat {
    uint32_t node, above;
    bool left;
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
    uint32_t inner;        /* nodes of shap_single that are not over two leaves */
    uint32_t repeat;       /* first; of again_count */
    uint32_t points;       /* how many make the sums exact */
    uint32_t again_count;
    size_t again; /* first; a list of again_count for each chunk */
    size_t chunks;
    size_t chunk; /* points in a chunk */
};

typedef void shap_tree_walk(const struct shap *shap, const struct shap_tree *tree, size_t chunk, const float *x,
                            const float *last, double *contributions, void *room);

/* Walks for one instruction set. All give the same bits. */
struct shap_walk {
    size_t width;                                             /* rows at once: 4, 8 or 16 */
    shap_tree_walk *single;                                   /* one row, its sums `width` apart */
    shap_tree_walk *trees[SHAP_CHUNK - SHAP_CHUNK_LEAST + 1]; /* by points in a chunk */
};

struct shap {
    struct shap_node *nodes;
    struct shap_single *singles; /* by tree like the nodes */
    struct shap_end *ends;       /* likewise */
    struct shap_again *again;
    struct shap_repeat *repeats;
    struct shap_tree *trees;
    size_t tree_count, node_count, again_count, repeat_count;
    uint32_t *columns;
    size_t column_count;
    double base;
    bool all_small;                                                /* no tree has more than SHAP_SINGLE_NODES */
    struct shap_points points[SHAP_MAX_PATH / 2 + 1][SHAP_CHUNKS]; /* by the number of points */
    const struct shap_walk *walk;
};

/* Those that the processor runs, the widest last; their number. */
size_t shap_walks(const struct shap_walk *const **out);
