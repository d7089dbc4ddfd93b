/* The table of operators and what their bodies share. Called by compile.c during the walk, at load only. */
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

enum status operation_unsupported(struct operation *operation, const char *what)
{
    return error_set(operation->err, STATUS_UNSUPPORTED, "%s: this form is not supported (docs/MODELS.md)", what);
}

enum status operation_invalid(struct operation *operation, const char *what)
{
    return error_set(operation->err, STATUS_INVALID, "%s: the graph is not sound ONNX: export it again", what);
}

enum status operation_int(struct operation *operation, const char *name, int64_t fallback, int64_t *out)
{
    const struct onnx_attribute *attribute = onnx_attribute_find(operation->node, name);
    if (attribute && attribute->type != ATTRIBUTE_INT)
        return operation_invalid(operation, name);
    *out = attribute ? attribute->ints[0] : fallback;
    return STATUS_OK;
}

enum status operation_axis(struct operation *operation, int64_t axis, size_t rank, size_t *out)
{
    int64_t positive = axis < 0 ? axis + (int64_t)rank : axis;
    if (positive < 0 || positive >= (int64_t)rank)
        return operation_invalid(operation, "an axis that the tensor does not have");
    *out = (size_t)positive;
    return STATUS_OK;
}

uint32_t *operation_output(struct operation *operation, enum dtype dtype, bool rows, size_t rank, const size_t *dims)
{
    struct value *output = &operation->outputs[0];
    output->kind = VALUE_TENSOR;
    output->dtype = dtype;
    output->rows = rows;
    output->rank = rank;
    output->count = 1;
    for (size_t d = 0; d < rank; d++) {
        output->dims[d] = dims[d];
        if (__builtin_mul_overflow(output->count, dims[d], &output->count) || output->count > EXPR_MAX) {
            operation->pool->overflow = STATUS_LIMIT;
            output->count = 0;
        }
    }
    if (!expr_pool_room(operation->pool, output->count, sizeof(uint32_t)))
        output->count = 0;
    uint32_t *cells = expr_pool_take(operation->pool, output->count, sizeof *cells);
    output->cells = cells;
    return cells;
}

enum status operation_constants(struct operation *operation, const struct value *value, const char *what)
{
    if (value->kind != VALUE_TENSOR || value->rows)
        return operation_unsupported(operation, what);
    for (size_t c = 0; c < value->count; c++)
        if (expr_at(operation->pool, value->cells[c])->op != EXPR_NUMBER)
            return operation_unsupported(operation, what);
    return STATUS_OK;
}
