/* A tree operator's attributes → the lists of struct reading. Called by ensemble.c, at load only. TreeEnsemble's lists
 * (ai.onnx.ml 5), where leaves stand apart and have no ids, become those of the older operators, unless they are simple
 * enough to be laid out as they are (ensemble_apart.c). Must stay bounded by
 * the file's size: a node that two others share is refused, a leaf that is shared is copied. */
#include "pipeline/ensemble_reading.h"

#include <math.h>
#include <stdlib.h>

static enum status invalid(struct reading *reading, const char *what)
{
    return operation_invalid(reading->operation, what);
}

static enum status ints_read(struct reading *reading, const char *name, size_t count, const int64_t **out)
{
    const struct onnx_attribute *attribute = onnx_attribute_find(reading->operation->node, name);
    if (!attribute || attribute->type != ATTRIBUTE_INTS || attribute->count != count)
        return error_set(reading->operation->err, STATUS_INVALID,
                         "%s is not a list of %zu integers: export the model again", name, count);
    *out = attribute->ints;
    return STATUS_OK;
}

static enum status tensor_read(struct reading *reading, const char *name, struct number_list *out)
{
    const struct onnx_attribute *tensor = onnx_attribute_find(reading->operation->node, name);
    if (!tensor)
        return STATUS_OK;
    if (tensor->type != ATTRIBUTE_TENSOR || tensor->tensor->dtype != reading->ensemble->dtype)
        return operation_unsupported(reading->operation, name);
    *out = (struct number_list){.doubles = tensor->tensor->numbers, .count = tensor->tensor->count};
    return STATUS_OK;
}

enum status ensemble_numbers_read(struct reading *reading, const char *name, const char *tensor_name,
                                  struct number_list *out)
{
    const struct onnx_attribute *list = onnx_attribute_find(reading->operation->node, name);
    *out = (struct number_list){0};
    if (!list || list->type != ATTRIBUTE_FLOATS || list->count == 0)
        return tensor_read(reading, tensor_name, out);
    *out = (struct number_list){.floats = list->floats, .count = list->count};
    return onnx_attribute_find(reading->operation->node, tensor_name) ? invalid(reading, tensor_name) : STATUS_OK;
}

static enum status count_check(struct reading *reading, size_t count)
{
    if (count == 0)
        return invalid(reading, "no nodes");
    if (count > ENSEMBLE_MAX_NODES)
        return error_set(reading->operation->err, STATUS_LIMIT, "%zu nodes, more than %d", count, ENSEMBLE_MAX_NODES);
    return STATUS_OK;
}

/* "BRANCH_LEQ" and so on. */
static enum status modes_read(struct reading *reading)
{
    static const struct span NAMES[] = {[NODE_LEQ] = SPAN_LITERAL("BRANCH_LEQ"),
                                        [NODE_LT] = SPAN_LITERAL("BRANCH_LT"),
                                        [NODE_GTE] = SPAN_LITERAL("BRANCH_GTE"),
                                        [NODE_GT] = SPAN_LITERAL("BRANCH_GT"),
                                        [NODE_EQ] = SPAN_LITERAL("BRANCH_EQ"),
                                        [NODE_NEQ] = SPAN_LITERAL("BRANCH_NEQ"),
                                        [NODE_MEMBER] = SPAN_NULL,
                                        [NODE_LEAF] = SPAN_LITERAL("LEAF")};
    const struct onnx_attribute *given = onnx_attribute_find(reading->operation->node, "nodes_modes");
    if (count_check(reading, given && given->type == ATTRIBUTE_TEXTS ? given->count : 0) != STATUS_OK)
        return reading->operation->err->status;
    uint8_t *modes = expr_pool_take(reading->operation->pool, given->count, sizeof *modes);
    for (size_t n = 0; n < given->count; n++) {
        while (modes[n] <= NODE_LEAF && !span_equal(given->texts[n], NAMES[modes[n]]))
            modes[n]++;
        if (modes[n] > NODE_LEAF || modes[n] == NODE_MEMBER)
            return error_set(reading->operation->err, STATUS_UNSUPPORTED,
                             "nodes_modes '%.*s': this form is not supported (docs/MODELS.md)",
                             (int)(given->texts[n].bytes < 20 ? given->texts[n].bytes : 20), given->texts[n].data);
    }
    reading->modes = modes;
    reading->count = given->count;
    return STATUS_OK;
}

