/* See operation.h. Called by the operators' bodies during the walk, at load only. */
#include "pipeline/operation.h"

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

enum status operation_axis_attribute(struct operation *operation, int64_t fallback, size_t rank, size_t *out)
{
    int64_t axis = 0;
    if (operation_int(operation, "axis", fallback, &axis) != STATUS_OK)
        return operation->err->status;
    return operation_axis(operation, axis, rank, out);
}

enum status operation_first_of_row(struct operation *operation, const char *what, bool *keep)
{
    const struct value *input = operation->inputs[0];
    int64_t last = 0, kept = 1;
    size_t axis = 0;
    if (operation_int(operation, "select_last_index", 0, &last) != STATUS_OK ||
        operation_int(operation, "keepdims", 1, &kept) != STATUS_OK ||
        operation_axis_attribute(operation, 0, input->rank, &axis) != STATUS_OK)
        return operation->err->status;
    if (input->kind != VALUE_TENSOR || !input->rows || input->rank != 2 || axis != 1 || last)
        return operation_unsupported(operation, what);
    *keep = kept;
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
