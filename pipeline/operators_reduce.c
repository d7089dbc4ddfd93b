/* Operators that bring an axis down to one element, and those that divide by what comes of it. Called during the walk
 * (compile.c), at load only. Sums of more than two are one LINEAR, so that they nest no deeper than any other. */
#include "pipeline/operators.h"

#include <math.h>

/* The axes of a reduction: an input since version 13, an attribute before. */
static enum status reduce_axis(struct operation *operation, size_t rank, size_t *out)
{
    const struct onnx_attribute *attribute = onnx_attribute_find(operation->node, "axes");
    const struct value *input = operation->input_count > 1 ? operation->inputs[1] : NULL;
    int64_t axis = 0;
    if (attribute && attribute->type == ATTRIBUTE_INTS && attribute->count == 1 && !input) {
        axis = attribute->ints[0];
    } else if (input && input->count == 1 && dtype_is_whole(input->dtype)) {
        if (operation_constants(operation, input, "axes that are not constant") != STATUS_OK)
            return operation->err->status;
        double given = operation_constant(operation, input, 0);
        axis = fabs(given) < TENSOR_MAX_RANK ? (int64_t)given : INT64_MAX; /* refused below */
    } else if (attribute || input || rank != 1) {                          /* of a list, all axes are one */
        return operation_unsupported(operation, "a reduction over other than one axis");
    }
    return operation_axis(operation, axis, rank, out);
}

/* Weight × the sum of cells `stride` apart. */
static uint32_t sum_of(struct operation *operation, enum dtype dtype, const uint32_t *cells, size_t count,
                       size_t stride, double weight)
{
    struct expr_pool *pool = operation->pool;
    if (count == 1 && weight == 1)
        return cells[0];
    if (count == 2 && weight == 1)
        return expr_arithmetic(pool, EXPR_ADD, dtype, cells[0], cells[stride]);
    if (!expr_pool_room(pool, count, sizeof(struct expr_term)))
        return 0;
    struct expr_terms *sum = expr_pool_take(pool, 1, sizeof *sum);
    struct expr_term *terms = expr_pool_take(pool, count, sizeof *terms);
    *sum = (struct expr_terms){count, terms};
    for (size_t c = 0; c < count; c++)
        terms[c] = (struct expr_term){cells[c * stride], weight};
    return expr_linear(pool, dtype, sum, 0);
}

/* One after the other by an operation of two. */
static uint32_t chain_of(struct operation *operation, enum expr_op op, enum dtype dtype, const uint32_t *cells,
                         size_t count, size_t stride)
{
    uint32_t all = cells[0];
    for (size_t c = 1; c < count && !operation->pool->overflow; c++)
        all = expr_arithmetic(operation->pool, op, dtype, all, cells[c * stride]);
    return all;
}

/* log Σ e^x, by way of the largest as every runtime does. */
static uint32_t log_sum_exp_of(struct operation *operation, enum dtype dtype, const uint32_t *cells, size_t count,
                               size_t stride)
{
    struct expr_pool *pool = operation->pool;
    uint32_t most = chain_of(operation, EXPR_AT_LEAST, dtype, cells, count, stride);
    uint32_t *parts = expr_pool_take(pool, count, sizeof *parts);
    for (size_t c = 0; c < count && !pool->overflow; c++) {
        uint32_t less = expr_arithmetic(pool, EXPR_SUB, dtype, cells[c * stride], most);
        parts[c] = pool->overflow ? 0 : expr_unary(pool, EXPR_EXP, dtype, less);
    }
    uint32_t sum = pool->overflow ? 0 : sum_of(operation, dtype, parts, count, 1, 1);
    uint32_t log = pool->overflow ? 0 : expr_unary(pool, EXPR_LOG, dtype, sum);
    return pool->overflow ? 0 : expr_arithmetic(pool, EXPR_ADD, dtype, log, most);
}

