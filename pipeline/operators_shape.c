/* Operators that move elements without computing: joining, picking, reshaping; and the predicted class, which is only
 * followed as far as its labels. Called during the walk (compile.c), at load only. */
#include "pipeline/operators.h"

#include <stdio.h>

enum status compile_identity(struct operation *operation)
{
    operation->outputs[0] = *operation->inputs[0];
    return STATUS_OK;
}

/* All operands alike but along the axis; *along is the sum there. */
static enum status concat_check(struct operation *operation, size_t axis, size_t *along)
{
    const struct value *first = operation->inputs[0];
    for (size_t i = 0; i < operation->input_count; i++) {
        const struct value *input = operation->inputs[i];
        if (input->kind != VALUE_TENSOR || input->rows != first->rows || (input->rows && axis == 0))
            return operation_unsupported(operation, "joining rows with constants, or batches");
        if (input->dtype != first->dtype || input->rank != first->rank)
            return operation_invalid(operation, "operands of different types or ranks");
        for (size_t d = 0; d < first->rank; d++)
            if (d != axis && input->dims[d] != first->dims[d])
                return operation_invalid(operation, "operands whose shapes do not fit");
        *along += input->dims[axis];
    }
    return STATUS_OK;
}

enum status compile_concat(struct operation *operation)
{
    const struct value *first = operation->inputs[0];
    int64_t given = 0;
    size_t axis = 0, along = 0;
    if (operation_int(operation, "axis", INT64_MAX, &given) != STATUS_OK ||
        operation_axis(operation, given, first->rank, &axis) != STATUS_OK ||
        concat_check(operation, axis, &along) != STATUS_OK)
        return operation->err->status;
    size_t dims[TENSOR_MAX_RANK], outer = 1, inner = 1, at = 0;
    for (size_t d = 0; d < first->rank; d++) {
        dims[d] = d == axis ? along : first->dims[d];
        outer *= d < axis ? dims[d] : 1;
        inner *= d > axis ? dims[d] : 1;
    }
    uint32_t *cells = operation_output(operation, first->dtype, first->rows, first->rank, dims);
    if (operation->outputs[0].count == 0)
        return STATUS_OK;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < operation->input_count; i++) {
            size_t run = operation->inputs[i]->dims[axis] * inner;
            for (size_t c = 0; c < run; c++)
                cells[at++] = operation->inputs[i]->cells[o * run + c];
        }
    return STATUS_OK;
}

enum status compile_class_label(struct operation *operation, const struct value *labels, const struct value *chosen)
{
    struct class_labels *named = expr_pool_take(operation->pool, 1, sizeof *named);
    if (labels->kind != VALUE_TENSOR || labels->rows || labels->count != chosen->count)
        return operation_unsupported(operation, "labels other than one constant for each class");
    named->integers = labels->dtype != DTYPE_TEXT;
    named->count = labels->count;
    for (size_t l = 0; l < labels->count; l++) {
        const struct expr *label = expr_at(operation->pool, labels->cells[l]);
        char digits[32];
        if (label->op == EXPR_TEXT) {
            named->texts[l] = expr_pool_text(operation->pool, label->text);
        } else if (dtype_is_whole(labels->dtype) && label->op == EXPR_NUMBER) {
            snprintf(digits, sizeof digits, "%.0f", label->number);
            named->texts[l] = expr_pool_text(operation->pool, span_of(digits));
        } else {
            return operation_unsupported(operation, "labels that are neither texts nor integers");
        }
    }
    operation->outputs[0] = *chosen;
    operation->outputs[0].dtype = labels->dtype;
    operation->outputs[0].labels = named;
    return STATUS_OK;
}

/* data along `axis`, in the order of constant indices; the indices' shape takes the axis's place. */
static enum status gather_cells(struct operation *operation, const struct value *data, const struct value *indices,
                                size_t axis)
{
    size_t dims[TENSOR_MAX_RANK], rank = 0, outer = 1, inner = 1;
    if (data->rank - 1 + indices->rank > TENSOR_MAX_RANK)
        return operation_unsupported(operation, "a result of more than four dimensions");
    for (size_t d = 0; d < data->rank; d++) {
        outer *= d < axis ? data->dims[d] : 1;
        inner *= d > axis ? data->dims[d] : 1;
        for (size_t i = 0; d == axis && i < indices->rank; i++)
            dims[rank++] = indices->dims[i];
        if (d != axis)
            dims[rank++] = data->dims[d];
    }
    uint32_t *cells = operation_output(operation, data->dtype, data->rows, rank, dims);
    size_t along = data->dims[axis], at = 0;
    for (size_t o = 0; o < outer && operation->outputs[0].count; o++)
        for (size_t i = 0; i < indices->count; i++) {
            double given = operation_constant(operation, indices, i);
            double index = given < 0 ? given + (double)along : given;
            if (!(index >= 0 && index < (double)along))
                return operation_invalid(operation, "an index beyond the data");
            for (size_t c = 0; c < inner; c++)
                cells[at++] = data->cells[(o * along + (size_t)index) * inner + c];
        }
    return STATUS_OK;
}

