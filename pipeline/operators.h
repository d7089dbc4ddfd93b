/* The operators that can be compiled: one table, their bodies in operators_*.c and ensemble.c. */
#pragma once

#include "pipeline/operation.h"

struct operator_row {
    const char *name;
    bool ml;
    size_t inputs_min, inputs_max, outputs_max;
    const char *attributes; /* "axis|keepdims|": the attributes it understands; another one is refused */
    enum status (*compile)(struct operation *operation);
};

enum { OPERATOR_MAX_OUTPUTS = 16 };

/* In operator_row's order. */
/* clang-format off */
#define OPERATOR_TABLE(OPERATOR) \
    OPERATOR("Abs", false, 1, 1, 1, "", compile_abs) \
    OPERATOR("Add", false, 2, 2, 1, "", compile_arithmetic) \
    OPERATOR("And", false, 2, 2, 1, "", compile_logic) \
    OPERATOR("ArgMax", false, 1, 1, 1, "axis|keepdims|select_last_index|", compile_arg_max) \
    OPERATOR("ArgMin", false, 1, 1, 1, "axis|keepdims|select_last_index|", compile_arg_min) \
    OPERATOR("Cast", false, 1, 1, 1, "to|saturate|", compile_cast) \
    OPERATOR("Clip", false, 1, 3, 1, "min|max|", compile_clip) \
    OPERATOR("Concat", false, 1, SIZE_MAX, 1, "axis|", compile_concat) \
    OPERATOR("ConstantOfShape", false, 1, 1, 1, "value|", compile_constant_of_shape) \
    OPERATOR("Div", false, 2, 2, 1, "", compile_arithmetic) \
    OPERATOR("Equal", false, 2, 2, 1, "", compile_compare) \
    OPERATOR("Exp", false, 1, 1, 1, "", compile_function) \
    OPERATOR("Flatten", false, 1, 1, 1, "axis|", compile_flatten) \
    OPERATOR("Gather", false, 2, 2, 1, "axis|", compile_gather) \
    OPERATOR("Greater", false, 2, 2, 1, "", compile_compare) \
    OPERATOR("GreaterOrEqual", false, 2, 2, 1, "", compile_compare) \
    OPERATOR("Identity", false, 1, 1, 1, "", compile_identity) \
    OPERATOR("IsNaN", false, 1, 1, 1, "", compile_is_nan) \
    OPERATOR("Less", false, 2, 2, 1, "", compile_compare) \
    OPERATOR("LessOrEqual", false, 2, 2, 1, "", compile_compare) \
    OPERATOR("Log", false, 1, 1, 1, "", compile_function) \
    OPERATOR("LpNormalization", false, 1, 1, 1, "axis|p|", compile_lp_normalization) \
    OPERATOR("MatMul", false, 2, 2, 1, "", compile_matmul) \
    OPERATOR("Max", false, 1, SIZE_MAX, 1, "", compile_variadic) \
    OPERATOR("Mean", false, 1, SIZE_MAX, 1, "", compile_variadic) \
    OPERATOR("Min", false, 1, SIZE_MAX, 1, "", compile_variadic) \
    OPERATOR("Mul", false, 2, 2, 1, "", compile_arithmetic) \
    OPERATOR("Neg", false, 1, 1, 1, "", compile_negate) \
    OPERATOR("Not", false, 1, 1, 1, "", compile_negate) \
    OPERATOR("Or", false, 2, 2, 1, "", compile_logic) \
    OPERATOR("Pow", false, 2, 2, 1, "", compile_arithmetic) \
    OPERATOR("Reciprocal", false, 1, 1, 1, "", compile_negate) \
    OPERATOR("ReduceLogSumExp", false, 1, 2, 1, "axes|keepdims|noop_with_empty_axes|", compile_reduce) \
    OPERATOR("ReduceMax", false, 1, 2, 1, "axes|keepdims|noop_with_empty_axes|", compile_reduce) \
    OPERATOR("ReduceMean", false, 1, 2, 1, "axes|keepdims|noop_with_empty_axes|", compile_reduce) \
    OPERATOR("ReduceMin", false, 1, 2, 1, "axes|keepdims|noop_with_empty_axes|", compile_reduce) \
    OPERATOR("ReduceProd", false, 1, 2, 1, "axes|keepdims|noop_with_empty_axes|", compile_reduce) \
    OPERATOR("ReduceSum", false, 1, 2, 1, "axes|keepdims|noop_with_empty_axes|", compile_reduce) \
    OPERATOR("Relu", false, 1, 1, 1, "", compile_negate) \
    OPERATOR("Reshape", false, 2, 2, 1, "allowzero|", compile_reshape) \
    OPERATOR("Shape", false, 1, 1, 1, "", compile_shape) \
    OPERATOR("Sigmoid", false, 1, 1, 1, "", compile_sigmoid) \
    OPERATOR("Slice", false, 3, 5, 1, "", compile_slice) \
    OPERATOR("Softmax", false, 1, 1, 1, "axis|", compile_softmax) \
    OPERATOR("Split", false, 1, 2, OPERATOR_MAX_OUTPUTS, "axis|split|num_outputs|", compile_split) \
    OPERATOR("Sqrt", false, 1, 1, 1, "", compile_function) \
    OPERATOR("Sub", false, 2, 2, 1, "", compile_arithmetic) \
    OPERATOR("Sum", false, 1, SIZE_MAX, 1, "", compile_variadic) \
    OPERATOR("Tanh", false, 1, 1, 1, "", compile_function) \
    OPERATOR("Where", false, 3, 3, 1, "", compile_where) \
    OPERATOR("ArrayFeatureExtractor", true, 2, 2, 1, "", compile_array_feature_extractor) \
    OPERATOR("Binarizer", true, 1, 1, 1, "threshold|", compile_binarizer) \
    OPERATOR("Imputer", true, 1, 1, 1, "imputed_value_floats|replaced_value_float|", compile_imputer) \
    OPERATOR("LabelEncoder", true, 1, 1, 1, "keys_strings|keys_int64s|values_strings|values_int64s|values_floats|default_string|default_int64|default_float|", compile_label_encoder) \
    OPERATOR("LinearClassifier", true, 1, 1, 2, "classlabels_ints|classlabels_strings|coefficients|intercepts|multi_class|post_transform|", compile_linear_classifier) \
    OPERATOR("Normalizer", true, 1, 1, 1, "norm|", compile_normalizer) \
    OPERATOR("OneHotEncoder", true, 1, 1, 1, "cats_strings|cats_int64s|zeros|", compile_one_hot_encoder) \
    OPERATOR("SVMClassifier", true, 1, 1, 2, "classlabels_ints|classlabels_strings|coefficients|kernel_params|kernel_type|post_transform|prob_a|prob_b|rho|support_vectors|vectors_per_class|", compile_svm_classifier) \
    OPERATOR("Scaler", true, 1, 1, 1, "offset|scale|", compile_scaler) \
    OPERATOR("TreeEnsemble", true, 1, 1, 1, "aggregate_function|leaf_targetids|leaf_weights|membership_values|n_targets|nodes_falseleafs|nodes_falsenodeids|nodes_featureids|nodes_hitrates|nodes_missing_value_tracks_true|nodes_modes|nodes_splits|nodes_trueleafs|nodes_truenodeids|post_transform|tree_roots|", compile_tree_targets) \
    OPERATOR("TreeEnsembleClassifier", true, 1, 1, 2, "base_values|base_values_as_tensor|class_ids|class_nodeids|class_treeids|class_weights|class_weights_as_tensor|classlabels_int64s|classlabels_strings|nodes_falsenodeids|nodes_featureids|nodes_hitrates|nodes_hitrates_as_tensor|nodes_missing_value_tracks_true|nodes_modes|nodes_nodeids|nodes_treeids|nodes_truenodeids|nodes_values|nodes_values_as_tensor|post_transform|", compile_tree_ensemble) \
    OPERATOR("TreeEnsembleRegressor", true, 1, 1, 1, "aggregate_function|base_values|base_values_as_tensor|n_targets|nodes_falsenodeids|nodes_featureids|nodes_hitrates|nodes_hitrates_as_tensor|nodes_missing_value_tracks_true|nodes_modes|nodes_nodeids|nodes_treeids|nodes_truenodeids|nodes_values|nodes_values_as_tensor|post_transform|target_ids|target_nodeids|target_treeids|target_weights|target_weights_as_tensor|", compile_tree_targets) \
    OPERATOR("ZipMap", true, 1, 1, 1, "classlabels_int64s|classlabels_strings|", compile_zip_map)
