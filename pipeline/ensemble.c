/* The tree operators' lists → struct ensemble. Called during the walk (compile.c), at load only.
 *
 * The file lists nodes in any order under ids of its own. Here every child is looked up, every node must be reached
 * from its tree's root exactly once, and trees are laid out breadth-first. Must refuse, in time bounded by the file's
 * size, what is no forest: missing children, loops, shared or unreachable nodes, duplicate ids, lists of other
 * lengths. */
#include "pipeline/ensemble_reading.h"

#include <math.h>
#include <stdlib.h>

static enum status invalid(struct reading *reading, const char *what)
{
    return operation_invalid(reading->operation, what);
}

static enum status keys_sort(struct reading *reading)
{
    if (reading->by_place)
        return STATUS_OK;
    free(reading->keys);
    reading->keys = mem_zeroed(reading->count + 1, sizeof *reading->keys);
    for (size_t n = 0; n < reading->count; n++)
        reading->keys[n] = (struct node_key){reading->trees[n], reading->ids[n], (uint32_t)n};
    qsort(reading->keys, reading->count, sizeof *reading->keys, ensemble_key_order);
    for (size_t n = 1; n < reading->count; n++)
        if (ensemble_key_order(&reading->keys[n - 1], &reading->keys[n]) == 0)
            return error_set(reading->operation->err, STATUS_INVALID,
                             "duplicate node %lld in tree %lld: export the model again",
                             (long long)reading->keys[n].node, (long long)reading->keys[n].tree);
    return STATUS_OK;
}

static bool is_leaf(const struct reading *reading, size_t n)
{
    return reading->modes[n] == NODE_LEAF;
}

/* One weight to its leaf. */
static enum status weight_place(struct reading *reading, size_t w)
{
    int64_t class = reading->weight_classes[w];
    size_t n = ensemble_node_find(reading, reading->weight_trees[w], reading->weight_ids[w]);
    double weight = number_list_at(&reading->weights, w);
    if (class < 0 || class >= CLASS_COUNT)
        return operation_unsupported(reading->operation, "more or fewer than two classes");
    if (reading->targets && class >= (int64_t)reading->target_count)
        return invalid(reading, "a weight for a target that is not there");
    if (n == reading->count || !is_leaf(reading, n) || reading->weighted[n] & 1 << class)
        return error_set(reading->operation->err, STATUS_INVALID,
                         "weight %zu belongs to no leaf, or its leaf has another: export the model again", w);
    if (!isfinite(weight))
        return error_set(reading->operation->err, STATUS_INVALID, "weight %zu is not finite: train again", w);
    reading->weighted[n] |= (uint8_t)(1 << class);
    reading->values[n][class] = weight;
    return STATUS_OK;
}

/* How onnxruntime reads the classes: with class 0 alone there is one score, which is the second column's. */
static enum status weights_place(struct reading *reading)
{
    struct ensemble *ensemble = reading->ensemble;
    enum status status = STATUS_OK;
    for (size_t w = 0; w < reading->weights.count && status == STATUS_OK; w++)
        status = weight_place(reading, w);
    uint8_t seen = 0, common = 3;
    for (size_t n = 0; n < reading->count; n++) {
        seen |= reading->weighted[n];
        common &= is_leaf(reading, n) ? reading->weighted[n] : 3;
    }
    ensemble->binary = reading->targets ? reading->target_count == 1 : seen == 1;
    if (reading->targets)
        return status; /* what a leaf has no weight for, it adds 0 to */
    if (status == STATUS_OK && (seen & 1) == 0)
        status = operation_unsupported(reading->operation, "weights for the second class alone, or none");
    if (status == STATUS_OK && common != seen)
        status = operation_unsupported(reading->operation, "leaves with weights for some classes only");
    return status;
}

