/* ONNX graphs made by hand, for the tests and the fuzzer of what exporters write. Everything lives in the builder's
 * arena. */
#pragma once

#include <string.h>

#include "base/memory.h"
#include "onnx/onnx.pb-c.h"
#include "pipeline/onnx/onnx_read.h"

enum { GRAPH_ROOM = 64 };

struct graph {
    struct arena arena;
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opsets[2], *opset_list[2];
    Onnx__NodeProto nodes[GRAPH_ROOM], *node_list[GRAPH_ROOM];
    Onnx__TensorProto tensors[GRAPH_ROOM], *tensor_list[GRAPH_ROOM];
    Onnx__ValueInfoProto values[GRAPH_ROOM], *inputs[GRAPH_ROOM], *outputs[GRAPH_ROOM];
    Onnx__TypeProto types[GRAPH_ROOM];
    Onnx__TypeProto__Tensor tensor_types[GRAPH_ROOM];
    size_t value_count;
};

static inline void graph_init(struct graph *g, int64_t opset, int64_t ml)
{
    memset(g, 0, sizeof *g);
    onnx__model_proto__init(&g->model);
    onnx__graph_proto__init(&g->graph);
    g->model.has_ir_version = 1;
    g->model.ir_version = 8;
    g->model.graph = &g->graph;
    g->model.n_opset_import = 2;
    g->model.opset_import = g->opset_list;
    for (size_t o = 0; o < 2; o++) {
        onnx__operator_set_id_proto__init(&g->opsets[o]);
        g->opset_list[o] = &g->opsets[o];
        g->opsets[o].domain = o ? (char *)"ai.onnx.ml" : NULL;
        g->opsets[o].has_version = 1;
        g->opsets[o].version = o ? ml : opset;
    }
    g->graph.node = g->node_list;
    g->graph.initializer = g->tensor_list;
    g->graph.input = g->inputs;
    g->graph.output = g->outputs;
}

/* "a,b" → {"a", "b"} */
static inline size_t graph_names(struct graph *g, const char *list, char ***out)
{
    char **names = *out = arena_take(&g->arena, GRAPH_ROOM * sizeof *names);
    size_t count = 0;
    for (const char *at = list; *at; count++) {
        size_t bytes = strcspn(at, ",");
        names[count] = arena_text(&g->arena, at, bytes);
        at += bytes + (at[bytes] == ',');
    }
    return count;
}

/* op "ml.X" is in ai.onnx.ml. */
static inline Onnx__NodeProto *graph_node(struct graph *g, const char *op, const char *inputs, const char *outputs)
{
    Onnx__NodeProto *node = g->node_list[g->graph.n_node] = &g->nodes[g->graph.n_node];
    g->graph.n_node++;
    onnx__node_proto__init(node);
    bool ml = !strncmp(op, "ml.", 3);
    node->op_type = (char *)(ml ? op + 3 : op);
    node->domain = ml ? (char *)"ai.onnx.ml" : NULL;
    node->n_input = graph_names(g, inputs, &node->input);
    node->n_output = graph_names(g, outputs, &node->output);
    node->name = node->output[0];
    node->attribute = arena_take(&g->arena, GRAPH_ROOM * sizeof *node->attribute);
    return node;
}

static inline Onnx__AttributeProto *graph_attribute(struct graph *g, Onnx__NodeProto *node, const char *name, int type)
{
    Onnx__AttributeProto *attribute = node->attribute[node->n_attribute++] = arena_take(&g->arena, sizeof *attribute);
    onnx__attribute_proto__init(attribute);
    attribute->name = (char *)name;
    attribute->has_type = 1;
    attribute->type = (Onnx__AttributeProto__AttributeType)type;
    return attribute;
}

static inline void graph_int(struct graph *g, Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *attribute = graph_attribute(g, node, name, 2);
    attribute->has_i = 1;
    attribute->i = value;
}

static inline void graph_float(struct graph *g, Onnx__NodeProto *node, const char *name, float value)
{
    Onnx__AttributeProto *attribute = graph_attribute(g, node, name, 1);
    attribute->has_f = 1;
    attribute->f = value;
}

static inline void graph_floats(struct graph *g, Onnx__NodeProto *node, const char *name, const float *values,
                                size_t count)
{
    Onnx__AttributeProto *attribute = graph_attribute(g, node, name, 6);
    attribute->floats = (float *)values;
    attribute->n_floats = count;
}

