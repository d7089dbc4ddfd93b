/* Inside of onnx_write.c: making the messages of a file. Everything lives in the writer's arena, but packed lists. */
#pragma once

#include "base/memory.h"
#include "onnx/onnx.pb-c.h"
#include "pipeline/onnx/onnx_write.h"

#define FLOAT32 ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT
#define FLOAT64 ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE
#define INT64 ONNX__TENSOR_PROTO__DATA_TYPE__INT64
#define UINT8 ONNX__TENSOR_PROTO__DATA_TYPE__UINT8
#define TEXT ONNX__TENSOR_PROTO__DATA_TYPE__STRING

enum { NODE_ATTRIBUTES = 16 }; /* of one node at most */

struct onnx_writer {
    const struct linear_model *model;
    const struct written_trees *trees; /* NULL: linear */
    struct arena arena;
    Onnx__GraphProto graph;
    size_t number_count, feature_count; /* numeric columns; columns of the design matrix */
    int64_t opset_ml;
    struct buffer packed[NODE_ATTRIBUTES]; /* lists of the trees' operator, as they stand in the file */
    size_t packed_count;
};

char *writer_text(struct onnx_writer *writer, const char *text);
/* b and c may be NULL. */
Onnx__NodeProto *writer_node(struct onnx_writer *writer, const char *op, const char *domain, const char *a,
                             const char *b, const char *c, const char *output);
/* An initializer of a graph; its data arrays are the caller's to fill. */
Onnx__TensorProto *writer_tensor(struct onnx_writer *writer, const char *name, int32_t type, const int64_t *dims,
                                 size_t rank);
Onnx__AttributeProto *node_attribute(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name,
                                     Onnx__AttributeProto__AttributeType type);
void node_int(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name, int64_t value);
/* The label of the scores, and the graph's outputs; type: of the probabilities. */
void write_label(struct onnx_writer *writer, const char *scores, int32_t type);

/* onnx_write_ensemble.c: model.floats → TreeEnsemble → `output`, the two classes' probabilities. */
void onnx_write_shares(struct onnx_writer *writer, const char *output);
