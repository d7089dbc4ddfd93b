/* An ONNX file as a graph in our own types. Plain data, read-only; it lives as long as its struct onnx_file. */
#pragma once

#include "base/bytes.h"
#include "base/status.h"

/* ONNX's element types that tabular pipelines use; the numbers are TensorProto.DataType's. */
enum dtype {
    DTYPE_NONE = 0,
    DTYPE_FLOAT = 1,
    DTYPE_UINT8 = 2, /* of attributes alone */
    DTYPE_INT32 = 6,
    DTYPE_INT64 = 7,
    DTYPE_TEXT = 8,
    DTYPE_BOOL = 9,
    DTYPE_DOUBLE = 11,
};
const char *dtype_name(enum dtype dtype); /* "float", …; "type N" for others */

static inline bool dtype_is_real(enum dtype dtype)
{
    return dtype == DTYPE_FLOAT || dtype == DTYPE_DOUBLE;
}
static inline bool dtype_is_whole(enum dtype dtype)
{
    return dtype == DTYPE_INT32 || dtype == DTYPE_INT64;
}

enum { TENSOR_MAX_RANK = 4 };

/* Elements in row-major order. Integers stand in `numbers` too: they are exact there, or the file is refused. */
struct onnx_tensor {
    struct span name;
    enum dtype dtype;
    size_t rank;
    int64_t dims[TENSOR_MAX_RANK];
    size_t count;
    const double *numbers;    /* all but text */
    const struct span *texts; /* text */
};

enum attribute_type { /* AttributeProto.AttributeType's numbers */
                      ATTRIBUTE_FLOAT = 1,
                      ATTRIBUTE_INT = 2,
                      ATTRIBUTE_TEXT = 3,
                      ATTRIBUTE_TENSOR = 4,
                      ATTRIBUTE_FLOATS = 6,
                      ATTRIBUTE_INTS = 7,
                      ATTRIBUTE_TEXTS = 8,
                      ATTRIBUTE_OTHER = 99, /* graphs, types, sparse tensors: no operator here takes them */
};

struct onnx_attribute {
    const char *name;
    enum attribute_type type;
    size_t count;
    const float *floats;      /* FLOAT (one) and FLOATS */
    const int64_t *ints;      /* INT (one) and INTS */
    const struct span *texts; /* TEXT (one) and TEXTS */
    const struct onnx_tensor *tensor;
};

struct onnx_node {
    const char *op;
    const char *name;                    /* its own, else its first output's */
    const char *domain;                  /* "" for ai.onnx */
    bool ml;                             /* domain ai.onnx.ml */
    const struct span *inputs, *outputs; /* an empty name: left out */
    size_t input_count, output_count;
    const struct onnx_attribute *attributes;
    size_t attribute_count;
};

/* A graph's input or output. dims: −1 where the file leaves it open. */
struct onnx_value {
    struct span name;
    bool is_tensor; /* else a sequence or map: dtype, rank and dims mean nothing */
    enum dtype dtype;
    bool has_shape;
    size_t rank;
    int64_t dims[TENSOR_MAX_RANK];
};

struct onnx_property {
    const char *key, *value;
};

struct onnx_graph {
    const struct onnx_node *nodes;
    size_t node_count;
    const struct onnx_tensor *initializers;
    size_t initializer_count;
    const struct onnx_value *inputs, *outputs; /* inputs without those that only name an initializer */
    size_t input_count, output_count;
    const struct onnx_property *properties;
    size_t property_count;
    int64_t opset, opset_ml; /* 0: not imported */
};

struct onnx_file;

/* Guarded (onnx_limits.h), unpacked, converted. Free with onnx_close. STATUS_INVALID, STATUS_LIMIT, STATUS_UNSUPPORTED.
 */
MUST_USE enum status onnx_open(struct span bytes, struct onnx_file **out, struct error *err);
void onnx_close(struct onnx_file *file);
const struct onnx_graph *onnx_file_graph(const struct onnx_file *file);

/* NULL if the node has none of that name. */
const struct onnx_attribute *onnx_attribute_find(const struct onnx_node *node, const char *name);