static uint32_t reduced(struct operation *operation, enum dtype dtype, const uint32_t *cells, size_t count,
                        size_t stride)
{
    const char *op = operation->node->op;
    if (!strcmp(op, "ReduceSum"))
        return sum_of(operation, dtype, cells, count, stride, 1);
    if (!strcmp(op, "ReduceMean"))
        return sum_of(operation, dtype, cells, count, stride, 1 / (double)count);
    if (!strcmp(op, "ReduceLogSumExp"))
        return log_sum_exp_of(operation, dtype, cells, count, stride);
    return chain_of(operation,
                    !strcmp(op, "ReduceProd")  ? EXPR_MUL
                    : !strcmp(op, "ReduceMax") ? EXPR_AT_LEAST
                                               : EXPR_AT_MOST,
                    dtype, cells, count, stride);
}

enum status compile_reduce(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    size_t axis = 0, rank = 0, dims[TENSOR_MAX_RANK], inner = 1;
    int64_t keep = 1;
    if (reduce_axis(operation, input->rank, &axis) != STATUS_OK ||
        operation_int(operation, "keepdims", 1, &keep) != STATUS_OK)
        return operation->err->status;
    if (input->kind != VALUE_TENSOR || (input->rows && axis == input->batch) || !dtype_is_real(input->dtype) ||
        input->count == 0)
        return operation_unsupported(operation, "a reduction of other than numbers of a row");
    for (size_t d = 0; d < input->rank; d++) {
        inner *= d > axis ? input->dims[d] : 1;
        if (d != axis || keep)
            dims[rank++] = d == axis ? 1 : input->dims[d];
    }
    size_t along = input->dims[axis];
    uint32_t *cells = operation_output(operation, input->dtype, input->rows, rank, dims);
    operation->outputs[0].batch = input->batch > axis && !keep ? input->batch - 1 : input->batch;
    for (size_t c = 0; c < operation->outputs[0].count && !operation->pool->overflow; c++)
        cells[c] = reduced(operation, input->dtype, input->cells + c / inner * along * inner + c % inner, along, inner);
    return STATUS_OK;
}

/* Every operand's cells, broadcast, at `flat`. */
static uint32_t variadic_cell(struct operation *operation, const struct value *shape, size_t flat)
{
    const char *op = operation->node->op;
    size_t count = operation->input_count;
    enum dtype dtype = operation->inputs[0]->dtype;
    uint32_t *parts = expr_pool_take(operation->pool, count, sizeof *parts);
    for (size_t i = 0; i < count; i++)
        parts[i] = operation_broadcast_cell(operation->inputs[i], shape, flat);
    if (!strcmp(op, "Sum") || !strcmp(op, "Mean"))
        return sum_of(operation, dtype, parts, count, 1, *op == 'M' ? 1 / (double)count : 1);
    return chain_of(operation, !strcmp(op, "Max") ? EXPR_AT_LEAST : EXPR_AT_MOST, dtype, parts, count, 1);
}

enum status compile_variadic(struct operation *operation)
{
    struct value shape = {0};
    const struct value *first = operation->inputs[0];
    if (operation_broadcast(operation, operation->input_count, &shape) != STATUS_OK)
        return operation->err->status;
    for (size_t i = 0; i < operation->input_count; i++)
        if (operation->inputs[i]->dtype != first->dtype || !dtype_is_real(first->dtype))
            return operation_unsupported(operation, "operands other than numbers of one type");
    uint32_t *cells = operation_output(operation, first->dtype, shape.rows, shape.rank, shape.dims);
    for (size_t c = 0; c < operation->outputs[0].count && !operation->pool->overflow; c++)
        if (expr_pool_room(operation->pool, operation->input_count, sizeof(uint32_t)))
            cells[c] = variadic_cell(operation, &shape, c);
    return STATUS_OK;
}