/* clang-format on */

#define OPERATOR_BODY(name, ml, inputs_min, inputs_max, outputs_max, attributes, compile) \
    enum status compile(struct operation *operation);
OPERATOR_TABLE(OPERATOR_BODY)
#undef OPERATOR_BODY

/* Whether an operator's body takes the predicted class as it is, and one that takes a batch behind axis 0; all others
 * get its index, or are refused (compile.c). */
bool operator_takes_class(const struct operator_row *row);
bool operator_takes_flat(const struct operator_row *row); /* rows one after the other in one line */
bool operator_takes_stack(const struct operator_row *row);
/* Those that move the number of rows, or make a shape of it; nothing can be computed with it. */
bool operator_takes_row_count(const struct operator_row *row);

/* NULL: not supported. */
const struct operator_row *operator_find(const struct onnx_node *node);
/* Whether a list such as "axis|keepdims|" has the name; the empty one is in none. */
bool operator_list_has(const char *list, const char *name);

/* For classifiers (operators_ml.c). The input, its integers as floats: what onnxruntime's classifiers make of
 * them. */
MUST_USE enum status operation_floats(struct operation *operation, const struct value *input, struct value *out);
/* Class labels from attributes; *out stays NULL if the node has none. */
MUST_USE enum status operation_labels(struct operation *operation, const char *ints_name, const char *texts_name,
                                      const struct class_labels **out);
/* A classifier's outputs, the class and both probabilities (CLASS_COUNT expressions from the pool), under its labels.
 */
void operation_classify(struct operation *operation, uint32_t *probabilities, const struct class_labels *labels);

/* The element of constant data at a position that ArgMin found: of isotonic calibration. */
enum status operation_pick_nearest(struct operation *operation, const struct value *data, const struct value *position);

/* Picks the predicted class's label out of a constant vector: Gather's and ArrayFeatureExtractor's way to name classes.
 */
enum status compile_class_label(struct operation *operation, const struct value *labels, const struct value *chosen);
