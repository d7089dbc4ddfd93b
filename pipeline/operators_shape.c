/* Operators that move elements without computing: joining, picking, reshaping; and the predicted class, which is only
 * followed as far as its labels. Called during the walk (compile.c), at load only. */
#include "pipeline/operators.h"

#include <math.h>
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
        if (input->kind != VALUE_TENSOR || input->rows != first->rows || input->batch != first->batch ||
            (input->rows && axis == input->batch))
            return operation_unsupported(operation, "joining rows with constants, or batches, as of scikit-learn's "
                                                    "estimators QuadraticDiscriminantAnalysis does (train "
                                                    "LinearDiscriminantAnalysis or GaussianNB instead)");
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
    size_t axis = 0, along = 0;
    if (operation_axis_attribute(operation, INT64_MAX, first->rank, &axis) != STATUS_OK ||
        concat_check(operation, axis, &along) != STATUS_OK)
        return operation->err->status;
    size_t dims[TENSOR_MAX_RANK], outer = 1, inner = 1, at = 0;
    for (size_t d = 0; d < first->rank; d++) {
        dims[d] = d == axis ? along : first->dims[d];
        outer *= d < axis ? dims[d] : 1;
        inner *= d > axis ? dims[d] : 1;
    }
    uint32_t *cells = operation_output(operation, first->dtype, first->rows, first->rank, dims);
    operation->outputs[0].batch = first->batch;
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
    operation->outputs[0].is_index = false;
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

/* Of a list of constants, at places that are computed: a search in quantiles. Each place must be in the list. */
static enum status gather_computed(struct operation *operation, const struct value *data, const struct value *indices)
{
    struct expr_pool *pool = operation->pool;
    if (operation_constants(operation, data, "picking from other than constants") != STATUS_OK)
        return operation->err->status;
    uint32_t *cells = operation_output(operation, data->dtype, true, indices->rank, indices->dims);
    if (pool->overflow || !expr_pool_room(pool, data->count, sizeof(double)))
        return STATUS_OK;
    double *values = expr_pool_take(pool, data->count, sizeof *values), low, high;
    struct expr_map *map = expr_pool_take(pool, 1, sizeof *map);
    for (size_t c = 0; c < data->count; c++)
        values[c] = operation_constant(operation, data, c);
    *map = (struct expr_map){.count = data->count, .number_values = values};
    for (size_t c = 0; c < operation->outputs[0].count && !pool->overflow; c++) {
        bool known = expr_range(pool, indices->cells[c], &low, &high);
        if (!pool->overflow && !(known && low >= 0 && high < (double)data->count))
            return operation_unsupported(operation, "places that may lie outside the list");
        cells[c] = pool->overflow ? 0 : expr_pick(pool, data->dtype, indices->cells[c], map);
    }
    return STATUS_OK;
}

enum status compile_gather(struct operation *operation)
{
    const struct value *data = operation->inputs[0], *indices = operation->inputs[1];
    size_t axis = 0;
    if (operation_axis_attribute(operation, 0, data->rank, &axis) != STATUS_OK)
        return operation->err->status;
    if (indices->kind == VALUE_CLASS && axis == 0 && data->rank == 1)
        return compile_class_label(operation, data, indices);
    if (data->kind != VALUE_TENSOR || (data->rows && axis == 0) || !dtype_is_whole(indices->dtype))
        return operation_unsupported(operation, "picking rows of a batch");
    if (indices->kind == VALUE_TENSOR && indices->rows && !data->rows && data->rank == 1 && data->dtype != DTYPE_TEXT)
        return gather_computed(operation, data, indices);
    enum status status = operation_constants(operation, indices, "indices that are not constant");
    return status != STATUS_OK ? status : gather_cells(operation, data, indices, axis);
}

/* The wanted dimension d: −1 takes what is left; NaN is the number of rows, from Shape. */
static double shape_dim(const struct operation *operation, const struct value *shape, size_t d)
{
    double dim = operation_constant(operation, shape, d);
    return isnan(dim) ? -1 : dim;
}

