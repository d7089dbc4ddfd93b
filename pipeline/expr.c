/* Building and evaluating scalar expressions: see expr.h. Used by the compiler at load and, for the few features that
 * no table can hold, by scoring on any thread. Evaluation follows ONNX's arithmetic to the type: what is float in the
 * graph is rounded to float here, step by step. Must never recurse deeper than EXPR_MAX_DEPTH. */
#include "pipeline/expr.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

const char EXPR_UNKNOWN[1] = "?";
static const double EXPR_WHOLE_MOST = 9007199254740992.0; /* 2^53: integers up to here are exact */

void expr_pool_free(struct expr_pool *pool)
{
    free(pool->exprs);
    free(pool->origins);
    free(pool->demands);
    arena_free(&pool->arena);
    *pool = (struct expr_pool){0};
}

void *expr_pool_take(struct expr_pool *pool, size_t count, size_t size)
{
    pool->arena_bytes += count * size;
    return arena_zeroed(&pool->arena, count, size);
}

bool expr_pool_room(struct expr_pool *pool, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > EXPR_MAX_BYTES ||
        pool->arena_bytes > EXPR_MAX_BYTES - bytes)
        pool->overflow = STATUS_LIMIT;
    return pool->overflow == STATUS_OK;
}

struct span expr_pool_text(struct expr_pool *pool, struct span text)
{
    pool->arena_bytes += text.bytes + 1;
    return (struct span){arena_text(&pool->arena, text.data, text.bytes), text.bytes};
}

void expr_pool_enter(struct expr_pool *pool, const char *op, const char *name)
{
    struct expr_origin *last = pool->origin_count ? &pool->origins[pool->origin_count - 1] : NULL;
    if (!last || last->first != pool->count) {
        pool->origins = mem_grow(pool->origins, &pool->origin_capacity, pool->origin_count + 1, sizeof *pool->origins);
        last = &pool->origins[pool->origin_count++];
    }
    *last = (struct expr_origin){(uint32_t)pool->count, op, name};
}

void expr_pool_forget(struct expr_pool *pool)
{
    free(pool->origins);
    pool->origins = NULL;
    pool->origin_count = pool->origin_capacity = 0;
}

const struct expr_origin *expr_origin_of(const struct expr_pool *pool, uint32_t id)
{
    size_t at = pool->origin_count;
    while (at > 0 && pool->origins[at - 1].first > id)
        at--;
    return at ? &pool->origins[at - 1] : NULL;
}

/* The operand that mixes columns already, or `id` itself. */
static uint32_t mixing_operand(const struct expr_pool *pool, uint32_t id)
{
    const struct expr *expr = expr_at(pool, id);
    const uint32_t operands[] = {expr->a, expr->b, expr->c};
    for (size_t t = 0; expr->op == EXPR_LINEAR && t < expr->terms->count; t++)
        if (expr_at(pool, expr->terms->terms[t].expr)->column == EXPR_MANY_COLUMNS)
            return expr->terms->terms[t].expr;
    if (expr->op != EXPR_LINEAR && expr->op != EXPR_TREES && expr->op != EXPR_VECTORS)
        for (size_t o = 0; o < (expr->op == EXPR_WHERE ? 3 : expr_is_binary(expr) ? 2 : 1); o++)
            if (expr_at(pool, operands[o])->column == EXPR_MANY_COLUMNS)
                return operands[o];
    return id;
}

enum status expr_refuse_mixing(const struct expr_pool *pool, uint32_t id, const char *what, size_t feature,
                               struct error *err)
{
    for (uint32_t below = mixing_operand(pool, id); below != id; below = mixing_operand(pool, id))
        id = below;
    const struct expr_origin *origin = expr_origin_of(pool, id);
    return error_set(err, STATUS_UNSUPPORTED,
                     "operator %s (node '%.60s') mixes columns (feature %zu of %s): each feature must come from one "
                     "column (docs/MODELS.md)",
                     origin ? origin->op : "?", origin ? origin->name : "?", feature, what);
}

static int32_t column_join(int32_t a, int32_t b)
{
    if (a == EXPR_NO_COLUMN || a == b)
        return b;
    return b == EXPR_NO_COLUMN ? a : EXPR_MANY_COLUMNS;
}

