/* Operators that compare, and functions of one number. Called during the walk (compile.c), at load only. Everything is
 * made of a few expressions: a ≥ b is not a < b but where one is NaN, so it is a = b or b < a. */
#include "pipeline/operators.h"

#include <math.h>

static bool is_number(enum dtype dtype)
{
    return dtype_is_real(dtype) || dtype_is_whole(dtype) || dtype == DTYPE_BOOL;
}

/* Two operands of one type, to a tensor of truths. */
static enum status compare_begin(struct operation *operation, uint32_t **cells, struct value *shape)
{
    const struct value *a = operation->inputs[0], *b = operation->inputs[1];
    if (operation_broadcast(operation, 2, shape) != STATUS_OK)
        return operation->err->status;
    if (a->dtype != b->dtype || !is_number(a->dtype))
        return operation_unsupported(operation, "operands other than numbers of one type");
    *cells = operation_output(operation, DTYPE_BOOL, shape->rows, shape->rank, shape->dims);
    return STATUS_OK;
}

enum status compile_compare(struct operation *operation)
{
    struct expr_pool *pool = operation->pool;
    const char *op = operation->node->op;
    bool greater = *op == 'G', equal = *op == 'E', also = strstr(op, "OrEqual") != NULL;
    struct value shape = {0};
    uint32_t *cells;
    if (compare_begin(operation, &cells, &shape) != STATUS_OK)
        return operation->err->status;
    for (size_t c = 0; c < operation->outputs[0].count && !pool->overflow; c++) {
        uint32_t a = operation_broadcast_cell(operation->inputs[0], &shape, c);
        uint32_t b = operation_broadcast_cell(operation->inputs[1], &shape, c);
        uint32_t same = equal || also ? expr_arithmetic(pool, EXPR_EQUAL, DTYPE_BOOL, a, b) : 0;
        cells[c] = same;
        if (equal || pool->overflow)
            continue;
        cells[c] = expr_arithmetic(pool, EXPR_LESS, DTYPE_BOOL, greater ? b : a, greater ? a : b);
        if (also && !pool->overflow)
            cells[c] = expr_arithmetic(pool, EXPR_AT_LEAST, DTYPE_BOOL, cells[c], same);
    }
    return STATUS_OK;
}

enum status compile_logic(struct operation *operation)
{
    struct value shape = {0};
    uint32_t *cells;
    enum expr_op op = *operation->node->op == 'A' ? EXPR_AT_MOST : EXPR_AT_LEAST;
    if (compare_begin(operation, &cells, &shape) != STATUS_OK)
        return operation->err->status;
    if (operation->inputs[0]->dtype != DTYPE_BOOL)
        return operation_unsupported(operation, "operands other than truths");
    for (size_t c = 0; c < operation->outputs[0].count && !operation->pool->overflow; c++)
        cells[c] =
            expr_arithmetic(operation->pool, op, DTYPE_BOOL, operation_broadcast_cell(operation->inputs[0], &shape, c),
                            operation_broadcast_cell(operation->inputs[1], &shape, c));
    return STATUS_OK;
}

enum status compile_function(struct operation *operation)
{
    static const struct {
        const char *name;
        enum expr_op op;
    } FUNCTIONS[] = {{"Exp", EXPR_EXP}, {"Log", EXPR_LOG}, {"Sqrt", EXPR_SQRT}, {"Tanh", EXPR_TANH}};
    const struct value *input = operation->inputs[0];
    size_t f = 0;
    while (strcmp(FUNCTIONS[f].name, operation->node->op) != 0)
        f++;
    if (input->kind != VALUE_TENSOR || !dtype_is_real(input->dtype))
        return operation_unsupported(operation, dtype_name(input->dtype));
    uint32_t *cells = operation_output(operation, input->dtype, input->rows, input->rank, input->dims);
    for (size_t c = 0; c < operation->outputs[0].count && !operation->pool->overflow; c++)
        cells[c] = expr_unary(operation->pool, FUNCTIONS[f].op, input->dtype, input->cells[c]);
    return STATUS_OK;
}

