/* A forest as TreeEnsemble of ai.onnx.ml 5: see onnx_write_ensemble.h. Lists are packed (one field for all their
 * numbers), leaves of one weight are one, and a branch takes about 13 bytes; TreeEnsembleClassifier needs 60. */
#include "pipeline/onnx/onnx_write_ensemble.h"

#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "pipeline/onnx/varint.h"

enum { TREE_ENSEMBLE_ML = 5, FIELD_INTS = 8 };

/* What the lists are made from: a tree of a single leaf gets a branch, both of whose sides are that leaf. */
struct layout {
    const struct written_node *nodes;
    uint32_t *places; /* by node: of a branch its number among branches, of a leaf that of its weight */
    float *weights;   /* distinct, ascending */
    size_t weight_count, node_count, branch_count;
};

static uint32_t weight_place(const struct layout *layout, float weight)
{
    const float *found = bsearch(&weight, layout->weights, layout->weight_count, sizeof weight, order_floats);
    return (uint32_t)(found - layout->weights);
}

static bool is_root(const struct layout *layout, size_t n)
{
    return n == 0 || layout->nodes[n].tree != layout->nodes[n - 1].tree;
}

/* Whether the node is in the lists of branches. */
static bool is_listed(const struct layout *layout, size_t n)
{
    return !layout->nodes[n].leaf || is_root(layout, n);
}

static struct layout layout_make(const struct written_trees *trees)
{
    struct layout layout = {.nodes = trees->nodes, .node_count = trees->node_count};
    size_t leaves = 0;
    layout.places = mem_zeroed(trees->node_count + 1, sizeof *layout.places);
    layout.weights = mem_zeroed(trees->node_count + 1, sizeof *layout.weights);
    for (size_t n = 0; n < trees->node_count; n++)
        if (trees->nodes[n].leaf)
            layout.weights[leaves++] = trees->nodes[n].weight;
    qsort(layout.weights, leaves, sizeof *layout.weights, order_floats);
    for (size_t l = 0; l < leaves; l++)
        if (l == 0 || layout.weights[l] != layout.weights[layout.weight_count - 1])
            layout.weights[layout.weight_count++] = layout.weights[l];
    for (size_t n = 0; n < trees->node_count; n++) {
        if (trees->nodes[n].leaf)
            layout.places[n] = weight_place(&layout, trees->nodes[n].weight);
        else
            layout.places[n] = (uint32_t)layout.branch_count;
        layout.branch_count += is_listed(&layout, n);
    }
    return layout;
}

static void layout_clear(struct layout *layout)
{
    free(layout->places);
    free(layout->weights);
}

/* --- packed lists --- */

/* protobuf-c packs no list that the schema does not declare so; every reader takes one. It goes in as an unknown field,
 * whose bytes are written as they are. */
