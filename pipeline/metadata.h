/* What a model file says about itself under metadata_props: threshold, reference row, golden rows (docs/MODELS.md). */
#pragma once

#include "pipeline/linear.h"
#include "pipeline/pipeline.h"
#include "pipeline/trees.h"

enum { METADATA_GOLDEN_MAX_ROWS = 10000 };

/* A number from 0 to 1. */
MUST_USE enum status metadata_threshold(const char *text, double *out, struct error *err);

/* Turns on reasons. Every column the model uses must have its reference. */
MUST_USE enum status metadata_reference(const char *json, const struct column *columns, size_t column_count,
                                        struct linear *linear, struct error *err);

/* The same for trees, which need to know how many training rows came to each leaf. */
MUST_USE enum status metadata_covers(const char *json, struct trees *trees, struct error *err);

/* Scores the golden rows and compares: STATUS_INVALID names the row and both probabilities. */
MUST_USE enum status metadata_golden(const char *json, const struct column *columns, size_t column_count,
                                     const struct pipeline *pipeline, struct pipeline_golden *out, struct error *err);