static inline void graph_ints(struct graph *g, Onnx__NodeProto *node, const char *name, const int64_t *values,
                              size_t count)
{
    Onnx__AttributeProto *attribute = graph_attribute(g, node, name, 7);
    attribute->ints = arena_take(&g->arena, count * sizeof *values);
    memcpy(attribute->ints, values, count * sizeof *values);
    attribute->n_ints = count;
}

/* "a,b"; an empty list gives one empty text. */
static inline void graph_texts(struct graph *g, Onnx__NodeProto *node, const char *name, const char *list)
{
    char **texts;
    size_t count = graph_names(g, list, &texts);
    Onnx__AttributeProto *attribute = graph_attribute(g, node, name, 8);
    attribute->n_strings = count ? count : 1;
    attribute->strings = arena_take(&g->arena, attribute->n_strings * sizeof *attribute->strings);
    attribute->strings[0] = (ProtobufCBinaryData){0, (uint8_t *)""};
    for (size_t t = 0; t < count; t++)
        attribute->strings[t] = (ProtobufCBinaryData){strlen(texts[t]), (uint8_t *)texts[t]};
}

static inline void graph_text(struct graph *g, Onnx__NodeProto *node, const char *name, const char *text)
{
    Onnx__AttributeProto *attribute = graph_attribute(g, node, name, 3);
    attribute->has_s = 1;
    attribute->s = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

static inline Onnx__TensorProto *graph_tensor(struct graph *g, const char *name, int type, size_t rank,
                                              const int64_t *dims)
{
    Onnx__TensorProto *tensor = g->tensor_list[g->graph.n_initializer] = &g->tensors[g->graph.n_initializer];
    g->graph.n_initializer++;
    onnx__tensor_proto__init(tensor);
    tensor->name = (char *)name;
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->n_dims = rank;
    tensor->dims = arena_take(&g->arena, rank * sizeof *dims);
    memcpy(tensor->dims, dims, rank * sizeof *dims);
    return tensor;
}

/* [1, count] doubles, in raw_data as many exporters write them */
static inline void graph_doubles(struct graph *g, const char *name, const double *values, int64_t rows, int64_t columns)
{
    Onnx__TensorProto *tensor = graph_tensor(g, name, DTYPE_DOUBLE, 2, (int64_t[]){rows, columns});
    tensor->has_raw_data = 1;
    tensor->raw_data = (ProtobufCBinaryData){(size_t)(rows * columns) * sizeof *values, (uint8_t *)values};
}

static inline void graph_int64s(struct graph *g, const char *name, const int64_t *values, int64_t count)
{
    Onnx__TensorProto *tensor = graph_tensor(g, name, DTYPE_INT64, 1, &count);
    tensor->n_int64_data = (size_t)count;
    tensor->int64_data = arena_take(&g->arena, (size_t)count * sizeof *values);
    memcpy(tensor->int64_data, values, (size_t)count * sizeof *values);
}

/* A tensor of unknown shape. */
static inline Onnx__ValueInfoProto *graph_value(struct graph *g, const char *name, int type)
{
    size_t at = g->value_count++;
    onnx__value_info_proto__init(&g->values[at]);
    onnx__type_proto__init(&g->types[at]);
    onnx__type_proto__tensor__init(&g->tensor_types[at]);
    g->values[at].name = (char *)name;
    g->values[at].type = &g->types[at];
    g->types[at].value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    g->types[at].tensor_type = &g->tensor_types[at];
    g->tensor_types[at].has_elem_type = 1;
    g->tensor_types[at].elem_type = type;
    return &g->values[at];
}

static inline void graph_input(struct graph *g, const char *name, int type)
{
    g->inputs[g->graph.n_input++] = graph_value(g, name, type);
}

static inline void graph_output(struct graph *g, const char *name, int type)
{
    g->outputs[g->graph.n_output++] = graph_value(g, name, type);
}

/* Packs the file into `out` (buffer_free it) and frees the builder's memory. */
static inline void graph_pack(struct graph *g, struct buffer *out)
{
    size_t bytes = onnx__model_proto__get_packed_size(&g->model);
    out->bytes += onnx__model_proto__pack(&g->model, (uint8_t *)buffer_reserve(out, bytes));
    arena_free(&g->arena);
}
