/* The feature contract: what a model takes from the schema, as one line of text and its SHA-256.
 *
 * The text is "NAME TYPE KIND INPUT" for each column that the model binds, separated by ", " and sorted by name (by
 * bytes): TYPE is the Avro type (int, long, float, double, string), KIND numeric, ordinal or nominal, INPUT the element
 * type of the model's tensor (float, double, string). So `printf '%s' "NAME int numeric double, …" | sha256sum` gives
 * the hash. It changes when a column that the model reads changes its meaning, not when others come or go. Fixed
 * forever: hashes stand in registries. */
#pragma once

#include "pipeline/pipeline.h"

/* Appends the text. */
void contract_write(const struct column *columns, const struct pipeline_input *inputs, size_t count,
                    struct buffer *out);

/* Is the model's contract the one that was noted when its version was registered? hash: 64 digits, columns: the text it
 * is of, or NULL if that was not kept. STATUS_INVALID names the first column that differs, if it is known. */
MUST_USE enum status contract_check(const struct pipeline *pipeline, const char *hash, const char *columns,
                                    struct error *err);

/* The tags of a model version that hold them. Texts longer than CONTRACT_TEXT_MAX are not kept. */
#define CONTRACT_TAG "attrition.feature_contract"
#define CONTRACT_COLUMNS_TAG "attrition.feature_columns"
enum { CONTRACT_TEXT_MAX = 4096 };
