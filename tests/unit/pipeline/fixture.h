/* A small linear model for the tests of pipeline/: two numbers and two nominals, and its closed form. The second
 * nominal's schema lacks a category that the model knows. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "pipeline/onnx/onnx_write.h"
#include "pipeline/pipeline.h"

enum { AGE, CITY, PAY, SHIFT, COLUMNS };

static const struct span CITY_VALUES[] = {SPAN_LITERAL("Ulm"), SPAN_LITERAL("Bonn & Köln"), SPAN_LITERAL("Nowhere")};
static const struct span SHIFT_VALUES[] = {SPAN_LITERAL("day")};

/* Schema order differs from the model's (numbers, then nominals). */
static const struct column SCHEMA[COLUMNS] = {
    [AGE] = {.name = "age", .kind = COLUMN_NUMERIC, .type = COLUMN_INT},
    [CITY] = {.name = "city", .kind = COLUMN_NOMINAL, .type = COLUMN_TEXT, .values = CITY_VALUES, .value_count = 3},
    [PAY] = {.name = "pay", .kind = COLUMN_ORDINAL, .type = COLUMN_DOUBLE},
    [SHIFT] = {.name = "shift", .kind = COLUMN_NOMINAL, .type = COLUMN_TEXT, .values = SHIFT_VALUES, .value_count = 1},
};

static const struct span CITIES[] = {SPAN_LITERAL("Bonn & Köln"), SPAN_LITERAL("Ulm")};
static const struct span SHIFTS[] = {SPAN_LITERAL("day"), SPAN_LITERAL("night")};
static const double AGE_WEIGHT[] = {0.75}, PAY_WEIGHT[] = {-1.25}, CITY_WEIGHTS[] = {0.5, -0.25},
                    SHIFT_WEIGHTS[] = {-0.1, 0.9};
static const struct fitted_column FITTED[COLUMNS] = {
    {.column = &SCHEMA[AGE], .median = 36, .mean = 36.9, .scale = 9.13, .weights = AGE_WEIGHT},
    {.column = &SCHEMA[PAY], .median = 4900.5, .mean = 6500.25, .scale = 4700.7, .weights = PAY_WEIGHT},
    {.column = &SCHEMA[CITY], .categories = CITIES, .category_count = 2, .mode = 1, .weights = CITY_WEIGHTS},
    {.column = &SCHEMA[SHIFT], .categories = SHIFTS, .category_count = 2, .mode = 0, .weights = SHIFT_WEIGHTS},
};
static const double INTERCEPT = -0.6;
static const struct span LABELS[2] = {SPAN_LITERAL("No"), SPAN_LITERAL("Yes")};

#define REFERENCE \
    "{\"kind\":\"linear\",\"columns\":{\"age\":36.5,\"pay\":6000,\"city\":{\"Ulm\":0.75,\"Bonn & K\xc3\xb6ln\":0.25}," \
    "\"shift\":{\"day\":0.5,\"night\":0.5}}}"

static inline struct linear_model fixture_model(const struct model_property *properties, size_t count)
{
    return (struct linear_model){.columns = FITTED,
                                 .column_count = COLUMNS,
                                 .intercept = INTERCEPT,
                                 .labels = LABELS,
                                 .properties = properties,
                                 .property_count = count,
                                 .producer_version = "test"};
}

/* The file's bytes; buffer_free them. */
static inline struct buffer fixture_file(const char *key, const char *value)
{
    struct model_property property = {key, key ? span_of(value) : SPAN_NULL};
    struct linear_model model = fixture_model(&property, key != NULL);
    struct buffer file = {0};
    struct error err;
    assert_int_equal(onnx_write_linear(&model, &file, &err), STATUS_OK);
    return file;
}

static inline enum status fixture_load(const struct buffer *file, struct pipeline **out, struct error *err)
{
    const struct pipeline_options options = {.default_positive = "Yes"};
    return pipeline_load(buffer_span(file), SCHEMA, COLUMNS, &options, out, err);
}

static inline struct cell fixture_text(int column, const char *text)
{
    if (!text)
        return cell_missing(&SCHEMA[column]);
    return (struct cell){
        .text = text, .text_bytes = (uint32_t)strlen(text), .code = column_code(&SCHEMA[column], span_of(text))};
}

/* NAN and NULL are missing. */
static inline void fixture_row(struct cell *cells, double age, const char *city, double pay, const char *shift)
{
    cells[AGE] = cell_number(age);
    cells[CITY] = fixture_text(CITY, city);
    cells[PAY] = cell_number(pay);
    cells[SHIFT] = fixture_text(SHIFT, shift);
}

static inline double fixture_text_term(const struct fitted_column *fitted, const char *text)
{
    if (!text || !*text)
        return fitted->weights[fitted->mode];
    for (size_t c = 0; c < fitted->category_count; c++)
        if (span_equal(fitted->categories[c], span_of(text)))
            return fitted->weights[c];
    return 0;
}

static inline double fixture_number_term(const struct fitted_column *fitted, double number)
{
    return fitted->weights[0] * (((isnan(number) ? fitted->median : number) - fitted->mean) / fitted->scale);
}

static inline double fixture_margin(double age, const char *city, double pay, const char *shift)
{
    return fixture_number_term(&FITTED[0], age) + fixture_number_term(&FITTED[1], pay) +
           fixture_text_term(&FITTED[2], city) + fixture_text_term(&FITTED[3], shift) + INTERCEPT;
}