/* What onnxruntime makes of a score depends on the signs of all weights: only the forms that are probabilities. */
static enum status link_read(struct reading *reading)
{
    struct ensemble *ensemble = reading->ensemble;
    const struct onnx_attribute *transform = onnx_attribute_find(reading->operation->node, "post_transform");
    struct number_list base;
    enum status status = ensemble_numbers_read(reading, "base_values", "base_values_as_tensor", &base);
    if (status != STATUS_OK)
        return status;
    struct span name = transform && transform->type == ATTRIBUTE_TEXT ? transform->texts[0] : SPAN_LITERAL("NONE");
    bool by_number = transform && transform->type == ATTRIBUTE_INT; /* of TreeEnsemble: 0 is NONE */
    ensemble->logistic = !reading->targets && span_equal(name, SPAN_LITERAL("LOGISTIC"));
    if (by_number ? transform->ints[0] != 0 : !ensemble->logistic && !span_equal(name, SPAN_LITERAL("NONE")))
        return operation_unsupported(reading->operation, reading->targets
                                                             ? "post_transform other than NONE"
                                                             : "post_transform other than NONE and LOGISTIC");
    if (base.count > 1 || (base.count == 1 && !ensemble->binary))
        return operation_unsupported(reading->operation, "base_values other than one for one score");
    ensemble->base = base.count ? number_list_at(&base, 0) : 0;
    if (!isfinite(ensemble->base))
        return invalid(reading, "base_values that are not finite");
    bool negative = false;
    for (size_t w = 0; w < reading->weights.count; w++)
        negative |= number_list_at(&reading->weights, w) < 0;
    if (ensemble->binary && ensemble->logistic && !negative)
        return operation_unsupported(reading->operation,
                                     "LOGISTIC without a negative weight (onnxruntime leaves it out)");
    ensemble->raw = !ensemble->logistic && negative;
    if (ensemble->raw && !ensemble->binary && !reading->targets)
        return operation_unsupported(reading->operation, "negative weights without LOGISTIC: no probabilities");
    return STATUS_OK;
}

static enum status threshold_check(struct reading *reading, size_t n, double threshold)
{
    if (isnan(threshold) || (isinf(threshold) && threshold < 0))
        return error_set(reading->operation->err, STATUS_INVALID,
                         "the threshold of node %lld in tree %lld is %s: train again", ensemble_node_name(reading, n),
                         (long long)reading->trees[n], isnan(threshold) ? "not a number" : "minus infinity");
    if (reading->features[n] < 0 || (uint64_t)reading->features[n] >= reading->feature_count)
        return error_set(reading->operation->err, STATUS_INVALID,
                         "node %lld of tree %lld reads feature %lld of %zu: export the model again",
                         ensemble_node_name(reading, n), (long long)reading->trees[n], (long long)reading->features[n],
                         reading->feature_count);
    return STATUS_OK;
}

/* x < t is x ≤ the number before t; x > t and x ≥ t are the opposite of those, with the children swapped; x in a set is
 * "its input > 0.5". */
static enum status branch_convert(struct reading *reading, size_t n, struct tree_node *node, bool *swapped)
{
    static const struct {
        bool before, swapped, set;
    } MODES[] = {
        [NODE_LEQ] = {false, false, false}, [NODE_LT] = {true, false, false}, [NODE_GT] = {false, true, false},
        [NODE_GTE] = {true, true, false},   [NODE_EQ] = {false, true, true},  [NODE_NEQ] = {false, false, true},
        [NODE_MEMBER] = {false, true, true}};
    enum node_mode mode = (enum node_mode)reading->modes[n];
    *swapped = MODES[mode].swapped;
    if (MODES[mode].set) {
        node->threshold = 0.5;
        node->feature = reading->set_features[n];
        return STATUS_OK;
    }
    double threshold = number_list_at(&reading->thresholds, n);
    if (threshold_check(reading, n, threshold) != STATUS_OK)
        return reading->operation->err->status;
    if (MODES[mode].before && reading->ensemble->dtype == DTYPE_FLOAT)
        threshold = nextafterf((float)threshold, -INFINITY);
    else if (MODES[mode].before)
        threshold = nextafter(threshold, -INFINITY);
    bool tracks_true = reading->missing && reading->missing[n];
    node->threshold = threshold;
    node->feature = (uint32_t)reading->features[n];
    node->missing_left = tracks_true != *swapped;
    return STATUS_OK;
}

/* Appends a branch's children to the layout; `left` is where they come. */
static enum status children_place(struct reading *reading, size_t n, size_t left, size_t limit, bool swapped)
{
    size_t yes = ensemble_node_find(reading, reading->trees[n], reading->trues[n]);
    size_t no = ensemble_node_find(reading, reading->trees[n], reading->falses[n]);
    if (yes == reading->count || no == reading->count)
        return error_set(reading->operation->err, STATUS_INVALID,
                         "node %lld of tree %lld has a child that is not there: export the model again",
                         ensemble_node_name(reading, n), (long long)reading->trees[n]);
    if (left + 2 > limit)
        return error_set(reading->operation->err, STATUS_INVALID,
                         "tree %lld has a loop, or a node with two parents: export the model again",
                         (long long)reading->trees[n]);
    reading->order[left] = (uint32_t)(swapped ? no : yes);
    reading->order[left + 1] = (uint32_t)(swapped ? yes : no);
    return STATUS_OK;
}