/* Rows of numbers, divided by a norm; 0 divides by 1. */
static enum status normalize(struct operation *operation, const struct value *input, enum dtype dtype, int64_t p)
{
    struct expr_pool *pool = operation->pool;
    if (input->kind != VALUE_TENSOR || !input->rows || input->rank != 2 || !dtype_is_real(dtype) || !input->count)
        return operation_unsupported(operation, "other than rows of numbers");
    uint32_t *cells = operation_output(operation, dtype, true, 2, input->dims);
    if (pool->overflow || !expr_pool_room(pool, input->count, sizeof(uint32_t)))
        return STATUS_OK;
    uint32_t *sizes = expr_pool_take(pool, input->count, sizeof *sizes);
    for (size_t c = 0; c < input->count && !pool->overflow; c++)
        sizes[c] = p == 2 ? expr_arithmetic(pool, EXPR_MUL, dtype, input->cells[c], input->cells[c])
                          : expr_unary(pool, EXPR_ABS, dtype, input->cells[c]);
    uint32_t norm = pool->overflow ? 0
                    : p            ? sum_of(operation, dtype, sizes, input->count, 1, 1)
                                   : chain_of(operation, EXPR_AT_LEAST, dtype, sizes, input->count, 1);
    if (p == 2 && !pool->overflow)
        norm = expr_unary(pool, EXPR_SQRT, dtype, norm);
    uint32_t zero = pool->overflow ? 0 : expr_number(pool, dtype, 0),
             one = pool->overflow ? 0 : expr_number(pool, dtype, 1);
    uint32_t none = pool->overflow ? 0 : expr_arithmetic(pool, EXPR_EQUAL, DTYPE_BOOL, norm, zero);
    uint32_t divisor = pool->overflow ? 0 : expr_where(pool, none, one, norm);
    for (size_t c = 0; c < input->count && !pool->overflow; c++)
        cells[c] = expr_arithmetic(pool, EXPR_DIV, dtype, input->cells[c], divisor);
    return STATUS_OK;
}

enum status compile_lp_normalization(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    int64_t p = 2;
    size_t axis = 0;
    if (operation_int(operation, "p", 2, &p) != STATUS_OK ||
        operation_axis_attribute(operation, -1, input->rank, &axis) != STATUS_OK)
        return operation->err->status;
    if (axis != 1 || (p != 1 && p != 2))
        return operation_unsupported(operation, "other than the sum or the length of a row");
    return normalize(operation, input, input->dtype, p);
}

enum status compile_normalizer(struct operation *operation)
{
    struct value numbers;
    const struct onnx_attribute *norm = onnx_attribute_find(operation->node, "norm");
    struct span name = norm && norm->type == ATTRIBUTE_TEXT ? norm->texts[0] : SPAN_LITERAL("MAX");
    int64_t p = span_equal(name, SPAN_LITERAL("L2")) ? 2 : span_equal(name, SPAN_LITERAL("L1")) ? 1 : 0;
    if (p == 0)
        return operation_unsupported(operation, "a norm other than L1 and L2 (runtimes differ in the sign of MAX)");
    if (operation_floats(operation, operation->inputs[0], &numbers) != STATUS_OK)
        return operation->err->status;
    if (numbers.dtype != DTYPE_FLOAT)
        return operation_unsupported(operation, dtype_name(numbers.dtype));
    return normalize(operation, &numbers, DTYPE_FLOAT, p);
}

enum status compile_softmax(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    struct expr_pool *pool = operation->pool;
    size_t axis = 0;
    if (operation_axis_attribute(operation, operation->opset < 13 ? 1 : -1, input->rank, &axis) != STATUS_OK)
        return operation->err->status;
    if (input->kind != VALUE_TENSOR || !input->rows || input->rank != 2 || axis != 1 || !dtype_is_real(input->dtype) ||
        !input->count)
        return operation_unsupported(operation, "other than rows of numbers");
    uint32_t *cells = operation_output(operation, input->dtype, true, 2, input->dims);
    if (pool->overflow || !expr_pool_room(pool, input->count, sizeof(uint32_t)))
        return STATUS_OK;
    uint32_t most = chain_of(operation, EXPR_AT_LEAST, input->dtype, input->cells, input->count, 1);
    uint32_t *parts = expr_pool_take(pool, input->count, sizeof *parts);
    for (size_t c = 0; c < input->count && !pool->overflow; c++) {
        uint32_t less = expr_arithmetic(pool, EXPR_SUB, input->dtype, input->cells[c], most);
        parts[c] = pool->overflow ? 0 : expr_unary(pool, EXPR_EXP, input->dtype, less);
    }
    uint32_t sum = pool->overflow ? 0 : sum_of(operation, input->dtype, parts, input->count, 1, 1);
    for (size_t c = 0; c < input->count && !pool->overflow; c++)
        cells[c] = expr_arithmetic(pool, EXPR_DIV, input->dtype, parts[c], sum);
    return STATUS_OK;
}
