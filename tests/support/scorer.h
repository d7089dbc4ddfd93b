/* What tests of the daemon share: the shipped schema, a small linear model file, options from a command line. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/options.h"
#include "events/schema.h"
#include "pipeline/onnx/onnx_write.h"
#include "scorer/settings.h"

static int scorer_no_run(const struct options *options)
{
    (void)options;
    return 0;
}

static const struct subcommand scorer_subcommands[] = {{"run", "", "", .run = scorer_no_run}, {0}};

/* NULL-terminated words after the program's name. */
static inline struct options *scorer_options(const char *const *words)
{
    const char *argv[64] = {"scorer"};
    const char *none[] = {NULL};
    int argc = 1;
    struct options *options;
    struct error err;
    bool exit_now;
    while (*words)
        argv[argc++] = *words++;
    enum status status = options_parse(PROGRAM_SCORER, scorer_subcommands, argc, (char **)argv, (char **)none, &options,
                                       &exit_now, &err);
    if (status != STATUS_OK)
        fail_msg("%s", err.text);
    return options;
}

static inline struct schema *scorer_schema(void)
{
    struct schema *schema;
    struct error err;
    if (schema_load("schemas", &schema, &err) != STATUS_OK)
        fail_msg("%s (tests run in the project's root)", err.text);
    return schema;
}

/* A model of the schema's first number: margin = intercept + (x - low) / 10. */
static inline void scorer_write_model(const struct schema *schema, const char *path, double intercept)
{
    static const double weight = 1;
    const struct column *column = schema->columns;
    while (column->kind == COLUMN_NOMINAL)
        column++;
    const struct fitted_column fitted = {
        .column = column, .median = column->low, .mean = column->low, .scale = 10, .weights = &weight};
    const struct linear_model model = {.columns = &fitted,
                                       .column_count = 1,
                                       .intercept = intercept,
                                       .labels = schema->target_values,
                                       .producer_version = "test"};
    struct buffer file = {0};
    struct error err;
    if (onnx_write_linear(&model, &file, &err) != STATUS_OK ||
        file_write_atomic(path, buffer_span(&file), &err) != STATUS_OK)
        fail_msg("%s", err.text);
    buffer_free(&file);
}