static enum status nodes_read(struct reading *reading)
{
    enum status status = modes_read(reading);
    if (status == STATUS_OK)
        status = ensemble_numbers_read(reading, "nodes_values", "nodes_values_as_tensor", &reading->thresholds);
    if (status == STATUS_OK && reading->thresholds.count != reading->count)
        status = invalid(reading, "nodes_values of another length than nodes_modes");
    const struct {
        const char *name;
        const int64_t **list;
    } LISTS[] = {{"nodes_treeids", &reading->trees},       {"nodes_nodeids", &reading->ids},
                 {"nodes_featureids", &reading->features}, {"nodes_truenodeids", &reading->trues},
                 {"nodes_falsenodeids", &reading->falses}, {"nodes_missing_value_tracks_true", &reading->missing}};
    for (size_t l = 0; l < sizeof LISTS / sizeof *LISTS && status == STATUS_OK; l++) {
        const struct onnx_attribute *given = onnx_attribute_find(reading->operation->node, LISTS[l].name);
        bool optional = LISTS[l].list == &reading->missing && (!given || given->count == 0);
        if (!optional)
            status = ints_read(reading, LISTS[l].name, reading->count, LISTS[l].list);
    }
    return status;
}

/* The weights' lists begin with `class` or, of regressors, `target`. */
static enum status weights_read(struct reading *reading)
{
    bool targets = reading->targets;
    enum status status =
        ensemble_numbers_read(reading, targets ? "target_weights" : "class_weights",
                              targets ? "target_weights_as_tensor" : "class_weights_as_tensor", &reading->weights);
    if (status == STATUS_OK)
        status = ints_read(reading, targets ? "target_treeids" : "class_treeids", reading->weights.count,
                           &reading->weight_trees);
    if (status == STATUS_OK)
        status = ints_read(reading, targets ? "target_nodeids" : "class_nodeids", reading->weights.count,
                           &reading->weight_ids);
    if (status == STATUS_OK)
        status =
            ints_read(reading, targets ? "target_ids" : "class_ids", reading->weights.count, &reading->weight_classes);
    return status;
}

/* What it becomes, `count` so far. */
struct joined {
    struct node_lists nodes;
    int64_t *weight_trees, *weight_ids, *weight_classes;
    int64_t *places; /* by branch: where it stands */
    double *weights;
    size_t weight_count;
};

static enum status apart_numbers(struct reading *reading, const char *name, enum dtype dtype, size_t count,
                                 const double **out)
{
    const struct onnx_attribute *tensor = onnx_attribute_find(reading->operation->node, name);
    if (!tensor || tensor->type != ATTRIBUTE_TENSOR || tensor->tensor->dtype != dtype ||
        (count != SIZE_MAX && tensor->tensor->count != count))
        return invalid(reading, name);
    *out = tensor->tensor->numbers;
    return STATUS_OK;
}

/* One set for each MEMBER node, NaN after each. */
static enum status apart_sets(struct reading *reading, struct apart *apart)
{
    const double *values = NULL;
    size_t at = 0, asked = 0;
    for (size_t n = 0; n < apart->count; n++)
        asked += apart->modes[n] == NODE_MEMBER;
    if (asked == 0)
        return STATUS_OK;
    if (apart_numbers(reading, "membership_values", reading->ensemble->dtype, SIZE_MAX, &values) != STATUS_OK)
        return reading->operation->err->status;
    size_t count = onnx_attribute_find(reading->operation->node, "membership_values")->tensor->count;
    apart->sets = expr_pool_take(reading->operation->pool, apart->count, sizeof *apart->sets);
    for (size_t n = 0; n < apart->count; n++) {
        if (apart->modes[n] != NODE_MEMBER)
            continue;
        if (at >= count)
            return invalid(reading, "membership_values with fewer sets than nodes of mode BRANCH_MEMBER");
        size_t end = at;
        while (end < count && !isnan(values[end]))
            end++;
        apart->sets[n] = (struct node_set){values + at, end - at};
        at = end + 1;
    }
    return at >= count ? STATUS_OK
                       : invalid(reading, "membership_values with more sets than nodes of mode BRANCH_MEMBER");
}