/* New dimensions from the constant shape; −1 takes what is left, 0 keeps. */
static enum status reshape_dims(struct operation *operation, const struct value *data, const struct value *shape,
                                size_t batch, size_t *dims)
{
    size_t known = 1, open = SIZE_MAX;
    for (size_t d = 0; d < shape->count; d++) {
        double dim = shape_dim(operation, shape, d);
        bool is_batch = d == batch && data->rows;
        if (dim < -1 || (dim == 0 && d >= data->rank) || dim > EXPR_MAX)
            return operation_invalid(operation, "a shape that the data do not have");
        if (is_batch && dim > 0)
            return operation_unsupported(operation, "a fixed number of rows");
        if (dim == -1 && open != SIZE_MAX)
            return operation_invalid(operation, "two open dimensions");
        dims[d] = dim > 0 ? (size_t)dim : dim == 0 ? data->dims[d] : 1;
        if (dim == -1)
            open = d;
        if (__builtin_mul_overflow(known, dims[d], &known))
            return operation_invalid(operation, "a shape that the data do not have");
    }
    if (open != SIZE_MAX && !(open == batch && data->rows)) {
        if (known == 0 || data->count % known)
            return operation_invalid(operation, "a shape that the data do not have");
        dims[open] = data->count / known;
        known = data->count;
    }
    /* With an open batch axis, elements that do not fill a row would flow into the next one. */
    return known == data->count ? STATUS_OK : operation_unsupported(operation, "a shape across rows");
}

/* [1, −1, k]: the batch goes behind an axis of one, for members of an ensemble to be stacked along it. */
static size_t reshape_batch(const struct operation *operation, const struct value *data, const struct value *shape)
{
    bool moved = data->rows && data->batch == 0 && shape->count > 1 && shape_dim(operation, shape, 0) == 1 &&
                 shape_dim(operation, shape, 1) == -1;
    return moved ? 1 : 0;
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
    if (data->kind != VALUE_TENSOR || shape->dtype != DTYPE_INT64 || shape->rank != 1 || data->batch ||
        shape->count > TENSOR_MAX_RANK || allow_zero || (data->rows && shape->count == 0))
        return operation_unsupported(operation, "a shape");
    if (data->flat && !(shape->count == 2 && shape_dim(operation, shape, 0) == -1 &&
                        shape_dim(operation, shape, 1) == (double)data->count))
        return operation_unsupported(operation, "a shape across rows");
    size_t batch = reshape_batch(operation, data, shape);
    if (reshape_dims(operation, data, shape, batch, dims) != STATUS_OK)
        return operation->err->status;
    uint32_t *cells = operation_output(operation, data->dtype, data->rows, shape->count, dims);
    for (size_t c = 0; c < operation->outputs[0].count; c++)
        cells[c] = data->cells[c];
    operation->outputs[0].batch = batch;
    operation->outputs[0].labels = data->labels;
    return STATUS_OK;
}

/* The first of the largest, as an integer: which interval a number lies in. */
static enum status arg_largest(struct operation *operation, const struct value *scores, bool keep)
{
    struct expr_pool *pool = operation->pool;
    if (scores->count == 0 || scores->count > EXPR_MAX_DEPTH / 4)
        return operation_unsupported(operation, "the largest of none or of so many");
    uint32_t *cells = operation_output(operation, DTYPE_INT64, true, keep ? 2 : 1, (size_t[]){1, 1});
    uint32_t best = scores->cells[0], index = expr_number(pool, DTYPE_INT64, 0);
    for (size_t c = 1; c < scores->count && !pool->overflow; c++) {
        uint32_t larger = expr_arithmetic(pool, EXPR_LESS, DTYPE_BOOL, best, scores->cells[c]);
        uint32_t here = expr_number(pool, DTYPE_INT64, (double)c);
        if (pool->overflow)
            break;
        index = expr_where(pool, larger, here, index);
        if (!pool->overflow)
            best = expr_where(pool, larger, scores->cells[c], best);
    }
    cells[0] = index;
    return STATUS_OK;
}

