/* Scalar expressions: what one element of a tensor is, for one row, as a function of that row's cells.
 *
 * The compiler walks the graph and turns each tensor into a list of these; constants are folded on the way. The pool
 * owns all; an expression is an index into it. Building is single-threaded; a built pool is read-only and safe to
 * share. */
#pragma once

#include "base/memory.h"
#include "base/row.h"
#include "base/status.h"
#include "pipeline/onnx/onnx_read.h"

enum { EXPR_MAX_BYTES = 256 << 20 }; /* of cells and terms, over all tensors of a graph */
enum { EXPR_MAX = 1 << 20, EXPR_MAX_DEPTH = 200, EXPR_MAX_KEYS = 4096 };
enum { EXPR_MAX_WORK = 1 << 28 }; /* steps of folding constants, over a graph */
enum { EXPR_NO_COLUMN = -1, EXPR_MANY_COLUMNS = -2 };
#define EXPR_NONE UINT32_MAX /* no expression */

enum expr_op {
    EXPR_NUMBER, /* number */
    EXPR_TEXT,   /* text */
    EXPR_INPUT,  /* the cell of `column`: NaN or "" where missing */
    EXPR_IS_NAN, /* bool */
    EXPR_WHERE,  /* a ? b : c */
    EXPR_ADD,    /* a + b, and so on: float operands give a float result */
    EXPR_SUB,
    EXPR_MUL,
    EXPR_DIV,
    EXPR_AT_LEAST, /* the larger of a and b; NaN where a is */
    EXPR_AT_MOST,  /* the smaller */
    EXPR_POW,
    EXPR_LESS,  /* bool: a < b */
    EXPR_EQUAL, /* bool: a = b */
    EXPR_CAST,  /* a as dtype */
    EXPR_ABS,
    EXPR_ENCODE,   /* map: key → value */
    EXPR_INDICATE, /* 1 where a is the key (`text` or `number`), else 0 */
    EXPR_SIGMOID,
    EXPR_EXP,
    EXPR_LOG,
    EXPR_SQRT,
    EXPR_TANH,
    EXPR_NEAREST, /* map: the value of the number key nearest to a, of equally near ones the first */
    EXPR_PICK,    /* map: its number value at the place a */
    EXPR_LINEAR,  /* terms */
    EXPR_TREES,   /* output for class `b` of `trees`: by trees_compile.c and steps.c, never evaluated here */
    EXPR_VECTORS, /* probability of class `b` by `vectors`: by steps.c alone */
};

struct ensemble;
struct support_vectors;

/* LabelEncoder's table. */
struct expr_map {
    size_t count;
    const struct span *text_keys; /* NULL: number_keys */
    const double *number_keys;
    const struct span *text_values; /* NULL: number_values */
    const double *number_values;
    struct span text_default;
    double number_default;
};

struct expr_term {
    uint32_t expr;
    double weight;
};

/* Sum of weight × expr in this order, plus bias. */
struct expr_terms {
    size_t count;
    const struct expr_term *terms;
};

struct expr {
    uint8_t op;    /* enum expr_op */
    uint8_t dtype; /* enum dtype of the result */
    uint16_t depth;
    int32_t column; /* the one it depends on, EXPR_NO_COLUMN (a constant), or EXPR_MANY_COLUMNS */
    uint32_t cost;  /* steps to evaluate, without sharing; saturates */
    uint32_t a, b, c;
    union {
        double number; /* NUMBER; INDICATE of a number; LINEAR's bias */
        struct span text;
    };
    union {
        const struct expr_map *map;
        const struct expr_terms *terms;
        const struct ensemble *trees;
        const struct support_vectors *vectors;
    };
};

/* Which node of the graph made the expressions from `first` on. */
struct expr_origin {
    uint32_t first;
    const char *op, *name; /* the open file's */
};

struct expr_pool {
    struct expr *exprs;
    size_t count, capacity;
    struct expr_origin *origins; /* while the file is open */
    size_t origin_count, origin_capacity, work;
    struct arena arena; /* maps, terms, copied texts */
    size_t arena_bytes;
    uint32_t *demands; /* see expr_demand */
    size_t demand_count, demand_capacity;
    const struct column *columns;
    enum status overflow; /* STATUS_LIMIT once a bound above was passed: checked after each operator */
};

struct scalar {
    double number;
    struct span text;
};

