/* Elementwise operators with ONNX's broadcasting, and the matrix product. Called during the walk (compile.c), at load
 * only. Must keep the graph's element types: float stays float, so that rounding is the file's own. */
#include "pipeline/ensemble.h"

#include <math.h>
#include <string.h>

static enum status broadcast_fault(struct operation *operation)
{
    return operation_unsupported(operation, "operands of these shapes");
}

/* The shape that `count` operands broadcast to. A batch axis meets only batch axes and constants' ones. */
enum status operation_broadcast(struct operation *operation, size_t count, struct value *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct value *operand = operation->inputs[i];
        if (operand->kind != VALUE_TENSOR)
            return operation_unsupported(operation, "a class or map as operand");
        out->rows |= operand->rows;
        if (out->rank < operand->rank)
            out->rank = operand->rank;
    }
    for (size_t d = 0; d < out->rank; d++)
        out->dims[d] = 1;
    for (size_t i = 0; i < count; i++) {
        const struct value *operand = operation->inputs[i];
        size_t shift = out->rank - operand->rank;
        if (out->rows && (operand->rows ? shift != 0 : shift == 0 && operand->dims[0] != 1))
            return broadcast_fault(operation);
        for (size_t d = 0; d < operand->rank; d++) {
            size_t *dim = &out->dims[d + shift];
            if (operand->dims[d] != *dim && operand->dims[d] != 1 && *dim != 1)
                return broadcast_fault(operation);
            if (operand->dims[d] != 1)
                *dim = operand->dims[d];
        }
    }
    return STATUS_OK;
}

/* The operand's cell that stands at `flat` of the output. */
uint32_t operation_broadcast_cell(const struct value *operand, const struct value *out, size_t flat)
{
    size_t at = 0, stride = 1, shift = out->rank - operand->rank;
    for (size_t d = out->rank; d-- > shift;) {
        size_t dim = operand->dims[d - shift];
        if (dim != 1)
            at += flat % out->dims[d] * stride;
        stride *= dim;
        flat /= out->dims[d];
    }
    return operand->cells[at];
}

static enum status same_real(struct operation *operation, const struct value *a, const struct value *b)
{
    if (a->dtype != b->dtype)
        return operation_invalid(operation, "operands of different types");
    return dtype_is_real(a->dtype) ? STATUS_OK : operation_unsupported(operation, dtype_name(a->dtype));
}

/* Integers: places that are computed, so only what stays within known bounds. What is multiplied by 0 is 0. */
static enum status whole_cell(struct operation *operation, enum expr_op op, enum dtype dtype, uint32_t a, uint32_t b,
                              uint32_t *out)
{
    struct expr_pool *pool = operation->pool;
    const struct expr *left = expr_at(pool, a), *right = expr_at(pool, b);
    bool constant = left->op == EXPR_NUMBER && right->op == EXPR_NUMBER;
    bool none = (left->op == EXPR_NUMBER && left->number == 0) || (right->op == EXPR_NUMBER && right->number == 0);
    double low, high;
    if (op == EXPR_MUL && none) {
        *out = expr_number(pool, dtype, 0);
        return STATUS_OK;
    }
    if (op == EXPR_DIV && constant && right->number != 0) {
        *out = expr_number(pool, dtype, trunc(left->number / right->number));
        return STATUS_OK;
    }
    if (op == EXPR_DIV || op == EXPR_POW || (op == EXPR_MUL && !constant))
        return operation_unsupported(operation, "integers that are not constant");
    *out = expr_arithmetic(pool, op, dtype, a, b);
    return pool->overflow || expr_range(pool, *out, &low, &high) || pool->overflow
               ? STATUS_OK
               : operation_unsupported(operation, "integers without known bounds");
}

static enum status compile_whole_arithmetic(struct operation *operation, enum expr_op op, const struct value *shape)
{
    const struct value *a = operation->inputs[0], *b = operation->inputs[1];
    uint32_t *cells = operation_output(operation, a->dtype, shape->rows, shape->rank, shape->dims);
    for (size_t c = 0; c < operation->outputs[0].count && !operation->pool->overflow; c++)
        if (whole_cell(operation, op, a->dtype, operation_broadcast_cell(a, shape, c),
                       operation_broadcast_cell(b, shape, c), &cells[c]) != STATUS_OK)
            return operation->err->status;
    return STATUS_OK;
}