/* Takes over what an operand brings: its column, depth and cost. */
static void expr_depend(const struct expr_pool *pool, struct expr *expr, uint32_t operand)
{
    const struct expr *from = expr_at(pool, operand);
    expr->column = column_join(expr->column, from->column);
    if (expr->depth <= from->depth)
        expr->depth = (uint16_t)(from->depth + 1);
    if (__builtin_add_overflow(expr->cost, from->cost, &expr->cost))
        expr->cost = UINT32_MAX;
}

static uint32_t expr_push(struct expr_pool *pool, const struct expr *expr)
{
    if (pool->count == EXPR_MAX || expr->depth > EXPR_MAX_DEPTH) {
        pool->overflow = STATUS_LIMIT;
        return 0; /* the pool is never used once it overflowed */
    }
    pool->exprs = mem_grow(pool->exprs, &pool->capacity, pool->count + 1, sizeof *pool->exprs);
    pool->exprs[pool->count] = *expr;
    return (uint32_t)pool->count++;
}

static struct expr expr_leaf(enum expr_op op, enum dtype dtype)
{
    return (struct expr){.op = (uint8_t)op, .dtype = (uint8_t)dtype, .column = EXPR_NO_COLUMN, .cost = 1};
}

uint32_t expr_number(struct expr_pool *pool, enum dtype dtype, double number)
{
    struct expr expr = expr_leaf(EXPR_NUMBER, dtype);
    expr.number = number;
    return expr_push(pool, &expr);
}

uint32_t expr_text(struct expr_pool *pool, struct span text)
{
    struct expr expr = expr_leaf(EXPR_TEXT, DTYPE_TEXT);
    expr.text = expr_pool_text(pool, text);
    return expr_push(pool, &expr);
}

uint32_t expr_input(struct expr_pool *pool, uint32_t column, enum dtype dtype)
{
    struct expr expr = expr_leaf(EXPR_INPUT, dtype);
    expr.column = (int32_t)column;
    return expr_push(pool, &expr);
}

/* Pushes, and replaces by its value what depends on no cell. */
static uint32_t expr_finish(struct expr_pool *pool, const struct expr *expr)
{
    uint32_t id = expr_push(pool, expr);
    if (pool->overflow || expr->column != EXPR_NO_COLUMN)
        return id;
    pool->work += expr->cost;
    if (pool->work > EXPR_MAX_WORK) {
        pool->overflow = STATUS_LIMIT;
        return id;
    }
    struct scalar value = expr_evaluate(pool, id, NULL);
    pool->count = id;
    if (expr->dtype == DTYPE_TEXT)
        return expr_text(pool, value.text);
    return expr_number(pool, (enum dtype)expr->dtype, value.number);
}

uint32_t expr_unary(struct expr_pool *pool, enum expr_op op, enum dtype dtype, uint32_t a)
{
    const struct expr *operand = expr_at(pool, a);
    if (op == EXPR_ABS && operand->op == EXPR_SIGMOID)
        return a; /* never negative */
    if (op == EXPR_CAST && operand->dtype == dtype)
        return a;
    if (op == EXPR_CAST && operand->op == EXPR_INPUT && dtype_is_whole(operand->dtype) && dtype_is_real(dtype))
        return expr_input(pool, (uint32_t)operand->column, dtype); /* rounded once either way */
    struct expr expr = expr_leaf(op, dtype);
    expr.a = a;
    expr_depend(pool, &expr, a);
    return expr_finish(pool, &expr);
}

uint32_t expr_arithmetic(struct expr_pool *pool, enum expr_op op, enum dtype dtype, uint32_t a, uint32_t b)
{
    const struct expr *left = expr_at(pool, a), *right = expr_at(pool, b);
    if (op == EXPR_ADD && left->op == EXPR_LINEAR && right->op == EXPR_NUMBER && left->number == 0)
        return expr_linear(pool, dtype, left->terms, right->number);
    if (op == EXPR_ADD && right->op == EXPR_LINEAR && left->op == EXPR_NUMBER && right->number == 0)
        return expr_linear(pool, dtype, right->terms, left->number);
    struct expr expr = expr_leaf(op, dtype);
    expr.a = a;
    expr.b = b;
    expr_depend(pool, &expr, a);
    expr_depend(pool, &expr, b);
    return expr_finish(pool, &expr);
}