enum status compile_gather(struct operation *operation)
{
    const struct value *data = operation->inputs[0], *indices = operation->inputs[1];
    int64_t given = 0;
    size_t axis = 0;
    if (operation_int(operation, "axis", 0, &given) != STATUS_OK ||
        operation_axis(operation, given, data->rank, &axis) != STATUS_OK)
        return operation->err->status;
    if (indices->kind == VALUE_CLASS && axis == 0 && data->rank == 1)
        return compile_class_label(operation, data, indices);
    if (data->kind != VALUE_TENSOR || (data->rows && axis == 0) || !dtype_is_whole(indices->dtype))
        return operation_unsupported(operation, "picking rows of a batch");
    enum status status = operation_constants(operation, indices, "indices that are not constant");
    return status != STATUS_OK ? status : gather_cells(operation, data, indices, axis);
}

/* New dimensions from the constant shape; −1 takes what is left, 0 keeps. */
static enum status reshape_dims(struct operation *operation, const struct value *data, const struct value *shape,
                                size_t *dims)
{
    size_t known = 1, open = SIZE_MAX;
    for (size_t d = 0; d < shape->count; d++) {
        double dim = operation_constant(operation, shape, d);
        bool batch = d == 0 && data->rows;
        if (dim < -1 || (dim == 0 && d >= data->rank) || dim > EXPR_MAX)
            return operation_invalid(operation, "a shape that the data do not have");
        if (batch && dim > 0)
            return operation_unsupported(operation, "a fixed number of rows");
        if (dim == -1 && open != SIZE_MAX)
            return operation_invalid(operation, "two open dimensions");
        dims[d] = dim > 0 ? (size_t)dim : dim == 0 ? data->dims[d] : 1;
        if (dim == -1)
            open = d;
        if (__builtin_mul_overflow(known, dims[d], &known))
            return operation_invalid(operation, "a shape that the data do not have");
    }
    if (open != SIZE_MAX && !(open == 0 && data->rows)) {
        if (known == 0 || data->count % known)
            return operation_invalid(operation, "a shape that the data do not have");
        dims[open] = data->count / known;
        known = data->count;
    }
    /* With an open batch axis, elements that do not fill a row would flow into the next one. */
    return known == data->count ? STATUS_OK : operation_unsupported(operation, "a shape across rows");
}

enum status compile_reshape(struct operation *operation)
{
    const struct value *data = operation->inputs[0], *shape = operation->inputs[1];
    if (operation_constants(operation, shape, "a shape that is not constant") != STATUS_OK)
        return operation->err->status;
    int64_t allow_zero = 0;
    if (operation_int(operation, "allowzero", 0, &allow_zero) != STATUS_OK)
        return operation->err->status;
    if (data->kind == VALUE_CLASS)
        return compile_identity(operation);
    size_t dims[TENSOR_MAX_RANK];
    if (data->kind != VALUE_TENSOR || shape->dtype != DTYPE_INT64 || shape->rank != 1 ||
        shape->count > TENSOR_MAX_RANK || allow_zero || (data->rows && shape->count == 0))
        return operation_unsupported(operation, "a shape");
    if (reshape_dims(operation, data, shape, dims) != STATUS_OK)
        return operation->err->status;
    uint32_t *cells = operation_output(operation, data->dtype, data->rows, shape->count, dims);
    for (size_t c = 0; c < operation->outputs[0].count; c++)
        cells[c] = data->cells[c];
    operation->outputs[0].labels = data->labels;
    return STATUS_OK;
}

/* The index of the largest score of a row. */
enum status compile_arg_max(struct operation *operation)
{
    static const struct class_labels INDICES = {true, CLASS_COUNT, {{"0", 1}, {"1", 1}}};
    const struct value *scores = operation->inputs[0];
    int64_t axis = 0, last = 0;
    size_t along = 0;
    if (operation_int(operation, "axis", 0, &axis) != STATUS_OK ||
        operation_int(operation, "select_last_index", 0, &last) != STATUS_OK ||
        operation_axis(operation, axis, scores->rank, &along) != STATUS_OK)
        return operation->err->status;
    if (scores->kind != VALUE_TENSOR || !scores->rows || scores->rank != 2 || along != 1 || last)
        return operation_unsupported(operation, "other than the largest score of a row");
    if (scores->count != CLASS_COUNT)
        return operation_unsupported(operation, "more or fewer than two classes");
    operation->outputs[0] = *scores;
    operation->outputs[0].kind = VALUE_CLASS;
    operation->outputs[0].dtype = DTYPE_INT64;
    operation->outputs[0].labels = &INDICES;
    return STATUS_OK;
}