static uint32_t arithmetic_cell(struct expr_pool *pool, enum expr_op op, enum dtype dtype, uint32_t a, uint32_t b)
{
    const struct expr *left = expr_at(pool, a);
    bool from_one = op == EXPR_SUB && left->op == EXPR_NUMBER && left->number == 1;
    uint32_t other = from_one ? ensemble_other_class(pool, b) : EXPR_NONE;
    return other != EXPR_NONE ? other : expr_arithmetic(pool, op, dtype, a, b);
}

enum status compile_arithmetic(struct operation *operation)
{
    static const struct {
        const char *name;
        enum expr_op op;
    } OPS[] = {{"Add", EXPR_ADD}, {"Sub", EXPR_SUB}, {"Mul", EXPR_MUL}, {"Div", EXPR_DIV}, {"Pow", EXPR_POW}};
    const struct value *a = operation->inputs[0], *b = operation->inputs[1];
    struct value shape = {0};
    bool whole = a->dtype == DTYPE_INT64 && b->dtype == DTYPE_INT64;
    if ((!whole && same_real(operation, a, b) != STATUS_OK) || operation_broadcast(operation, 2, &shape) != STATUS_OK)
        return operation->err->status;
    enum expr_op op = EXPR_ADD;
    for (size_t o = 0; o < sizeof OPS / sizeof *OPS; o++)
        if (!strcmp(OPS[o].name, operation->node->op))
            op = OPS[o].op;
    if (whole)
        return compile_whole_arithmetic(operation, op, &shape);
    uint32_t *cells = operation_output(operation, a->dtype, shape.rows, shape.rank, shape.dims);
    const struct value *out = &operation->outputs[0];
    for (size_t c = 0; c < out->count && !operation->pool->overflow; c++)
        cells[c] = arithmetic_cell(operation->pool, op, a->dtype, operation_broadcast_cell(a, out, c),
                                   operation_broadcast_cell(b, out, c));
    return STATUS_OK;
}

enum status compile_where(struct operation *operation)
{
    const struct value *condition = operation->inputs[0], *then = operation->inputs[1], *other = operation->inputs[2];
    struct value shape = {0};
    if (operation_broadcast(operation, 3, &shape) != STATUS_OK)
        return operation->err->status;
    if (condition->dtype != DTYPE_BOOL || then->dtype != other->dtype)
        return operation_invalid(operation, "operands of different types");
    uint32_t *cells = operation_output(operation, then->dtype, shape.rows, shape.rank, shape.dims);
    const struct value *out = &operation->outputs[0];
    for (size_t c = 0; c < out->count && !operation->pool->overflow; c++)
        cells[c] = expr_where(operation->pool, operation_broadcast_cell(condition, out, c),
                              operation_broadcast_cell(then, out, c), operation_broadcast_cell(other, out, c));
    return STATUS_OK;
}

static enum status compile_unary(struct operation *operation, enum expr_op op, enum dtype dtype)
{
    const struct value *input = operation->inputs[0];
    uint32_t *cells = operation_output(operation, dtype, input->rows, input->rank, input->dims);
    for (size_t c = 0; c < input->count && !operation->pool->overflow; c++)
        cells[c] = expr_unary(operation->pool, op, dtype, input->cells[c]);
    operation->outputs[0].labels = input->labels;
    return STATUS_OK;
}

static enum status compile_real_unary(struct operation *operation, enum expr_op op, enum dtype dtype)
{
    const struct value *input = operation->inputs[0];
    if (input->kind != VALUE_TENSOR || !dtype_is_real(input->dtype))
        return operation_unsupported(operation, dtype_name(input->dtype));
    return compile_unary(operation, op, dtype ? dtype : input->dtype);
}

enum status compile_is_nan(struct operation *operation)
{
    return compile_real_unary(operation, EXPR_IS_NAN, DTYPE_BOOL);
}

enum status compile_sigmoid(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    uint32_t linked =
        input->kind == VALUE_TENSOR && input->count == 1 ? ensemble_link(operation->pool, input->cells[0]) : EXPR_NONE;
    if (linked == EXPR_NONE)
        return compile_real_unary(operation, EXPR_SIGMOID, DTYPE_NONE);
    uint32_t *cells = operation_output(operation, input->dtype, input->rows, input->rank, input->dims);
    if (!operation->pool->overflow)
        cells[0] = linked;
    return STATUS_OK;
}

enum status compile_abs(struct operation *operation)
{
    return compile_real_unary(operation, EXPR_ABS, DTYPE_NONE);
}