static enum status apart_read(struct reading *reading, struct apart *apart)
{
    const struct onnx_node *node = reading->operation->node;
    const struct onnx_attribute *modes = onnx_attribute_find(node, "nodes_modes"),
                                *targets = onnx_attribute_find(node, "leaf_targetids"),
                                *roots = onnx_attribute_find(node, "tree_roots"),
                                *missing = onnx_attribute_find(node, "nodes_missing_value_tracks_true");
    enum dtype dtype = reading->ensemble->dtype;
    apart->count = modes && modes->type == ATTRIBUTE_TENSOR ? modes->tensor->count : 0;
    apart->leaf_count = targets ? targets->count : 0;
    apart->root_count = roots ? roots->count : 0;
    enum status status = count_check(reading, apart->count);
    if (status == STATUS_OK)
        status = apart_numbers(reading, "nodes_modes", DTYPE_UINT8, apart->count, &apart->modes);
    if (status == STATUS_OK)
        status = apart_numbers(reading, "nodes_splits", dtype, apart->count, &apart->splits);
    if (status == STATUS_OK)
        status = apart_numbers(reading, "leaf_weights", dtype, apart->leaf_count, &apart->weights);
    const struct {
        const char *name;
        size_t count;
        const int64_t **list;
    } LISTS[] = {{"nodes_featureids", apart->count, &apart->features},
                 {"nodes_truenodeids", apart->count, &apart->trues},
                 {"nodes_falsenodeids", apart->count, &apart->falses},
                 {"nodes_trueleafs", apart->count, &apart->true_leaves},
                 {"nodes_falseleafs", apart->count, &apart->false_leaves},
                 {"leaf_targetids", apart->leaf_count, &apart->targets},
                 {"tree_roots", apart->root_count, &apart->roots}};
    for (size_t l = 0; l < sizeof LISTS / sizeof *LISTS && status == STATUS_OK; l++)
        status = ints_read(reading, LISTS[l].name, LISTS[l].count, LISTS[l].list);
    if (status == STATUS_OK && missing && missing->count)
        status = ints_read(reading, "nodes_missing_value_tracks_true", apart->count, &apart->missing);
    return status == STATUS_OK ? apart_sets(reading, apart) : status;
}

/* A copy of the leaf; *id: its own. */
static enum status leaf_join(struct reading *reading, const struct apart *apart, struct joined *out, int64_t tree,
                             int64_t leaf, int64_t *id)
{
    if (leaf < 0 || (uint64_t)leaf >= apart->leaf_count)
        return invalid(reading, "a leaf that is not there");
    size_t n = out->nodes.count++, w = out->weight_count++;
    *id = (int64_t)n;
    out->nodes.trees[n] = out->weight_trees[w] = tree;
    out->nodes.ids[n] = out->weight_ids[w] = *id;
    out->nodes.modes[n] = NODE_LEAF;
    out->weights[w] = apart->weights[leaf];
    out->weight_classes[w] = apart->targets[leaf];
    return STATUS_OK;
}

/* Branch b, its leaves behind it. */
static enum status branch_join(struct reading *reading, const struct apart *apart, struct joined *out, int64_t tree,
                               size_t b)
{
    size_t n = out->nodes.count++;
    if (apart->modes[b] > NODE_MEMBER)
        return operation_unsupported(reading->operation, "nodes_modes beyond BRANCH_MEMBER");
    out->nodes.trees[n] = tree;
    out->nodes.ids[n] = (int64_t)n;
    out->places[b] = (int64_t)n;
    out->nodes.modes[n] = (uint8_t)apart->modes[b];
    out->nodes.features[n] = apart->features[b];
    out->nodes.thresholds[n] = apart->splits[b];
    if (apart->missing)
        out->nodes.missing[n] = apart->missing[b] != 0;
    if (apart->sets)
        out->nodes.sets[n] = apart->sets[b];
    out->nodes.trues[n] = apart->trues[b];
    out->nodes.falses[n] = apart->falses[b];
    enum status status = STATUS_OK;
    if (apart->true_leaves[b])
        status = leaf_join(reading, apart, out, tree, apart->trues[b], &out->nodes.trues[n]);
    if (status == STATUS_OK && apart->false_leaves[b])
        status = leaf_join(reading, apart, out, tree, apart->falses[b], &out->nodes.falses[n]);
    return status;
}

/* One tree, from its root; `waiting` has room for all branches. */
static enum status tree_join(struct reading *reading, const struct apart *apart, struct joined *out, size_t tree,
                             bool *seen, int64_t *waiting)
{
    size_t count = 0;
    waiting[count++] = apart->roots[tree];
    while (count > 0) {
        int64_t b = waiting[--count];
        if (b < 0 || (uint64_t)b >= apart->count || seen[b])
            return invalid(reading, "a node that is not there, or has two parents");
        seen[b] = true;
        if (branch_join(reading, apart, out, (int64_t)tree, (size_t)b) != STATUS_OK)
            return reading->operation->err->status;
        if (count + 2 > apart->count + 1)
            return invalid(reading, "nodes that have two parents");
        if (!apart->false_leaves[b])
            waiting[count++] = apart->falses[b];
        if (!apart->true_leaves[b])
            waiting[count++] = apart->trues[b];
    }
    return STATUS_OK;
}

