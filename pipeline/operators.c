/* The table of operators. Called by compile.c during the walk, at load only. */
#include "pipeline/operators.h"

#include <string.h>

static const struct operator_row OPERATORS[] = {
    {"Abs", false, 1, 1, 1, "", compile_abs},
    {"Add", false, 2, 2, 1, "", compile_arithmetic},
    {"ArgMax", false, 1, 1, 1, "axis|keepdims|select_last_index|", compile_arg_max},
    {"Cast", false, 1, 1, 1, "to|saturate|", compile_cast},
    {"Clip", false, 1, 3, 1, "min|max|", compile_clip},
    {"Concat", false, 1, SIZE_MAX, 1, "axis|", compile_concat},
    {"Div", false, 2, 2, 1, "", compile_arithmetic},
    {"Gather", false, 2, 2, 1, "axis|", compile_gather},
    {"Identity", false, 1, 1, 1, "", compile_identity},
    {"IsNaN", false, 1, 1, 1, "", compile_is_nan},
    {"MatMul", false, 2, 2, 1, "", compile_matmul},
    {"Mul", false, 2, 2, 1, "", compile_arithmetic},
    {"ReduceSum", false, 1, 2, 1, "axes|keepdims|noop_with_empty_axes|", compile_reduce_sum},
    {"Reshape", false, 2, 2, 1, "allowzero|", compile_reshape},
    {"Sigmoid", false, 1, 1, 1, "", compile_sigmoid},
    {"Sub", false, 2, 2, 1, "", compile_arithmetic},
    {"Where", false, 3, 3, 1, "", compile_where},
    {"ArrayFeatureExtractor", true, 2, 2, 1, "", compile_array_feature_extractor},
    {"Imputer", true, 1, 1, 1, "imputed_value_floats|replaced_value_float|", compile_imputer},
    {"LabelEncoder", true, 1, 1, 1,
     "keys_strings|keys_int64s|values_strings|values_int64s|values_floats|default_string|default_int64|default_float|",
     compile_label_encoder},
    {"LinearClassifier", true, 1, 1, 2,
     "classlabels_ints|classlabels_strings|coefficients|intercepts|multi_class|post_transform|",
     compile_linear_classifier},
    {"OneHotEncoder", true, 1, 1, 1, "cats_strings|cats_int64s|zeros|", compile_one_hot_encoder},
    {"Scaler", true, 1, 1, 1, "offset|scale|", compile_scaler},
    {"TreeEnsembleClassifier", true, 1, 1, 2,
     "base_values|base_values_as_tensor|class_ids|class_nodeids|class_treeids|class_weights|class_weights_as_tensor|"
     "classlabels_int64s|classlabels_strings|nodes_falsenodeids|nodes_featureids|nodes_hitrates|nodes_hitrates_as_"
     "tensor|"
     "nodes_missing_value_tracks_true|nodes_modes|nodes_nodeids|nodes_treeids|nodes_truenodeids|nodes_values|"
     "nodes_values_as_tensor|post_transform|",
     compile_tree_ensemble},
    {"ZipMap", true, 1, 1, 1, "classlabels_int64s|classlabels_strings|", compile_zip_map},
};

const struct operator_row *operator_find(const struct onnx_node *node)
{
    if (*node->domain && !node->ml)
        return NULL;
    for (size_t o = 0; o < sizeof OPERATORS / sizeof *OPERATORS; o++)
        if (OPERATORS[o].ml == node->ml && !strcmp(OPERATORS[o].name, node->op))
            return &OPERATORS[o];
    return NULL;
}
