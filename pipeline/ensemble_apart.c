/* A TreeEnsemble (ai.onnx.ml 5) as the trainer writes it, each of whose branches asks x ≤ t, → the trees of struct
 * ensemble. Called by ensemble_lists.c, at load only. Takes a number a branch besides the trees themselves, where the
 * older operators' lists, which any other tree operator is read by, take ten a node. Must never lay out what
 * those lists would refuse: they read it then and say why. */
#include "pipeline/ensemble_reading.h"

#include <math.h>
#include <stdlib.h>

struct placing {
    const struct apart *apart;
    struct ensemble *ensemble;
    size_t target_count;
    uint32_t *places;  /* by branch: its place in the lists that these would become, plus 1; 0: not reached */
    uint32_t *waiting; /* branches still to be reached */
    bool *used;        /* by leaf */
    size_t branch_count, node_count;
    bool regular;
};

static bool branch_is_regular(const struct apart *apart, size_t feature_count, size_t b)
{
    double threshold = apart->splits[b];
    return apart->modes[b] == NODE_LEQ && !isnan(threshold) && threshold != -INFINITY && apart->features[b] >= 0 &&
           (uint64_t)apart->features[b] < feature_count;
}

static bool leaf_is_regular(const struct apart *apart, size_t target_count, size_t l)
{
    return isfinite(apart->weights[l]) && apart->targets[l] >= 0 && (uint64_t)apart->targets[l] < target_count;
}

static bool apart_is_regular(const struct reading *reading, const struct apart *apart)
{
    bool regular = apart->root_count > 0 && apart->root_count <= ENSEMBLE_MAX_TREES &&
                   2 * apart->count + apart->root_count <= ENSEMBLE_MAX_NODES;
    for (size_t b = 0; b < apart->count && regular; b++)
        regular = branch_is_regular(apart, reading->feature_count, b);
    for (size_t l = 0; l < apart->leaf_count && regular; l++)
        regular = leaf_is_regular(apart, reading->target_count, l);
    return regular;
}

/* A child of a branch: a leaf takes a place behind it, a branch waits. */
static void child_reach(struct placing *placing, bool leaf, int64_t child, size_t *waiting)
{
    size_t count = leaf ? placing->apart->leaf_count : placing->apart->count;
    if (child < 0 || (uint64_t)child >= count || *waiting >= placing->apart->count) {
        placing->regular = false;
    } else if (leaf) {
        placing->used[child] = true;
        placing->node_count++;
    } else {
        placing->waiting[(*waiting)++] = (uint32_t)child;
    }
}

/* Gives all of a tree their places: a branch, its leaves behind it, then what is below, yes before no. */
static void tree_reach(struct placing *placing, int64_t root)
{
    const struct apart *apart = placing->apart;
    size_t waiting = 0;
    child_reach(placing, false, root, &waiting);
    while (waiting > 0 && placing->regular) {
        uint32_t b = placing->waiting[--waiting];
        placing->regular = placing->places[b] == 0;
        placing->places[b] = (uint32_t)++placing->node_count;
        placing->branch_count++;
        child_reach(placing, apart->false_leaves[b], apart->falses[b], &waiting);
        child_reach(placing, apart->true_leaves[b], apart->trues[b], &waiting);
    }
}

/* Every branch and leaf once, `starts` by tree. */
static bool trees_reach(struct placing *placing, uint32_t *starts)
{
    const struct apart *apart = placing->apart;
    for (size_t t = 0; t < apart->root_count && placing->regular; t++) {
        starts[t] = (uint32_t)placing->node_count;
        tree_reach(placing, apart->roots[t]);
        placing->regular = placing->regular && placing->node_count - starts[t] <= TREE_MAX_NODES;
    }
    starts[apart->root_count] = (uint32_t)placing->node_count;
    for (size_t l = 0; l < apart->leaf_count && placing->regular; l++)
        placing->regular = placing->used[l];
    return placing->regular && placing->branch_count == apart->count;
}

/* `place`: of a leaf. A branch has its number in `left`, plus 1, until its own children are laid out. */
static void child_place(const struct placing *placing, bool leaf, int64_t child, uint32_t place, struct tree_node *node)
{
    if (leaf) {
        node->source = place;
        node->value[placing->apart->targets[child]] = placing->apart->weights[child];
    } else {
        node->source = placing->places[child] - 1;
        node->left = (uint32_t)child + 1;
    }
}

/* Breadth-first. False: too deep. */
static bool tree_place(const struct placing *placing, int64_t root, struct tree_node *nodes, uint16_t *depth)
{
    const struct apart *apart = placing->apart;
    uint32_t count = 1, level_end = 1;
    size_t levels = 0;
    child_place(placing, false, root, 0, nodes);
    for (uint32_t i = 0; i < count; i++) {
        if (i == level_end) {
            level_end = count;
            levels++;
        }
        if (!nodes[i].left)
            continue;
        size_t b = nodes[i].left - 1;
        nodes[i].threshold = apart->splits[b];
        nodes[i].feature = (uint32_t)apart->features[b];
        nodes[i].missing_left = apart->missing && apart->missing[b];
        nodes[i].left = count;
        uint32_t place = nodes[i].source + 1;
        child_place(placing, apart->true_leaves[b], apart->trues[b], place, &nodes[count]);
        child_place(placing, apart->false_leaves[b], apart->falses[b], place + (apart->true_leaves[b] != 0),
                    &nodes[count + 1]);
        count += 2;
    }
    *depth = (uint16_t)levels;
    return levels <= TREE_MAX_DEPTH;
}

static bool trees_place(struct placing *placing, struct expr_pool *pool, uint32_t *starts)
{
    const struct apart *apart = placing->apart;
    struct ensemble *ensemble = placing->ensemble;
    if (!expr_pool_room(pool, placing->node_count, sizeof *ensemble->nodes))
        return true; /* reported by the caller */
    struct tree_node *nodes = expr_pool_take(pool, placing->node_count, sizeof *nodes);
    uint16_t *depths = expr_pool_take(pool, apart->root_count, sizeof *depths);
    ensemble->nodes = nodes;
    ensemble->starts = starts;
    ensemble->depths = depths;
    ensemble->node_count = placing->node_count;
    ensemble->tree_count = apart->root_count;
    ensemble->binary = placing->target_count == 1;
    for (size_t t = 0; t < apart->root_count; t++)
        if (!tree_place(placing, apart->roots[t], nodes + starts[t], &depths[t]))
            return false;
    return true;
}

bool ensemble_apart_place(struct reading *reading, const struct apart *apart)
{
    struct expr_pool *pool = reading->operation->pool;
    if (!apart_is_regular(reading, apart))
        return false;
    struct placing placing = {.apart = apart,
                              .ensemble = reading->ensemble,
                              .target_count = reading->target_count,
                              .places = mem_zeroed(apart->count, sizeof *placing.places),
                              .waiting = mem_zeroed(apart->count, sizeof *placing.waiting),
                              .used = mem_zeroed(apart->leaf_count, sizeof *placing.used),
                              .regular = true};
    uint32_t *starts = expr_pool_take(pool, apart->root_count + 1, sizeof *starts);
    reading->placed = trees_reach(&placing, starts) && trees_place(&placing, pool, starts);
    reading->weights = (struct number_list){.doubles = apart->weights, .count = apart->leaf_count};
    free(placing.places);
    free(placing.waiting);
    free(placing.used);
    return reading->placed;
}