void expr_pool_free(struct expr_pool *pool);
void *expr_pool_take(struct expr_pool *pool, size_t count, size_t size); /* zeroed, lives with the pool */
/* False, and overflow is set, where count × size more bytes would pass EXPR_MAX_BYTES: asked before what a graph can
 * multiply. */
bool expr_pool_room(struct expr_pool *pool, size_t count, size_t size);
struct span expr_pool_text(struct expr_pool *pool, struct span text); /* a copy, NUL-terminated */

/* What is made from now on is this node's, until the next call; forgotten before the file closes. */
void expr_pool_enter(struct expr_pool *pool, const char *op, const char *name);
void expr_pool_forget(struct expr_pool *pool);
const struct expr_origin *expr_origin_of(const struct expr_pool *pool, uint32_t id); /* NULL: no node */
/* STATUS_UNSUPPORTED: `what` in `feature` mixes columns; names the node that first did, looking down from `id`. */
MUST_USE enum status expr_refuse_mixing(const struct expr_pool *pool, uint32_t id, const char *what, size_t feature,
                                        struct error *err);

/* Whether an expression of this operation has a second operand, b. */
static inline bool expr_is_binary(const struct expr *expr)
{
    return expr->op >= EXPR_ADD && expr->op <= EXPR_EQUAL;
}

static inline const struct expr *expr_at(const struct expr_pool *pool, uint32_t id)
{
    return &pool->exprs[id];
}

uint32_t expr_number(struct expr_pool *pool, enum dtype dtype, double number);
uint32_t expr_text(struct expr_pool *pool, struct span text); /* copies */
uint32_t expr_input(struct expr_pool *pool, uint32_t column, enum dtype dtype);
uint32_t expr_unary(struct expr_pool *pool, enum expr_op op, enum dtype dtype,
                    uint32_t a); /* IS_NAN, CAST, ABS, SIGMOID, EXP, LOG, SQRT, TANH */
uint32_t expr_arithmetic(struct expr_pool *pool, enum expr_op op, enum dtype dtype, uint32_t a, uint32_t b);
uint32_t expr_where(struct expr_pool *pool, uint32_t condition, uint32_t then, uint32_t otherwise);
uint32_t expr_encode(struct expr_pool *pool, enum dtype dtype, uint32_t a, const struct expr_map *map);
uint32_t expr_nearest(struct expr_pool *pool, enum dtype dtype, uint32_t a, const struct expr_map *map);
/* a is a place in the map's `count` number values: see expr_range. */
uint32_t expr_pick(struct expr_pool *pool, enum dtype dtype, uint32_t a, const struct expr_map *map);
uint32_t expr_indicate(struct expr_pool *pool, uint32_t a, struct span text, double number);
uint32_t expr_linear(struct expr_pool *pool, enum dtype dtype, const struct expr_terms *terms, double bias);
uint32_t expr_trees(struct expr_pool *pool, const struct ensemble *trees, uint32_t class);
uint32_t expr_vectors(struct expr_pool *pool, const struct support_vectors *vectors, uint32_t class);

/* What an integer made of constants by choice, addition and subtraction can be. False: anything else, or more steps
 * than folding may take. */
bool expr_range(struct expr_pool *pool, uint32_t id, double *low, double *high);

/* Every row must have a number other than 0 here: what the graph would not compute at all otherwise. */
void expr_demand(struct expr_pool *pool, uint32_t id);

/* A text that no key equals: what an unknown category is, whatever it reads. Cells carry it with CELL_OTHER. */
extern const char EXPR_UNKNOWN[1];

/* What an operation on numbers alone gives: all but leaves, WHERE, LINEAR, TREES and what compares texts. */
double expr_apply(const struct expr *expr, double a, double b);

/* The value for one row (cells in schema order). No allocation; recursion is bounded by EXPR_MAX_DEPTH. */
struct scalar expr_evaluate(const struct expr_pool *pool, uint32_t id, const struct cell *cells);

/* Evaluates many expressions on one row, each shared part once: for folding at load. */
struct expr_memo {
    struct scalar *values;
    uint32_t *stamps, stamp;
};
void expr_memo_init(struct expr_memo *memo, const struct expr_pool *pool);
void expr_memo_clear(struct expr_memo *memo);
void expr_memo_next_row(struct expr_memo *memo);
struct scalar expr_evaluate_memo(const struct expr_pool *pool, struct expr_memo *memo, uint32_t id,
                                 const struct cell *cells);

/* 1 / (1 + e^−z) without overflow. */
double expr_sigmoid(double z);
float expr_sigmoid_float(float z);
