/* The lists of a tree operator while they are checked: what ensemble_lists.c reads, ensemble_apart.c or ensemble_sets.c
 * and ensemble.c turn into struct ensemble. At load only. Nobody else includes this. */
#pragma once

#include <stdlib.h>

#include "base/memory.h"
#include "pipeline/ensemble.h"

/* Numbers of an attribute that may be a list of floats or, as NAME_as_tensor, a tensor of doubles. */
struct number_list {
    const float *floats;
    const double *doubles;
    size_t count;
};

static inline double number_list_at(const struct number_list *list, size_t n)
{
    return list->floats ? (double)list->floats[n] : list->doubles[n];
}

/* What a node asks of x; the numbers are TreeEnsemble's (ai.onnx.ml 5). */
enum node_mode { NODE_LEQ, NODE_LT, NODE_GTE, NODE_GT, NODE_EQ, NODE_NEQ, NODE_MEMBER, NODE_LEAF };

/* Numbers that a MEMBER node compares with. */
struct node_set {
    const double *values;
    size_t count;
};

struct node_key {
    int64_t tree, node;
    uint32_t at; /* index in the lists */
};

/* TreeEnsemble's own lists, of branches and of leaves. */
struct apart {
    const int64_t *features, *trues, *falses, *true_leaves, *false_leaves, *missing, *targets, *roots;
    const double *modes, *splits, *weights;
    struct node_set *sets; /* by branch; NULL: none */
    size_t count, leaf_count, root_count;
};

struct reading {
    struct operation *operation;
    struct ensemble *ensemble;
    struct arena scratch; /* what is not needed any more once the ensemble is there */
    bool targets;         /* a regressor's: scores, not classes */
    size_t target_count;  /* then */
    size_t feature_count; /* of the operator's input */
    const int64_t *trees, *ids, *features, *trues, *falses, *missing; /* missing: NULL where the file has none */
    const uint8_t *modes;                                             /* enum node_mode */
    const struct node_set *sets;                                      /* by node; NULL: no MEMBER */
    const uint32_t *set_features; /* by node: the input that says whether x is in its set; NULL: no such node */
    struct number_list thresholds, weights;
    const int64_t *weight_trees, *weight_ids, *weight_classes;
    const int64_t *places; /* of a TreeEnsemble: the branches' ids; NULL: ids are the file's */
    size_t place_count;
    size_t count;
    bool placed;                   /* the ensemble's trees are there already; of the lists, only weights are */
    bool by_place;                 /* ids are places in the lists, and keys is NULL */
    struct node_key *keys;         /* sorted by tree and node */
    double (*values)[CLASS_COUNT]; /* by index in the lists */
    uint8_t *weighted;             /* bit per class */
    uint32_t *order;               /* of one tree: index of each laid-out node */
};

/* Lists of nodes that are made of the file's; as in the reading. */
struct node_lists {
    int64_t *trees, *ids, *features, *trues, *falses, *missing;
    uint8_t *modes;
    double *thresholds;
    struct node_set *sets;
    size_t count;
};

static inline void ensemble_nodes_take(struct reading *reading, const struct node_lists *made)
{
    reading->trees = made->trees;
    reading->ids = made->ids;
    reading->features = made->features;
    reading->trues = made->trues;
    reading->falses = made->falses;
    reading->missing = made->missing;
    reading->modes = made->modes;
    reading->sets = made->sets;
    reading->thresholds = (struct number_list){.doubles = made->thresholds, .count = made->count};
    reading->count = made->count;
}

/* For qsort and bsearch. */
static inline int ensemble_key_order(const void *a, const void *b)
{
    const struct node_key *left = (const struct node_key *)a, *right = (const struct node_key *)b;
    if (left->tree != right->tree)
        return left->tree < right->tree ? -1 : 1;
    return (left->node > right->node) - (left->node < right->node);
}

/* What the file calls branch n. For messages: looks through all places. */
static inline long long ensemble_node_name(const struct reading *reading, size_t n)
{
    for (size_t b = 0; b < reading->place_count; b++)
        if (reading->places[b] == reading->ids[n])
            return (long long)b;
    return (long long)reading->ids[n];
}

/* The index in the lists, or count; by the sorted keys where ids are not places. */
static inline size_t ensemble_node_find(const struct reading *reading, int64_t tree, int64_t node)
{
    if (reading->by_place)
        return node >= 0 && (uint64_t)node < reading->count && reading->trees[node] == tree ? (size_t)node
                                                                                            : reading->count;
    const struct node_key key = {tree, node, 0};
    const struct node_key *found =
        (const struct node_key *)bsearch(&key, reading->keys, reading->count, sizeof key, ensemble_key_order);
    return found ? found->at : reading->count;
}

/* The lists of nodes and weights, checked for their lengths, in the pool's arena or the file's. */
MUST_USE enum status ensemble_lists_read(struct reading *reading);
/* Lays out a TreeEnsemble whose branches all ask x ≤ t, without other lists: several times the memory. False: it is not
 * as simple as that, or something is wrong, which whoever reads it by lists says. */
bool ensemble_apart_place(struct reading *reading, const struct apart *apart);
MUST_USE enum status ensemble_numbers_read(struct reading *reading, const char *name, const char *tensor_name,
                                           struct number_list *out);
/* Exporters write "x is one of a, b, c" as a chain of BRANCH_EQ nodes that share the child for yes: makes one MEMBER
 * node of each. The keys must be sorted, and are not any more where *merged. */
MUST_USE enum status ensemble_chains_merge(struct reading *reading, bool *merged);
/* Gives the nodes that ask whether x is one of some numbers an input of their own, 1 where it is, else 0. */
MUST_USE enum status ensemble_sets_add(struct reading *reading);
