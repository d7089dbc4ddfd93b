/* The rows that trees compare: from decoded cells to one float per feature that some node reads. */
#pragma once

#include "pipeline/ensemble.h"

enum { FEATURE_LANES = 8, FEATURE_MAX_SLOTS = 2048 };

/* Where a feature's value stands in a row. `low` holds the same, but −infinity for NaN: nodes that send what is missing
 * to the left read there, and no comparison needs to know. Slot 0 is always −infinity; here it says "nobody reads it".
 */
struct feature_slot {
    uint32_t slot, low;
};

struct features;

/* Compiles what the ensemble's nodes read; `given`: their values come by features_write_given, from whatever columns.
 * Borrows pool and ensemble, which must outlive it. STATUS_UNSUPPORTED: a feature that mixes columns. Free with
 * features_free. */
MUST_USE enum status features_compile(const struct expr_pool *pool, const struct ensemble *ensemble,
                                      size_t column_count, bool given, struct features **out, struct error *err);
void features_free(struct features *features);

size_t features_slot_count(const struct features *features);
struct feature_slot features_slot(const struct features *features, uint32_t feature);
/* The column a feature comes from, or EXPR_NO_COLUMN. */
int32_t features_column(const struct features *features, uint32_t feature);
/* The float that stands for this threshold of this feature: x ≤ threshold exactly where value ≤ this. */
float features_threshold(const struct features *features, uint32_t feature, double threshold);
/* One feature of a row as the graph computes it: x ≤ threshold of a node is decided by it. Slow: for tools. */
double features_value(const struct features *features, uint32_t feature, const struct cell *cells);
size_t features_bytes(const struct features *features);

/* Writes one row: slot s at x[s * FEATURE_LANES]. No allocation. */
void features_write(const struct features *features, const struct cell *cells, float *x);
/* The same from inputs[feature][row]. */
void features_write_given(const struct features *features, const double *const *inputs, size_t row, float *x);
