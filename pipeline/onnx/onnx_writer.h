/* Inside of onnx_write.c and onnx_write_ensemble.c: making the messages of a file. Everything lives in the writer's
 * arena, but packed lists. */
#pragma once

#include "base/memory.h"
#include "onnx/onnx.pb-c.h"
#include "pipeline/onnx/onnx_model.h"

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
ProtobufCBinaryData writer_bytes(struct onnx_writer *writer, struct span span);
/* An initializer of doubles, to be filled. */
double *writer_doubles(struct onnx_writer *writer, const char *name, int64_t rows, int64_t columns);
/* A node with up to `count` inputs from a list, one output, named after its output. */
Onnx__NodeProto *writer_node_list(struct onnx_writer *writer, const char *op, const char *domain, char **inputs,
                                  size_t count, const char *output);
/* b and c may be NULL. */
Onnx__NodeProto *writer_node(struct onnx_writer *writer, const char *op, const char *domain, const char *a,
                             const char *b, const char *c, const char *output);
/* An initializer of a graph; its data arrays are the caller's to fill. */
Onnx__TensorProto *writer_tensor(struct onnx_writer *writer, const char *name, int32_t type, const int64_t *dims,
                                 size_t rank);
Onnx__AttributeProto *node_attribute(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name,
                                     Onnx__AttributeProto__AttributeType type);
void node_int(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name, int64_t value);
int64_t *node_ints(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name, size_t count);
/* An input or output; width 0: a list. */
Onnx__ValueInfoProto *writer_value(struct onnx_writer *writer, const char *name, int32_t type, int64_t width);
