/* The body of struct pipeline, shared by who makes it (pipeline_load.c) and who runs it (pipeline.c). Nobody else
 * includes this. */
#pragma once

#include "base/sha256.h"
#include "pipeline/linear.h"
#include "pipeline/pipeline.h"
#include "pipeline/steps.h"
#include "pipeline/trees.h"

struct property {
    struct span key, value; /* NUL-terminated */
};

/* A row that does not fulfil it has no score: the graph would fail on it. */
struct demand {
    uint32_t expr;
    int32_t column;     /* the one it depends on, or EXPR_MANY_COLUMNS */
    const uint8_t *met; /* of a nominal column, by code + 2; NULL: computed */
};

struct pipeline {
    struct expr_pool pool;
    struct linear *linear; /* one of these three */
    struct trees *trees;
    struct steps *steps;
    const struct demand *demands;
    const struct expr *whole; /* inputs that take integers alone: a row without one has no score */
    size_t whole_count;
    struct property *properties;
    size_t property_count;
    struct span positive_label;
    double threshold;
    size_t column_count;
    struct pipeline_input *inputs;
    size_t input_count;
    const char *contract_columns;
    char contract[SHA256_HEX_BYTES];
    struct pipeline_golden golden;
};

/* The metadata of that key, or SPAN_NULL. */
struct span pipeline_property(const struct pipeline *pipeline, const char *key);
