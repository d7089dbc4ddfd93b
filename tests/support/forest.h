/* Forests grown by tests and benches, as an ONNX file with all that reasons need. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "pipeline/pipeline.h"
#include "tests/support/graph.h"

enum { FOREST_NODES = 1 << 16, FOREST_COLUMNS = 40 };

/* Nodes in the order in which they were added: a parent, its left side, its right side. All zero: no tree yet. */
struct forest {
    bool scores_only; /* loaded without reasons */
    size_t count, leaf_count;
    int64_t trees[FOREST_NODES], ids[FOREST_NODES], features[FOREST_NODES], trues[FOREST_NODES], falses[FOREST_NODES];
    const char *modes[FOREST_NODES];
    float values[FOREST_NODES];
    int64_t leaf_trees[FOREST_NODES], leaf_ids[FOREST_NODES], classes[FOREST_NODES];
    float weights[FOREST_NODES];
    double covers[FOREST_NODES]; /* rows that come to the node */
};

/* A further node of that tree, whose next id is *next: its place. */
static inline size_t forest_node(struct forest *forest, int64_t tree, int64_t *next)
{
    size_t n = forest->count++;
    if (n >= FOREST_NODES)
        abort();
    forest->trees[n] = tree;
    forest->ids[n] = (*next)++;
    return n;
}

static inline double forest_leaf(struct forest *forest, size_t n, float weight, double cover)
{
    size_t w = forest->leaf_count++;
    forest->modes[n] = "LEAF";
    forest->leaf_trees[w] = forest->trees[n];
    forest->leaf_ids[w] = forest->ids[n];
    forest->weights[w] = weight;
    return forest->covers[n] = cover;
}

/* Its left child is the next node. */
static inline void forest_branch(struct forest *forest, size_t n, int64_t feature, float threshold)
{
    forest->modes[n] = "BRANCH_LEQ";
    forest->features[n] = feature;
    forest->values[n] = threshold;
    forest->trues[n] = forest->ids[n] + 1;
}

static inline void forest_write_covers(const struct forest *forest, struct buffer *out)
{
    buffer_add_text(out, "{\"kind\":\"tree\",\"covers\":[[");
    for (size_t n = 0, first = 1; n < forest->count; n++) {
        if (n && forest->trees[n] != forest->trees[n - 1])
            buffer_add_text(out, "],["), first = 1;
        if (*forest->modes[n] == 'L')
            buffer_printf(out, "%s%.17g", first ? "" : ",", forest->covers[n]), first = 0;
    }
    buffer_add_text(out, "]]}");
    buffer_add_u8(out, 0);
}

/* Makes the columns c0, c1, …, and a node "rows" that holds them. */
static inline void forest_write_inputs(struct graph *g, struct column *columns, size_t column_count)
{
    static char names[FOREST_COLUMNS][8];
    struct buffer inputs = {0};
    for (size_t c = 0; c < column_count; c++) {
        snprintf(names[c], sizeof names[c], "c%zu", c);
        columns[c] = (struct column){.name = names[c], .kind = COLUMN_NUMERIC, .type = COLUMN_INT};
        graph_input(g, names[c], DTYPE_FLOAT);
        buffer_printf(&inputs, "%s%s", c ? "," : "", names[c]);
    }
    graph_int(g, graph_node(g, "Concat", inputs.data, "rows"), "axis", 1);
    buffer_free(&inputs);
}

static inline void forest_write_nodes(struct graph *g, struct forest *forest)
{
    Onnx__NodeProto *node = graph_node(g, "ml.TreeEnsembleClassifier", "rows", "label,probabilities");
    Onnx__AttributeProto *modes = graph_attribute(g, node, "nodes_modes", 8);
    modes->n_strings = forest->count;
    modes->strings = arena_take(&g->arena, forest->count * sizeof *modes->strings);
    for (size_t n = 0; n < forest->count; n++)
        modes->strings[n] = (ProtobufCBinaryData){strlen(forest->modes[n]), (uint8_t *)forest->modes[n]};
    graph_ints(g, node, "nodes_treeids", forest->trees, forest->count);
    graph_ints(g, node, "nodes_nodeids", forest->ids, forest->count);
    graph_ints(g, node, "nodes_featureids", forest->features, forest->count);
    graph_ints(g, node, "nodes_truenodeids", forest->trues, forest->count);
    graph_ints(g, node, "nodes_falsenodeids", forest->falses, forest->count);
    graph_floats(g, node, "nodes_values", forest->values, forest->count);
    graph_ints(g, node, "class_treeids", forest->leaf_trees, forest->leaf_count);
    graph_ints(g, node, "class_nodeids", forest->leaf_ids, forest->leaf_count);
    graph_ints(g, node, "class_ids", forest->classes, forest->leaf_count);
    graph_floats(g, node, "class_weights", forest->weights, forest->leaf_count);
    graph_text(g, node, "post_transform", "LOGISTIC");
    graph_texts(g, node, "classlabels_strings", "No,Yes");
}

/* The forest as a model of columns (at most FOREST_COLUMNS) that are made here; `g` is scratch. */
MUST_USE static inline enum status forest_load(struct graph *g, struct forest *forest, struct column *columns,
                                               size_t column_count, struct pipeline **out, struct error *err)
{
    const struct pipeline_options options = {.positive_label = "Yes", .scores_only = forest->scores_only};
    struct buffer covers = {0}, file = {0};
    Onnx__StringStringEntryProto entry, *list[] = {&entry};
    graph_init(g, 15, 3);
    forest_write_inputs(g, columns, column_count);
    forest_write_nodes(g, forest);
    graph_output(g, "label", DTYPE_TEXT);
    graph_output(g, "probabilities", DTYPE_FLOAT);
    forest_write_covers(forest, &covers);
    onnx__string_string_entry_proto__init(&entry);
    entry.key = (char *)"attrition.reference";
    entry.value = covers.data;
    g->model.n_metadata_props = 1;
    g->model.metadata_props = list;
    graph_pack(g, &file);
    enum status status = pipeline_load(buffer_span(&file), columns, column_count, &options, out, err);
    buffer_free(&covers);
    buffer_free(&file);
    return status;
}