enum status compile_cast(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    int64_t to = 0;
    if (operation_int(operation, "to", 0, &to) != STATUS_OK)
        return operation->err->status;
    enum dtype dtype = (enum dtype)to;
    bool known = dtype_is_real(dtype) || dtype_is_whole(dtype) || dtype == DTYPE_BOOL || dtype == DTYPE_TEXT;
    bool same = input->dtype == dtype;
    if (!known)
        return operation_unsupported(operation, "a cast to another type");
    bool text = input->dtype == DTYPE_TEXT || dtype == DTYPE_TEXT;
    if (input->kind == VALUE_CLASS && !text && !(dtype == DTYPE_BOOL)) {
        operation->outputs[0] = *input; /* labels that are integers: the same in every type of number */
        operation->outputs[0].dtype = dtype;
        return STATUS_OK;
    }
    if ((!same && text) || (!same && input->kind != VALUE_TENSOR))
        return operation_unsupported(operation, "a cast between these types");
    return input->kind == VALUE_TENSOR ? compile_unary(operation, EXPR_CAST, dtype) : compile_identity(operation);
}

/* Bounds as constant scalars (since version 11), either may be left out; as attributes before. */
enum status compile_clip(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    const char *const names[] = {"min", "max"};
    if (input->kind != VALUE_TENSOR || !dtype_is_real(input->dtype))
        return operation_unsupported(operation, dtype_name(input->dtype));
    uint32_t *cells = operation_output(operation, input->dtype, input->rows, input->rank, input->dims);
    for (size_t c = 0; c < operation->outputs[0].count; c++)
        cells[c] = input->cells[c];
    for (size_t i = 0; i < 2; i++) {
        const struct onnx_attribute *given = onnx_attribute_find(operation->node, names[i]);
        if (!given)
            continue;
        if (operation->opset >= 11 || given->type != ATTRIBUTE_FLOAT)
            return operation_invalid(operation, names[i]);
        uint32_t bound = expr_number(operation->pool, input->dtype, (double)given->floats[0]);
        for (size_t c = 0; c < operation->outputs[0].count && !operation->pool->overflow; c++)
            cells[c] =
                expr_arithmetic(operation->pool, i ? EXPR_AT_MOST : EXPR_AT_LEAST, input->dtype, cells[c], bound);
    }
    for (size_t i = 1; i < operation->input_count; i++) {
        const struct value *bound = operation->inputs[i];
        if (!bound)
            continue;
        if (bound->count != 1 || bound->dtype != input->dtype)
            return operation_unsupported(operation, "bounds other than one number");
        if (operation_constants(operation, bound, "bounds that are not constant") != STATUS_OK)
            return operation->err->status;
        for (size_t c = 0; c < operation->outputs[0].count && !operation->pool->overflow; c++)
            cells[c] = expr_arithmetic(operation->pool, i == 1 ? EXPR_AT_LEAST : EXPR_AT_MOST, input->dtype, cells[c],
                                       bound->cells[0]);
    }
    return STATUS_OK;
}

/* rows [N, F] × constants [F, K] */
enum status compile_matmul(struct operation *operation)
{
    const struct value *rows = operation->inputs[0], *weights = operation->inputs[1];
    if (rows->kind != VALUE_TENSOR || !rows->rows || rows->rank != 2 || weights->rank != 2)
        return operation_unsupported(operation, "other than rows times a constant matrix");
    if (operation_constants(operation, weights, "other than rows times a constant matrix") != STATUS_OK ||
        same_real(operation, rows, weights) != STATUS_OK)
        return operation->err->status;
    size_t features = rows->dims[1], targets = weights->dims[1];
    if (weights->dims[0] != features)
        return operation_invalid(operation, "operands whose shapes do not fit");
    uint32_t *cells = operation_output(operation, rows->dtype, true, 2, (size_t[]){1, targets});
    for (size_t k = 0; k < operation->outputs[0].count && !operation->pool->overflow; k++) {
        if (!expr_pool_room(operation->pool, features, sizeof(struct expr_term)))
            break;
        struct expr_terms *sum = expr_pool_take(operation->pool, 1, sizeof *sum);
        struct expr_term *terms = expr_pool_take(operation->pool, features, sizeof *terms);
        *sum = (struct expr_terms){features, terms};
        for (size_t f = 0; f < features; f++)
            terms[f] = (struct expr_term){rows->cells[f], operation_constant(operation, weights, f * targets + k)};
        cells[k] = expr_linear(operation->pool, rows->dtype, sum, 0);
    }
    return STATUS_OK;
}