static void node_packed(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name, struct buffer *values)
{
    Onnx__AttributeProto *attribute = node_attribute(writer, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    ProtobufCMessageUnknownField *field = arena_zeroed(&writer->arena, 1, sizeof *field);
    struct buffer *bytes = &writer->packed[writer->packed_count++];
    varint_add(bytes, values->bytes);
    buffer_add(bytes, values->data, values->bytes);
    *field = (ProtobufCMessageUnknownField){.tag = FIELD_INTS,
                                            .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
                                            .len = bytes->bytes,
                                            .data = (uint8_t *)bytes->data};
    attribute->base.n_unknown_fields = 1;
    attribute->base.unknown_fields = field;
    buffer_clear(values);
}

/* A list of one dimension; the bytes are the caller's to fill. */
static uint8_t *node_tensor(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name, int32_t type,
                            size_t count, size_t bytes)
{
    Onnx__AttributeProto *attribute = node_attribute(writer, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
    Onnx__TensorProto *tensor = arena_zeroed(&writer->arena, 1, sizeof *tensor);
    onnx__tensor_proto__init(tensor);
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->n_dims = 1;
    tensor->dims = arena_zeroed(&writer->arena, 1, sizeof *tensor->dims);
    tensor->dims[0] = (int64_t)count;
    tensor->has_raw_data = 1;
    tensor->raw_data.len = bytes;
    tensor->raw_data.data = arena_zeroed(&writer->arena, bytes + 1, 1);
    attribute->t = tensor;
    return tensor->raw_data.data;
}

/* --- lists --- */

static size_t child_of(const struct layout *layout, size_t n, bool left)
{
    const struct written_node *node = &layout->nodes[n];
    return node->leaf ? n : n - node->id + (left ? node->left : node->right);
}

static void write_children(struct onnx_writer *writer, Onnx__NodeProto *ensemble, const struct layout *layout)
{
    static const char *const ids[] = {"nodes_falsenodeids", "nodes_truenodeids"}, *const leaves[] = {"nodes_falseleafs",
                                                                                                     "nodes_trueleafs"};
    struct buffer values = {0};
    for (int side = 0; side < 2; side++) {
        for (size_t n = 0; n < layout->node_count; n++)
            if (is_listed(layout, n))
                varint_add(&values, layout->places[child_of(layout, n, side)]);
        node_packed(writer, ensemble, ids[side], &values);
        for (size_t n = 0; n < layout->node_count; n++)
            if (is_listed(layout, n))
                varint_add(&values, layout->nodes[child_of(layout, n, side)].leaf);
        node_packed(writer, ensemble, leaves[side], &values);
    }
    buffer_free(&values);
}

static void write_splits(struct onnx_writer *writer, Onnx__NodeProto *ensemble, const struct layout *layout)
{
    struct buffer features = {0}, roots = {0};
    size_t branches = 0;
    uint8_t *splits =
        node_tensor(writer, ensemble, "nodes_splits", FLOAT32, layout->branch_count, 4 * layout->branch_count);
    for (size_t n = 0; n < layout->node_count; n++) {
        const struct written_node *node = &layout->nodes[n];
        if (!is_listed(layout, n))
            continue;
        float threshold = node->leaf ? 0 : node->threshold;
        if (is_root(layout, n))
            varint_add(&roots, branches);
        memcpy(splits + 4 * branches++, &threshold, sizeof threshold);
        varint_add(&features, node->leaf ? 0 : node->feature);
    }
    node_packed(writer, ensemble, "nodes_featureids", &features);
    node_packed(writer, ensemble, "tree_roots", &roots);
    (void)node_tensor(writer, ensemble, "nodes_modes", UINT8, layout->branch_count, layout->branch_count); /* <= */
    buffer_free(&features);
    buffer_free(&roots);
}

static void write_weights(struct onnx_writer *writer, Onnx__NodeProto *ensemble, const struct layout *layout)
{
    struct buffer targets = {0};
    size_t bytes = layout->weight_count * sizeof *layout->weights;
    memcpy(node_tensor(writer, ensemble, "leaf_weights", FLOAT32, layout->weight_count, bytes), layout->weights, bytes);
    for (size_t w = 0; w < layout->weight_count; w++)
        varint_add(&targets, 0);
    node_packed(writer, ensemble, "leaf_targetids", &targets);
    buffer_free(&targets);
}

void onnx_write_shares(struct onnx_writer *writer, const char *output)
{
    struct layout layout = layout_make(writer->trees);
    Onnx__NodeProto *ensemble =
        writer_node(writer, "TreeEnsemble", "ai.onnx.ml", "model.floats", NULL, NULL, "model.share");
    writer->opset_ml = TREE_ENSEMBLE_ML;
    node_int(writer, ensemble, "n_targets", 1);
    node_int(writer, ensemble, "aggregate_function", 1); /* sum */
    node_int(writer, ensemble, "post_transform", 0);
    write_splits(writer, ensemble, &layout);
    write_children(writer, ensemble, &layout);
    write_weights(writer, ensemble, &layout);
    layout_clear(&layout);
    const int64_t dims[] = {1, 1};
    Onnx__TensorProto *one = writer_tensor(writer, "model.one", FLOAT32, dims, 2);
    one->n_float_data = 1;
    one->float_data = arena_zeroed(&writer->arena, 1, sizeof *one->float_data);
    one->float_data[0] = 1;
    writer_node(writer, "Sub", NULL, "model.one", "model.share", NULL, "model.rest");
    Onnx__NodeProto *both = writer_node(writer, "Concat", NULL, "model.rest", "model.share", NULL, output);
    node_int(writer, both, "axis", 1);
}