/* `most` nodes, of which all but apart->count are leaves. False: more than the pool's bound, which says so. */
static bool joined_make(struct reading *reading, const struct apart *apart, size_t most, struct joined *out)
{
    struct arena *arena = &reading->scratch;
    size_t leaves = most - apart->count;
    int64_t **const BY_NODE[] = {&out->nodes.trees, &out->nodes.ids, &out->nodes.features, &out->nodes.trues,
                                 &out->nodes.falses};
    int64_t **const BY_LEAF[] = {&out->weight_trees, &out->weight_ids, &out->weight_classes};
    size_t of_node = sizeof *out->nodes.thresholds + sizeof *out->nodes.modes +
                     (apart->sets ? sizeof *out->nodes.sets : 0) + (apart->missing ? sizeof *out->nodes.missing : 0) +
                     sizeof BY_NODE / sizeof *BY_NODE * sizeof(int64_t);
    size_t of_leaf = sizeof *out->weights + sizeof BY_LEAF / sizeof *BY_LEAF * sizeof(int64_t);
    if (!expr_pool_room(reading->operation->pool,
                        most * of_node + leaves * of_leaf + apart->count * sizeof *out->places, 1))
        return false;
    for (size_t l = 0; l < sizeof BY_NODE / sizeof *BY_NODE; l++)
        *BY_NODE[l] = arena_zeroed(arena, most, sizeof **BY_NODE[l]);
    for (size_t l = 0; l < sizeof BY_LEAF / sizeof *BY_LEAF; l++)
        *BY_LEAF[l] = arena_zeroed(arena, leaves, sizeof **BY_LEAF[l]);
    out->places = arena_zeroed(arena, apart->count, sizeof *out->places);
    out->nodes.missing = apart->missing ? arena_zeroed(arena, most, sizeof *out->nodes.missing) : NULL;
    out->nodes.modes = arena_zeroed(arena, most, sizeof *out->nodes.modes);
    out->nodes.thresholds = arena_zeroed(arena, most, sizeof *out->nodes.thresholds);
    out->weights = arena_zeroed(arena, leaves, sizeof *out->weights);
    out->nodes.sets = apart->sets ? arena_zeroed(arena, most, sizeof *out->nodes.sets) : NULL;
    return true;
}

/* Children that are branches get their places as ids, as leaves have them. */
static void children_name(const struct apart *apart, struct joined *out)
{
    for (size_t b = 0; b < apart->count; b++) {
        size_t n = (size_t)out->places[b];
        if (!apart->true_leaves[b])
            out->nodes.trues[n] = out->places[apart->trues[b]];
        if (!apart->false_leaves[b])
            out->nodes.falses[n] = out->places[apart->falses[b]];
    }
}

static enum status apart_join(struct reading *reading, const struct apart *apart)
{
    struct joined joined = {0};
    size_t most = apart->root_count < apart->count ? 2 * apart->count + apart->root_count : 3 * apart->count;
    if (count_check(reading, most) != STATUS_OK)
        return reading->operation->err->status;
    if (!joined_make(reading, apart, most, &joined))
        return STATUS_OK; /* reported by the caller */
    bool *seen = mem_zeroed(apart->count, sizeof *seen);
    int64_t *waiting = mem_zeroed(apart->count + 2, sizeof *waiting);
    enum status status = STATUS_OK;
    for (size_t t = 0; t < apart->root_count && status == STATUS_OK; t++)
        status = tree_join(reading, apart, &joined, t, seen, waiting);
    for (size_t b = 0; b < apart->count && status == STATUS_OK; b++)
        if (!seen[b])
            status = invalid(reading, "nodes that no root reaches");
    free(seen);
    free(waiting);
    if (status == STATUS_OK)
        children_name(apart, &joined);
    reading->by_place = true;
    reading->places = joined.places;
    reading->place_count = apart->count;
    ensemble_nodes_take(reading, &joined.nodes);
    reading->weights = (struct number_list){.doubles = joined.weights, .count = joined.weight_count};
    reading->weight_trees = joined.weight_trees;
    reading->weight_ids = joined.weight_ids;
    reading->weight_classes = joined.weight_classes;
    return status == STATUS_OK ? count_check(reading, joined.nodes.count) : status;
}

enum status ensemble_lists_read(struct reading *reading)
{
    struct apart apart = {0};
    if (strcmp(reading->operation->node->op, "TreeEnsemble") == 0) {
        enum status status = apart_read(reading, &apart);
        if (status == STATUS_OK && !ensemble_apart_place(reading, &apart))
            status = apart_join(reading, &apart);
        return status;
    }
    enum status status = nodes_read(reading);
    return status == STATUS_OK ? weights_read(reading) : status;
}
