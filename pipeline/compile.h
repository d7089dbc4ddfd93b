/* Graph → expressions: a symbolic walk that runs every needed operator on scalar expressions instead of numbers. */
#pragma once

#include "pipeline/onnx/onnx_read.h"
#include "pipeline/value.h"

/* A column that the model reads. */
struct compiled_input {
    uint32_t column;
    enum dtype dtype;
};

/* What the walk found. Expressions live in the pool, texts in the pool's arena. */
struct compiled {
    const struct compiled_input *inputs;
    size_t input_count;
    bool has_table; /* some input is one, whose columns are named from outside */
    uint32_t probabilities[CLASS_COUNT];
    struct class_labels labels;
};

/* Compiles for these columns (pool->columns). `names`: of the columns of inputs that are tables, "A,B,C" or a JSON
 * array of texts, through all of them in the file's order; SPAN_NULL: not known. STATUS_UNSUPPORTED names operator and
 * node; STATUS_NOT_FOUND the columns.
 */
MUST_USE enum status compile_graph(const struct onnx_graph *graph, size_t column_count, struct span names,
                                   struct expr_pool *pool, struct compiled *out, struct error *err);
