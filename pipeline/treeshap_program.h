/* The body of struct treeshap, shared by who makes it (treeshap.c) and who runs it (treeshap_rows.c). Nobody else
 * includes this. */
#pragma once

#include "pipeline/treeshap.h"

/* Points of a tree are walked two to eight at a time, each chunk of them with a table of its own. */
enum {
    TREESHAP_CHUNK = 8,
    TREESHAP_CHUNK_LEAST = 2,
    TREESHAP_CHUNKS = TREESHAP_MAX_PATH / 2 / 4,
    TREESHAP_MAX_DEPTH = 2 * TREESHAP_MAX_PATH
};
#define TREESHAP_PARTS(points) ((points) <= 5 ? 2 : 1) /* vectors of rows that a walk takes at once */
enum { TREESHAP_EDGES = 2 * (TREESHAP_MAX_DEPTH + 1) };
enum { TREESHAP_LANES = FEATURE_LANES, TREESHAP_SUMS = (TREESHAP_MAX_COLUMNS + 1) * 2 * TREESHAP_LANES };
/* So few rows go one by one, without recursion, where no tree has more branches than these. */
enum { TREESHAP_FEW_ROWS = 4, TREESHAP_SINGLE_NODES = 1024 };
enum { TREESHAP_ROOM = 288 << 10 }; /* bytes that a walk keeps its state in */

/* A branch. Its first child is the left one if that is a branch, else the right one if that is, else the left leaf.
 * Values are relative: below a branch with one leaf, to that leaf's; only differences count. Preorder, first children
 * before second ones. */
struct treeshap_node {
    double known;      /* what the point t = 0 adds to each row's sum: P (first − second) there, weighed */
    double share;      /* of the rows that come here: those that go to the first child */
    double pull[2];    /* e of a row that goes left, right: 1 − share if to the first child, else −share */
    double leaf, rest; /* of leaves: the first, less the second; the second. 0: a branch */
    float threshold;   /* x ≤ threshold goes left */
    uint16_t slot;     /* of x */
    uint16_t column;   /* of the feature: place in shap->columns; one past the last: of none */
    uint32_t again;    /* place in the tree's list of treeshap_again, nodes may share it; 0: not repeated */
    uint16_t above;    /* place (treeshap_edge) of the next edge above with the same feature; 0: none */
    uint16_t depth;    /* of the edge above; 0: the root */
    uint16_t ends;     /* nodes above that end with this one */
    bool last;         /* both children are leaves */
    bool both;         /* both are branches */
    bool second;       /* it is its parent's second child, and the first is a branch */
    bool repeated;     /* its feature comes again below */
};

/* The same for one row alone: level by level, those over two leaves behind all others. */
struct treeshap_single {
    double share, leaf, rest;
    uint16_t again, child[2]; /* first, second: its place in the tree × TREESHAP_CHUNK; one past the last: a leaf */
};

/* What four nodes of treeshap_single, side by side, ask of a row. */
enum { TREESHAP_TESTS = 4 };
struct treeshap_tests {
    double share[TREESHAP_TESTS], known[TREESHAP_TESTS];
    float threshold[TREESHAP_TESTS];
    int32_t slot[TREESHAP_TESTS];  /* × TREESHAP_LANES */
    int32_t right[TREESHAP_TESTS]; /* −1: the first child is the right one; else 0 */
};

/* A node of treeshap_single in the order in which nodes end: children before their parent. */
struct treeshap_end {
    uint16_t column, node;
};

/* A node of treeshap_single whose feature stands on its path already, and the edge where it does. By `again`. */
struct treeshap_repeat {
    uint32_t node, above;
    int32_t left; /* −1: the edge is the left one; else 0 */
};

/* An edge's place among those that a node's path may use: by its depth, left and right side by side. */
static inline size_t treeshap_edge(size_t depth, size_t side)
{
    return 2 * depth + side;
}

/* What a branch on a feature that stands on its path already needs to know, for one chunk of points; r: the share of
 * rows that pass all conditions on the feature above, f = t + (1 − t) r. With r = 1: t and 1. */
struct treeshap_again {
    double pull[TREESHAP_CHUNK]; /* t / f: in place of t */
    double gain[TREESHAP_CHUNK]; /* r / f²: in place of 1 */
};

/* A chunk of Radau's points on 0 … 1, without the point 0, of those that a tree needs. Unused ones weigh 0. */
struct treeshap_points {
    double at[TREESHAP_CHUNK], weight[TREESHAP_CHUNK];
};

struct treeshap_tree {
    uint32_t first, count; /* nodes; count 0: a leaf alone */
    uint32_t inner;        /* nodes of treeshap_single that are not over two leaves */
    uint32_t repeat;       /* first; of again_count */
    uint32_t tests;        /* first */
    uint32_t points;       /* how many make the sums exact */
    uint32_t again_count;
    size_t again; /* first; a list of again_count for each chunk */
    size_t chunks;
    size_t chunk; /* points in a chunk */
};

typedef void treeshap_tree_walk(const struct treeshap *shap, const struct treeshap_tree *tree, size_t chunk,
                                const float *x, const float *last, double *contributions, void *room);

/* Walks for one instruction set. All give the same bits. */
struct treeshap_walk {
    size_t width;                                                         /* rows at once: 4, 8 or 16 */
    treeshap_tree_walk *single;                                           /* one row, its sums `width` apart */
    treeshap_tree_walk *trees[TREESHAP_CHUNK - TREESHAP_CHUNK_LEAST + 1]; /* by points in a chunk */
};

struct treeshap {
    struct treeshap_node *nodes;
    struct treeshap_single *singles; /* by tree like the nodes */
    struct treeshap_tests *tests;
    struct treeshap_end *ends; /* by tree like the nodes */
    struct treeshap_again *again;
    struct treeshap_repeat *repeats;
    struct treeshap_tree *trees;
    size_t tree_count, node_count, test_count, again_count, repeat_count;
    uint32_t *columns;
    size_t column_count;
    double base;
    bool all_small; /* no tree has more than TREESHAP_SINGLE_NODES; else there are no singles, tests, ends, repeats */
    struct treeshap_points points[TREESHAP_MAX_PATH / 2 + 1][TREESHAP_CHUNKS]; /* by the number of points */
    const struct treeshap_walk *walk;
};

/* Those that the processor runs, the widest last; their number. */
size_t treeshap_walks(const struct treeshap_walk *const **out);