uint32_t expr_where(struct expr_pool *pool, uint32_t condition, uint32_t then, uint32_t otherwise)
{
    const struct expr *known = expr_at(pool, condition);
    if (known->op == EXPR_NUMBER)
        return known->number != 0 ? then : otherwise;
    struct expr expr = expr_leaf(EXPR_WHERE, (enum dtype)expr_at(pool, then)->dtype);
    expr.a = condition;
    expr.b = then;
    expr.c = otherwise;
    expr_depend(pool, &expr, condition);
    expr_depend(pool, &expr, then);
    expr_depend(pool, &expr, otherwise);
    return expr_finish(pool, &expr);
}

static uint32_t expr_mapped(struct expr_pool *pool, enum expr_op op, enum dtype dtype, uint32_t a,
                            const struct expr_map *map)
{
    struct expr expr = expr_leaf(op, dtype);
    expr.a = a;
    expr.map = map;
    expr.cost += (uint32_t)map->count;
    expr_depend(pool, &expr, a);
    return expr_finish(pool, &expr);
}

uint32_t expr_encode(struct expr_pool *pool, enum dtype dtype, uint32_t a, const struct expr_map *map)
{
    return expr_mapped(pool, EXPR_ENCODE, dtype, a, map);
}

uint32_t expr_nearest(struct expr_pool *pool, enum dtype dtype, uint32_t a, const struct expr_map *map)
{
    return expr_mapped(pool, EXPR_NEAREST, dtype, a, map);
}

uint32_t expr_pick(struct expr_pool *pool, enum dtype dtype, uint32_t a, const struct expr_map *map)
{
    struct expr expr = expr_leaf(EXPR_PICK, dtype);
    expr.a = a;
    expr.map = map;
    expr_depend(pool, &expr, a);
    return expr_finish(pool, &expr);
}

uint32_t expr_indicate(struct expr_pool *pool, uint32_t a, struct span text, double number)
{
    struct expr expr = expr_leaf(EXPR_INDICATE, DTYPE_FLOAT);
    expr.a = a;
    if (expr_at(pool, a)->dtype == DTYPE_TEXT)
        expr.text = text;
    else
        expr.number = number;
    expr_depend(pool, &expr, a);
    return expr_finish(pool, &expr);
}

uint32_t expr_linear(struct expr_pool *pool, enum dtype dtype, const struct expr_terms *terms, double bias)
{
    struct expr expr = expr_leaf(EXPR_LINEAR, dtype);
    expr.terms = terms;
    expr.number = bias;
    for (size_t t = 0; t < terms->count; t++)
        expr_depend(pool, &expr, terms->terms[t].expr);
    return expr_finish(pool, &expr);
}

/* One class of an estimator that reads many columns. */
static struct expr class_leaf(enum expr_op op, uint32_t class)
{
    struct expr expr = expr_leaf(op, DTYPE_FLOAT);
    expr.b = class;
    expr.column = EXPR_MANY_COLUMNS;
    return expr;
}

uint32_t expr_trees(struct expr_pool *pool, const struct ensemble *trees, uint32_t class)
{
    struct expr expr = class_leaf(EXPR_TREES, class);
    expr.trees = trees;
    return expr_push(pool, &expr);
}

uint32_t expr_vectors(struct expr_pool *pool, const struct support_vectors *vectors, uint32_t class)
{
    struct expr expr = class_leaf(EXPR_VECTORS, class);
    expr.vectors = vectors;
    return expr_push(pool, &expr);
}

void expr_demand(struct expr_pool *pool, uint32_t id)
{
    pool->demands = mem_grow(pool->demands, &pool->demand_capacity, pool->demand_count + 1, sizeof *pool->demands);
    pool->demands[pool->demand_count++] = id;
}

static bool text_same(struct span a, struct span b)
{
    return a.data != EXPR_UNKNOWN && b.data != EXPR_UNKNOWN && span_equal(a, b);
}

static double round_to(uint8_t dtype, double number)
{
    return dtype == DTYPE_FLOAT ? (double)(float)number : number;
}