/* Every layout position is a node reached by one path; as many positions as the tree has nodes, so all are reached once
 * unless one is reached twice, which is looked for. */
static enum status tree_unique(struct reading *reading, size_t count, size_t root, bool *seen)
{
    for (size_t i = 0; i < count; i++) {
        if (seen[reading->order[i]])
            return error_set(reading->operation->err, STATUS_INVALID,
                             "tree %lld has a loop, or a node with two parents: export the model again",
                             (long long)reading->trees[root]);
        seen[reading->order[i]] = true;
    }
    return STATUS_OK;
}

/* Breadth-first: nodes root … root + limit − 1 of the file's lists belong to this tree. */
static enum status tree_place(struct reading *reading, size_t root, size_t limit, struct tree_node *nodes,
                              uint16_t *depth)
{
    size_t count = 1, level_end = 1, levels = 0;
    reading->order[0] = (uint32_t)root;
    for (size_t i = 0; i < count; i++) {
        if (i == level_end) {
            level_end = count;
            if (++levels > TREE_MAX_DEPTH)
                return error_set(reading->operation->err, STATUS_LIMIT, "tree %lld is deeper than %d",
                                 (long long)reading->trees[root], TREE_MAX_DEPTH);
        }
        size_t n = reading->order[i];
        nodes[i].source = (uint32_t)n;
        if (is_leaf(reading, n)) {
            memcpy(nodes[i].value, reading->values[n], sizeof nodes[i].value);
            continue;
        }
        bool swapped = false;
        enum status status = branch_convert(reading, n, &nodes[i], &swapped);
        if (status == STATUS_OK)
            status = children_place(reading, n, count, limit, swapped);
        if (status != STATUS_OK)
            return status;
        nodes[i].left = (uint32_t)count;
        count += 2;
    }
    if (count != limit)
        return error_set(reading->operation->err, STATUS_INVALID,
                         "tree %lld has nodes that its root does not reach: export the model again",
                         (long long)reading->trees[root]);
    *depth = (uint16_t)levels;
    return STATUS_OK;
}

/* A tree's nodes stand together in the file, root first, as in every export. */
static enum status trees_place(struct reading *reading, struct tree_node *nodes, uint32_t *starts, uint16_t *depths,
                               bool *seen)
{
    size_t tree = 0;
    for (size_t root = 0, end; root < reading->count; root = end, tree++) {
        for (end = root; end < reading->count && reading->trees[end] == reading->trees[root];)
            end++;
        if (tree == ENSEMBLE_MAX_TREES || end - root > TREE_MAX_NODES)
            return error_set(reading->operation->err, STATUS_LIMIT, "more than %d trees, or %d nodes in one",
                             ENSEMBLE_MAX_TREES, TREE_MAX_NODES);
        starts[tree] = (uint32_t)root;
        enum status status = tree_place(reading, root, end - root, nodes + root, &depths[tree]);
        if (status == STATUS_OK)
            status = tree_unique(reading, end - root, root, seen);
        if (status != STATUS_OK)
            return status;
    }
    starts[tree] = (uint32_t)reading->count;
    reading->ensemble->tree_count = tree;
    return STATUS_OK;
}

static enum status reading_run(struct reading *reading)
{
    struct ensemble *ensemble = reading->ensemble;
    struct expr_pool *pool = reading->operation->pool;
    if (!expr_pool_room(pool, reading->count, sizeof(struct tree_node) + sizeof(uint32_t) + sizeof(uint16_t)))
        return STATUS_OK; /* reported by the caller */
    struct tree_node *nodes = expr_pool_take(pool, reading->count, sizeof *nodes);
    uint32_t *starts = expr_pool_take(pool, reading->count + 1, sizeof *starts);
    uint16_t *depths = expr_pool_take(pool, reading->count, sizeof *depths);
    bool *seen = mem_zeroed(reading->count, sizeof *seen);
    ensemble->nodes = nodes;
    ensemble->starts = starts;
    ensemble->depths = depths;
    bool merged = false;
    enum status status = keys_sort(reading);
    if (status == STATUS_OK)
        status = ensemble_chains_merge(reading, &merged);
    reading->by_place = reading->by_place && !merged;
    if (status == STATUS_OK && merged)
        status = keys_sort(reading);
    ensemble->node_count = reading->count;
    if (status == STATUS_OK && !pool->overflow)
        status = weights_place(reading);
    if (status == STATUS_OK)
        status = link_read(reading);
    if (status == STATUS_OK)
        status = ensemble_sets_add(reading);
    if (status == STATUS_OK && !pool->overflow)
        status = trees_place(reading, nodes, starts, depths, seen);
    free(seen);
    return status;
}

