/* The operators that can be compiled: one table, their bodies in operators_*.c. */
#ifndef PIPELINE_OPERATORS_H
#define PIPELINE_OPERATORS_H

#include "pipeline/compile.h"

/* One operator at work. Inputs left out are NULL; outputs are zeroed, to be filled. */
struct operation {
    struct expr_pool *pool;
    const struct onnx_node *node;
    const struct value *const *inputs;
    size_t input_count;
    struct value *outputs;
    size_t output_count;
    int64_t opset; /* of the node's domain */
    struct error *err;
};

struct operator_row {
    const char *name;
    bool ml;
    size_t inputs_min, inputs_max, outputs_max;
    const char *attributes; /* "axis|keepdims|": the attributes it understands; another one is refused */
    enum status (*compile)(struct operation *operation);
};

/* NULL: not supported. */
const struct operator_row *operator_find(const struct onnx_node *node);

/* Refusals, to be returned: they name the form, and the caller puts operator and node before it. */
enum status operation_unsupported(struct operation *operation, const char *what);
enum status operation_invalid(struct operation *operation, const char *what);

/* Attributes, or the default. A wrong type is refused by the return value. */
MUST_USE enum status operation_int(struct operation *operation, const char *name, int64_t fallback, int64_t *out);
/* −1 … rank − 1 made positive; refused beyond. */
MUST_USE enum status operation_axis(struct operation *operation, int64_t axis, size_t rank, size_t *out);

/* A tensor output with room for its cells (the product of dims); none, and the pool's overflow set, beyond its bounds.
 */
uint32_t *operation_output(struct operation *operation, enum dtype dtype, bool rows, size_t rank, const size_t *dims);
/* A whole number that is a constant; refused otherwise. */
MUST_USE enum status operation_constants(struct operation *operation, const struct value *value, const char *what);
/* The input, its whole numbers as floats: what onnxruntime's classifiers make of them. */
MUST_USE enum status operation_floats(struct operation *operation, const struct value *input, struct value *out);
/* Class labels from attributes; *out stays NULL if the node has none. */
MUST_USE enum status operation_labels(struct operation *operation, const char *ints_name, const char *texts_name,
                                      const struct class_labels **out);
/* A classifier's outputs, the class and both probabilities (CLASS_COUNT expressions from the pool), under its labels.
 */
void operation_classify(struct operation *operation, uint32_t *probabilities, const struct class_labels *labels);
static inline double operation_constant(const struct operation *operation, const struct value *value, size_t cell)
{
    return expr_at(operation->pool, value->cells[cell])->number;
}

/* ai.onnx: elementwise (operators_math.c) and shape (operators_shape.c) */
enum status compile_is_nan(struct operation *operation);
enum status compile_where(struct operation *operation);
enum status compile_arithmetic(struct operation *operation);
enum status compile_clip(struct operation *operation);
enum status compile_cast(struct operation *operation);
enum status compile_sigmoid(struct operation *operation);
enum status compile_abs(struct operation *operation);
enum status compile_reduce_sum(struct operation *operation);
enum status compile_matmul(struct operation *operation);
enum status compile_concat(struct operation *operation);
enum status compile_gather(struct operation *operation);
enum status compile_reshape(struct operation *operation);
enum status compile_identity(struct operation *operation);
enum status compile_arg_max(struct operation *operation);
/* ai.onnx.ml (operators_ml.c) */
enum status compile_array_feature_extractor(struct operation *operation);
enum status compile_imputer(struct operation *operation);
enum status compile_label_encoder(struct operation *operation);
enum status compile_linear_classifier(struct operation *operation);
enum status compile_one_hot_encoder(struct operation *operation);
enum status compile_scaler(struct operation *operation);
enum status compile_zip_map(struct operation *operation);
enum status compile_tree_ensemble(struct operation *operation); /* ensemble.c */

/* Picks the predicted class's label out of a constant vector: Gather's and ArrayFeatureExtractor's way to name classes.
 */
enum status compile_class_label(struct operation *operation, const struct value *labels, const struct value *chosen);

#endif