static struct scalar cell_value(const struct expr_pool *pool, const struct expr *expr, const struct cell *cells)
{
    const struct cell *cell = &cells[expr->column];
    if (expr->dtype != DTYPE_TEXT)
        return (struct scalar){.number = cell->code == CELL_MISSING ? NAN : round_to(expr->dtype, cell->number)};
    if (cell->code == CELL_MISSING)
        return (struct scalar){.text = SPAN_LITERAL("")};
    if (cell->code == CELL_OTHER)
        return (struct scalar){.text = {cell->text, cell->text_bytes}};
    return (struct scalar){.text = pool->columns[expr->column].values[cell->code]};
}

static struct scalar map_value(const struct expr_map *map, struct scalar key)
{
    size_t k = 0;
    if (map->text_keys)
        while (k < map->count && !text_same(map->text_keys[k], key.text))
            k++;
    else
        while (k < map->count && map->number_keys[k] != key.number)
            k++;
    struct scalar value = {.number = map->number_default, .text = map->text_default};
    if (k < map->count && map->text_values)
        value.text = map->text_values[k];
    else if (k < map->count)
        value.number = map->number_values[k];
    return value;
}

static double cast_value(uint8_t dtype, double number)
{
    if (dtype_is_whole((enum dtype)dtype))
        number = trunc(number);
    if (dtype == DTYPE_INT32 && fabs(number) <= EXPR_WHOLE_MOST)
        return (int32_t)(uint32_t)(int64_t)number; /* as C and onnxruntime do: the lowest 32 bits */
    return dtype == DTYPE_BOOL ? number != 0 : round_to(dtype, number);
}

double expr_sigmoid(double z)
{
    double e = exp(-fabs(z));
    return (z >= 0 ? 1 : e) / (1 + e);
}

float expr_sigmoid_float(float z)
{
    float v = 1 / (1 + expf(-fabsf(z)));
    return z < 0 ? 1 - v : v;
}

/* Operands are evaluated through `memo` where there is one. */
static struct scalar operand_value(const struct expr_pool *pool, struct expr_memo *memo, uint32_t id,
                                   const struct cell *cells);