/* Neg: 0 − x; Not: x = 0; Reciprocal: 1 / x; Relu: the larger of x and 0. */
enum status compile_negate(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    struct expr_pool *pool = operation->pool;
    const char *op = operation->node->op;
    bool truths = !strcmp(op, "Not"), relu = !strcmp(op, "Relu");
    if (input->kind != VALUE_TENSOR || !(truths ? input->dtype == DTYPE_BOOL : dtype_is_real(input->dtype)))
        return operation_unsupported(operation, dtype_name(input->dtype));
    uint32_t *cells = operation_output(operation, input->dtype, input->rows, input->rank, input->dims);
    uint32_t constant = expr_number(pool, input->dtype, *op == 'R' && !relu ? 1 : 0);
    enum expr_op how = truths ? EXPR_EQUAL : relu ? EXPR_AT_LEAST : *op == 'N' ? EXPR_SUB : EXPR_DIV;
    for (size_t c = 0; c < operation->outputs[0].count && !pool->overflow; c++)
        cells[c] = truths || relu ? expr_arithmetic(pool, how, input->dtype, input->cells[c], constant)
                                  : expr_arithmetic(pool, how, input->dtype, constant, input->cells[c]);
    return STATUS_OK;
}

/* |x − keys[k]| for all k: isotonic calibration as skl2onnx writes it. *x: that number, in the operands' type. */
static bool distances_match(const struct expr_pool *pool, const struct value *input, uint32_t *x, double *keys)
{
    for (size_t k = 0; k < input->count; k++) {
        const struct expr *size = expr_at(pool, input->cells[k]);
        if (size->op != EXPR_ABS)
            return false;
        const struct expr *less = expr_at(pool, size->a);
        if (less->op != EXPR_SUB || expr_at(pool, less->b)->op != EXPR_NUMBER || (k && less->a != *x))
            return false;
        *x = less->a;
        keys[k] = expr_at(pool, less->b)->number;
        if (!isfinite(keys[k]) || (k && keys[k] < keys[k - 1]))
            return false;
    }
    return input->count > 0;
}

enum status compile_arg_min(struct operation *operation)
{
    const struct value *input = operation->inputs[0];
    struct expr_pool *pool = operation->pool;
    bool keep;
    if (operation_first_of_row(operation, "other than the smallest of a row", &keep) != STATUS_OK)
        return operation->err->status;
    if (!expr_pool_room(pool, 2 * input->count, sizeof(double)))
        return STATUS_OK;
    double *keys = expr_pool_take(pool, input->count, sizeof *keys),
           *places = expr_pool_take(pool, input->count, sizeof *places);
    struct expr_map *map = expr_pool_take(pool, 1, sizeof *map);
    uint32_t x = 0;
    if (!distances_match(pool, input, &x, keys))
        return operation_unsupported(operation, "other than the nearest of constants in ascending order");
    for (size_t k = 0; k < input->count; k++)
        places[k] = (double)k;
    *map = (struct expr_map){.count = input->count, .number_keys = keys, .number_values = places};
    uint32_t *cells = operation_output(operation, DTYPE_INT64, true, keep ? 2 : 1, (size_t[]){1, 1});
    uint32_t nearest = expr_nearest(pool, input->dtype, x, map);
    if (!pool->overflow)
        cells[0] = expr_unary(pool, EXPR_CAST, DTYPE_INT64, nearest);
    return STATUS_OK;
}

enum status operation_pick_nearest(struct operation *operation, const struct value *data, const struct value *position)
{
    struct expr_pool *pool = operation->pool;
    const struct expr *cast = position->count == 1 ? expr_at(pool, position->cells[0]) : NULL;
    const struct expr *nearest = cast && cast->op == EXPR_CAST ? expr_at(pool, cast->a) : NULL;
    if (!nearest || nearest->op != EXPR_NEAREST || nearest->map->count != data->count || !dtype_is_real(data->dtype) ||
        nearest->dtype != data->dtype)
        return operation_unsupported(operation, "positions that are not constant");
    if (operation_constants(operation, data, "picking from other than constants") != STATUS_OK)
        return operation->err->status;
    double *values = expr_pool_take(pool, data->count, sizeof *values);
    struct expr_map *map = expr_pool_take(pool, 1, sizeof *map);
    for (size_t c = 0; c < data->count; c++)
        values[c] = operation_constant(operation, data, c);
    *map = (struct expr_map){.count = data->count, .number_keys = nearest->map->number_keys, .number_values = values};
    uint32_t x = nearest->a;
    uint32_t *cells = operation_output(operation, data->dtype, true, 2, (size_t[]){1, 1});
    cells[0] = expr_nearest(pool, data->dtype, x, map);
    return STATUS_OK;
}
