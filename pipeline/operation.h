/* One operator at work, and what the operators' bodies share. At load only. */
#pragma once

#include "pipeline/onnx/onnx_read.h"
#include "pipeline/value.h"

/* One operator at work. Inputs left out are NULL; outputs are zeroed, to be filled. */
struct operation {
    struct expr_pool *pool;
    const struct onnx_node *node;
    const struct value *const *inputs;
    size_t input_count;
    struct value *outputs;
    size_t output_count;
    int64_t opset; /* of the node's domain */
    struct error *err;
};

/* Refusals, to be returned: they name the form, and the caller puts operator and node before it. */
enum status operation_unsupported(struct operation *operation, const char *what);
enum status operation_invalid(struct operation *operation, const char *what);

/* Attributes, or the default. A wrong type is refused by the return value. */
MUST_USE enum status operation_int(struct operation *operation, const char *name, int64_t fallback, int64_t *out);
/* −1 … rank − 1 made positive; refused beyond. */
MUST_USE enum status operation_axis(struct operation *operation, int64_t axis, size_t rank, size_t *out);
/* Likewise of the attribute `axis`. */
MUST_USE enum status operation_axis_attribute(struct operation *operation, int64_t fallback, size_t rank, size_t *out);
/* ArgMin's and ArgMax's attributes: refused unless they ask for the first of each row. *keep: as a dimension. */
MUST_USE enum status operation_first_of_row(struct operation *operation, const char *what, bool *keep);

/* A tensor output with room for its cells (the product of dims); none, and the pool's overflow set, beyond its bounds.
 */
uint32_t *operation_output(struct operation *operation, enum dtype dtype, bool rows, size_t rank, const size_t *dims);
/* The shape that the first `count` inputs broadcast to, and which of an input's cells stands at `flat` of it. A batch
 * axis meets only batch axes and constants' ones. */
MUST_USE enum status operation_broadcast(struct operation *operation, size_t count, struct value *out);
uint32_t operation_broadcast_cell(const struct value *operand, const struct value *out, size_t flat);
/* An integer that is a constant; refused otherwise. */
MUST_USE enum status operation_constants(struct operation *operation, const struct value *value, const char *what);
static inline double operation_constant(const struct operation *operation, const struct value *value, size_t cell)
{
    return expr_at(operation->pool, value->cells[cell])->number;
}