static enum status reading_place(struct reading *reading)
{
    reading->values = mem_zeroed(reading->count, sizeof *reading->values);
    reading->weighted = mem_zeroed(reading->count, sizeof *reading->weighted);
    reading->order = mem_zeroed(reading->count + 2, sizeof *reading->order);
    enum status status = reading_run(reading);
    free(reading->keys);
    free(reading->values);
    free(reading->weighted);
    free(reading->order);
    return status;
}

/* Reads and checks the node's attributes; bounded by their lengths. Lives in operation->pool. */
static enum status ensemble_read(struct operation *operation, const struct value *input, size_t target_count,
                                 const struct ensemble **out)
{
    struct ensemble *ensemble = expr_pool_take(operation->pool, 1, sizeof *ensemble);
    *ensemble = (struct ensemble){.dtype = input->dtype, .inputs = input->cells, .input_count = input->count};
    struct reading reading = {.operation = operation,
                              .ensemble = ensemble,
                              .targets = target_count > 0,
                              .target_count = target_count,
                              .feature_count = input->count};
    enum status status = ensemble_lists_read(&reading);
    if (status != STATUS_OK || operation->pool->overflow) {
        arena_free(&reading.scratch);
        return status;
    }
    status = reading.placed ? link_read(&reading) : reading_place(&reading);
    arena_free(&reading.scratch);
    if (status == STATUS_OK)
        *out = ensemble;
    return status;
}

/* The operator's rows, integers as floats. */
static enum status rows_read(struct operation *operation, struct value *out)
{
    if (operation_floats(operation, operation->inputs[0], out) != STATUS_OK)
        return operation->err->status;
    if (out->kind != VALUE_TENSOR || !out->rows || out->rank != 2 || !dtype_is_real(out->dtype))
        return operation_unsupported(operation, "other than rows of numbers");
    return STATUS_OK;
}

enum status compile_tree_ensemble(struct operation *operation)
{
    struct value input;
    const struct class_labels *labels = NULL;
    const struct ensemble *ensemble = NULL;
    if (rows_read(operation, &input) != STATUS_OK)
        return operation->err->status;
    enum status status = operation_labels(operation, "classlabels_int64s", "classlabels_strings", &labels);
    if (status == STATUS_OK && !labels)
        status = operation_unsupported(operation, "no class labels");
    if (status == STATUS_OK)
        status = ensemble_read(operation, &input, 0, &ensemble);
    if (status != STATUS_OK || operation->pool->overflow)
        return status;
    uint32_t *probabilities = expr_pool_take(operation->pool, CLASS_COUNT, sizeof *probabilities);
    for (uint32_t k = 0; k < CLASS_COUNT; k++)
        probabilities[k] = expr_trees(operation->pool, ensemble, k);
    operation_classify(operation, probabilities, labels);
    return STATUS_OK;
}

/* How the trees are joined: their sum. */
static enum status aggregate_check(struct operation *operation)
{
    const struct onnx_attribute *given = onnx_attribute_find(operation->node, "aggregate_function");
    bool sum = !given || (given->type == ATTRIBUTE_TEXT && span_equal(given->texts[0], SPAN_LITERAL("SUM"))) ||
               (given->type == ATTRIBUTE_INT && given->ints[0] == 1);
    return sum ? STATUS_OK : operation_unsupported(operation, "aggregate_function other than SUM");
}

/* One score, or two. */
enum status compile_tree_targets(struct operation *operation)
{
    struct value input;
    const struct ensemble *ensemble = NULL;
    int64_t targets = 1;
    if (rows_read(operation, &input) != STATUS_OK || aggregate_check(operation) != STATUS_OK ||
        operation_int(operation, "n_targets", 1, &targets) != STATUS_OK)
        return operation->err->status;
    if (targets != 1 && targets != CLASS_COUNT)
        return operation_unsupported(operation, "n_targets other than 1 and 2");
    if (input.dtype != DTYPE_FLOAT)
        return operation_unsupported(operation, dtype_name(input.dtype));
    enum status status = ensemble_read(operation, &input, (size_t)targets, &ensemble);
    if (status != STATUS_OK || operation->pool->overflow)
        return status;
    uint32_t *cells = operation_output(operation, DTYPE_FLOAT, true, 2, (size_t[]){1, (size_t)targets});
    for (size_t k = 0; k < operation->outputs[0].count && !operation->pool->overflow; k++)
        cells[k] = expr_trees(operation->pool, ensemble, targets == 1 ? 1 : (uint32_t)k);
    return STATUS_OK;
}