/* The index of the largest score of a row. */
enum status compile_arg_max(struct operation *operation)
{
    static const struct class_labels INDICES = {true, CLASS_COUNT, {{"0", 1}, {"1", 1}}};
    const struct value *scores = operation->inputs[0];
    bool keep;
    if (operation_first_of_row(operation, "other than the largest score of a row", &keep) != STATUS_OK)
        return operation->err->status;
    if (scores->count != CLASS_COUNT)
        return arg_largest(operation, scores, keep);
    operation->outputs[0] = *scores;
    operation->outputs[0].is_index = true;
    operation->outputs[0].rank = keep ? 2 : 1;
    operation->outputs[0].kind = VALUE_CLASS;
    operation->outputs[0].dtype = DTYPE_INT64;
    operation->outputs[0].labels = &INDICES;
    return STATUS_OK;
}

/* The dimensions as a constant; the number of rows is NaN, so that only a shape can be made of it. */
enum status compile_shape(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    if (input->kind != VALUE_TENSOR)
        return operation_unsupported(operation, "the shape of other than a tensor");
    uint32_t *cells = operation_output(operation, DTYPE_INT64, false, 1, (size_t[]){input->rank});
    for (size_t d = 0; d < operation->outputs[0].count && !operation->pool->overflow; d++)
        cells[d] =
            expr_number(operation->pool, DTYPE_INT64, input->rows && d == input->batch ? NAN : (double)input->dims[d]);
    operation->outputs[0].has_row_count = input->rows;
    return STATUS_OK;
}

enum status compile_constant_of_shape(struct operation *operation)
{
    const struct value *shape = operation->inputs[0];
    const struct onnx_attribute *given = onnx_attribute_find(operation->node, "value");
    size_t dims[TENSOR_MAX_RANK];
    bool rows = false;
    if (operation_constants(operation, shape, "a shape that is not constant") != STATUS_OK)
        return operation->err->status;
    if (shape->dtype != DTYPE_INT64 || shape->rank != 1 || shape->count > TENSOR_MAX_RANK ||
        (given && (given->type != ATTRIBUTE_TENSOR || given->tensor->count != 1 || given->tensor->texts)))
        return operation_unsupported(operation, "a shape");
    for (size_t d = 0; d < shape->count; d++) {
        double dim = operation_constant(operation, shape, d);
        rows |= isnan(dim);
        if (isnan(dim) ? d != 0 : !(dim >= 0 && dim <= EXPR_MAX))
            return operation_unsupported(operation, "a shape");
        dims[d] = isnan(dim) ? 1 : (size_t)dim;
    }
    enum dtype dtype = given ? given->tensor->dtype : DTYPE_FLOAT;
    uint32_t *cells = operation_output(operation, dtype, rows, shape->count, dims);
    uint32_t number = expr_number(operation->pool, dtype, given ? given->tensor->numbers[0] : 0);
    for (size_t c = 0; c < operation->outputs[0].count; c++)
        cells[c] = number;
    return STATUS_OK;
}

/* To two dimensions: behind the batch's axis, or the whole batch in one line (axis 0). */
enum status compile_flatten(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    int64_t axis = 1;
    if (operation_int(operation, "axis", 1, &axis) != STATUS_OK)
        return operation->err->status;
    if (input->kind != VALUE_TENSOR || !input->rows || (axis != 1 && axis != 0))
        return operation_unsupported(operation, "other than rows");
    uint32_t *cells = operation_output(operation, input->dtype, true, 2, (size_t[]){1, input->count});
    for (size_t c = 0; c < operation->outputs[0].count; c++)
        cells[c] = input->cells[c];
    operation->outputs[0].flat = axis == 0;
    return STATUS_OK;
}

/* Elements from … to − 1 of an axis, as output o. */
static void part_take(struct operation *operation, size_t o, size_t axis, size_t from, size_t to)
{
    const struct value *data = operation->inputs[0];
    struct value *outputs = operation->outputs;
    size_t dims[TENSOR_MAX_RANK] = {0}, outer = 1, inner = 1, at = 0;
    for (size_t d = 0; d < data->rank; d++) {
        dims[d] = d == axis ? to - from : data->dims[d];
        outer *= d < axis ? data->dims[d] : 1;
        inner *= d > axis ? data->dims[d] : 1;
    }
    operation->outputs = &outputs[o];
    uint32_t *cells = operation_output(operation, data->dtype, data->rows, data->rank, dims);
    for (size_t c = 0; c < outer && operation->outputs[0].count; c++)
        for (size_t i = from * inner; i < to * inner; i++)
            cells[at++] = data->cells[c * data->dims[axis] * inner + i];
    operation->outputs = outputs;
}

