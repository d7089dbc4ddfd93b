/* The operators that can be compiled: one table, their bodies in operators_*.c. */
#ifndef PIPELINE_OPERATORS_H
#define PIPELINE_OPERATORS_H

#include "pipeline/operation.h"

struct operator_row {
    const char *name;
    bool ml;
    size_t inputs_min, inputs_max, outputs_max;
    const char *attributes; /* "axis|keepdims|": the attributes it understands; another one is refused */
    enum status (*compile)(struct operation *operation);
};

/* NULL: not supported. */
const struct operator_row *operator_find(const struct onnx_node *node);

/* For classifiers (operators_ml.c). The input, its integers as floats: what onnxruntime's classifiers make of
 * them. */
MUST_USE enum status operation_floats(struct operation *operation, const struct value *input, struct value *out);
/* Class labels from attributes; *out stays NULL if the node has none. */
MUST_USE enum status operation_labels(struct operation *operation, const char *ints_name, const char *texts_name,
                                      const struct class_labels **out);
/* A classifier's outputs, the class and both probabilities (CLASS_COUNT expressions from the pool), under its labels.
 */
void operation_classify(struct operation *operation, uint32_t *probabilities, const struct class_labels *labels);

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