/* Distances are rounded as the graph does: farther keys may be as far, so the first of them is looked for. */
static double nearest_value(const struct expr *expr, double x)
{
    const struct expr_map *map = expr->map;
    size_t low = 0, high = map->count;
    if (isnan(x))
        return NAN;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->number_keys[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    size_t at = low < map->count ? low : map->count - 1;
    double least = fabs(round_to(expr->dtype, x - map->number_keys[at]));
    while (at > 0 && fabs(round_to(expr->dtype, x - map->number_keys[at - 1])) <= least)
        least = fabs(round_to(expr->dtype, x - map->number_keys[--at]));
    return map->number_values[at];
}

static double pow_value(const struct expr *expr, double a, double b)
{
    return expr->dtype == DTYPE_FLOAT ? (double)powf((float)a, (float)b) : pow(a, b);
}

static double arithmetic_value(const struct expr *expr, double a, double b)
{
    switch (expr->op) {
    case EXPR_POW:
        return pow_value(expr, a, b);
    case EXPR_LESS:
        return a < b;
    case EXPR_EQUAL:
        return a == b;
    case EXPR_ADD:
        return round_to(expr->dtype, a + b);
    case EXPR_SUB:
        return round_to(expr->dtype, a - b);
    case EXPR_MUL:
        return round_to(expr->dtype, a * b);
    case EXPR_AT_LEAST:
        return a < b ? b : a;
    case EXPR_AT_MOST:
        return a > b ? b : a;
    default:
        return round_to(expr->dtype, a / b);
    }
}

static double function_value(const struct expr *expr, double a)
{
    bool single = expr->dtype == DTYPE_FLOAT;
    switch (expr->op) {
    case EXPR_EXP:
        return single ? (double)expf((float)a) : exp(a);
    case EXPR_LOG:
        return single ? (double)logf((float)a) : log(a);
    case EXPR_SQRT:
        return round_to(expr->dtype, sqrt(a));
    case EXPR_TANH:
        return single ? (double)tanhf((float)a) : tanh(a);
    default:
        return single ? (double)expr_sigmoid_float((float)a) : expr_sigmoid(a);
    }
}

double expr_apply(const struct expr *expr, double a, double b)
{
    switch (expr->op) {
    case EXPR_IS_NAN:
        return isnan(a);
    case EXPR_CAST:
        return cast_value(expr->dtype, a);
    case EXPR_ABS:
        return fabs(a);
    case EXPR_ENCODE:
        return map_value(expr->map, (struct scalar){.number = a}).number;
    case EXPR_INDICATE:
        return a == expr->number;
    case EXPR_NEAREST:
        return nearest_value(expr, a);
    case EXPR_PICK:
        return a >= 0 && a < (double)expr->map->count ? expr->map->number_values[(size_t)a] : NAN;
    case EXPR_SIGMOID:
    case EXPR_EXP:
    case EXPR_LOG:
    case EXPR_SQRT:
    case EXPR_TANH:
        return function_value(expr, a);
    default:
        return arithmetic_value(expr, a, b);
    }
}

static double linear_value(const struct expr_pool *pool, struct expr_memo *memo, const struct expr *expr,
                           const struct cell *cells)
{
    double sum = 0;
    for (size_t t = 0; t < expr->terms->count; t++) {
        const struct expr_term *term = &expr->terms->terms[t];
        sum += term->weight * operand_value(pool, memo, term->expr, cells).number;
    }
    return round_to(expr->dtype, sum + expr->number);
}

static struct scalar expr_value(const struct expr_pool *pool, struct expr_memo *memo, const struct expr *expr,
                                const struct cell *cells)
{
    struct scalar a = {0};
    switch (expr->op) {
    case EXPR_NUMBER:
        return (struct scalar){.number = expr->number};
    case EXPR_TEXT:
        return (struct scalar){.text = expr->text};
    case EXPR_INPUT:
        return cell_value(pool, expr, cells);
    case EXPR_LINEAR:
        return (struct scalar){.number = linear_value(pool, memo, expr, cells)};
    case EXPR_TREES:
    case EXPR_VECTORS:
        return (struct scalar){.number = NAN};
    default:
        a = operand_value(pool, memo, expr->a, cells);
    }
    bool text = expr_at(pool, expr->a)->dtype == DTYPE_TEXT;
    switch (expr->op) {
    case EXPR_WHERE:
        return operand_value(pool, memo, a.number != 0 ? expr->b : expr->c, cells);
    case EXPR_CAST:
        return (struct scalar){.number = cast_value(expr->dtype, a.number), .text = a.text};
    case EXPR_ENCODE:
        return map_value(expr->map, a);
    case EXPR_INDICATE:
        return (struct scalar){.number = text ? text_same(a.text, expr->text) : a.number == expr->number};
    default:
        return (struct scalar){
            .number = expr_apply(expr, a.number,
                                 expr_is_binary(expr) ? operand_value(pool, memo, expr->b, cells).number : 0)};
    }
}

static struct scalar operand_value(const struct expr_pool *pool, struct expr_memo *memo, uint32_t id,
                                   const struct cell *cells)
{
    const struct expr *expr = expr_at(pool, id);
    if (!memo)
        return expr_value(pool, NULL, expr, cells);
    if (memo->stamps[id] != memo->stamp) {
        memo->values[id] = expr_value(pool, memo, expr, cells);
        memo->stamps[id] = memo->stamp;
    }
    return memo->values[id];
}

struct scalar expr_evaluate(const struct expr_pool *pool, uint32_t id, const struct cell *cells)
{
    return operand_value(pool, NULL, id, cells);
}

void expr_memo_init(struct expr_memo *memo, const struct expr_pool *pool)
{
    memo->values = mem_zeroed(pool->count, sizeof *memo->values);
    memo->stamps = mem_zeroed(pool->count, sizeof *memo->stamps);
    memo->stamp = 1;
}

void expr_memo_clear(struct expr_memo *memo)
{
    free(memo->values);
    free(memo->stamps);
}

void expr_memo_next_row(struct expr_memo *memo)
{
    memo->stamp++;
    assert(memo->stamp != 0); /* rows at load are far fewer than 2^32 */
}

struct scalar expr_evaluate_memo(const struct expr_pool *pool, struct expr_memo *memo, uint32_t id,
                                 const struct cell *cells)
{
    return operand_value(pool, memo, id, cells);
}