static enum status split_axis(struct operation *operation, size_t *axis)
{
    const struct value *data = operation->inputs[0];
    if (operation_axis_attribute(operation, 0, data->rank, axis) != STATUS_OK)
        return operation->err->status;
    if (data->kind != VALUE_TENSOR || (data->rows && *axis == 0))
        return operation_unsupported(operation, "parts of a batch");
    return STATUS_OK;
}

/* Lengths as an input (since version 13), as an attribute before; equal parts are not written by exporters. */
enum status compile_split(struct operation *operation)
{
    const struct value *lengths = operation->input_count > 1 ? operation->inputs[1] : NULL;
    const struct onnx_attribute *given = onnx_attribute_find(operation->node, "split");
    size_t axis = 0, from = 0, count = lengths ? lengths->count : given ? given->count : 0;
    if (split_axis(operation, &axis) != STATUS_OK)
        return operation->err->status;
    if (lengths && operation_constants(operation, lengths, "lengths that are not constant") != STATUS_OK)
        return operation->err->status;
    if (count != operation->output_count || (!lengths && given->type != ATTRIBUTE_INTS) ||
        (lengths && lengths->dtype != DTYPE_INT64))
        return operation_unsupported(operation, "parts without a length for each");
    for (size_t o = 0; o < count; o++) {
        double length = lengths ? operation_constant(operation, lengths, o) : (double)given->ints[o];
        if (!(length >= 0 && length <= (double)(operation->inputs[0]->dims[axis] - from)))
            return operation_invalid(operation, "parts beyond the data");
        part_take(operation, o, axis, from, from + (size_t)length);
        from += (size_t)length;
    }
    return from == operation->inputs[0]->dims[axis] ? STATUS_OK
                                                    : operation_invalid(operation, "parts that are not the whole");
}

/* One constant of a slice: an integer. */
static enum status slice_constant(struct operation *operation, size_t i, double *out)
{
    const struct value *input = operation->input_count > i ? operation->inputs[i] : NULL;
    if (!input)
        return STATUS_OK;
    if (input->count != 1 || !dtype_is_whole(input->dtype))
        return operation_unsupported(operation, "more than one axis");
    if (operation_constants(operation, input, "bounds that are not constant") != STATUS_OK)
        return operation->err->status;
    *out = operation_constant(operation, input, 0);
    return isnan(*out) ? operation_unsupported(operation, "bounds by the number of rows") : STATUS_OK;
}

enum status compile_slice(struct operation *operation)
{
    const struct value *data = operation->inputs[0];
    double from = 0, to = 0, given = 0, step = 1;
    size_t axis = 0;
    if (slice_constant(operation, 1, &from) != STATUS_OK || slice_constant(operation, 2, &to) != STATUS_OK ||
        slice_constant(operation, 3, &given) != STATUS_OK || slice_constant(operation, 4, &step) != STATUS_OK ||
        operation_axis(operation, fabs(given) < TENSOR_MAX_RANK ? (int64_t)given : INT64_MAX, data->rank, &axis) !=
            STATUS_OK)
        return operation->err->status;
    if (data->kind != VALUE_TENSOR || (data->rows && axis == 0) || step != 1)
        return operation_unsupported(operation, "parts of a batch, or steps");
    double most = (double)data->dims[axis];
    from = fmin(fmax(from < 0 ? from + most : from, 0), most);
    to = fmin(fmax(to < 0 ? to + most : to, 0), most);
    if (!(from < to))
        return operation_unsupported(operation, "an empty part");
    part_take(operation, 0, axis, (size_t)from, (size_t)to);
    return STATUS_OK;
}
