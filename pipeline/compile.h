/* Graph → expressions: a symbolic walk that runs every needed operator on scalar expressions instead of numbers. */
#pragma once

#include "pipeline/onnx/onnx_read.h"
#include "pipeline/value.h"

/* What the walk found. Expressions live in the pool, texts in the pool's arena. */
struct compiled {
    uint32_t probabilities[CLASS_COUNT];
    struct class_labels labels;
};

/* Compiles for these columns (pool->columns). STATUS_UNSUPPORTED names operator and node; STATUS_NOT_FOUND the columns.
 */
MUST_USE enum status compile_graph(const struct onnx_graph *graph, size_t column_count, struct expr_pool *pool,
                                   struct compiled *out, struct error *err);
