/* A model, compiled: rows in, probabilities and reasons out.
 *
 * An ONNX file (imputation, scaling, one-hot and classifier in one graph, one input tensor per column) is read within
 * bounds, compiled to a flat program, and its golden rows are replayed. What cannot be reproduced exactly is refused at
 * load by operator and node name. Immutable after load: any number of threads may score with one pipeline at once.
 *
 * Metadata keys of a file (ONNX metadata_props), all optional; docs/MODELS.md says what each may hold:
 *   attrition.threshold, attrition.positive_label, attrition.columns, attrition.golden, attrition.metrics (for people),
 * and attrition.reference: of kind "linear" (training means and frequencies) or "tree" (rows that came to each leaf).
 */
#pragma once

#include "base/status.h"
#include "pipeline/score.h"

struct pipeline;

struct pipeline_options {
    const char *positive_label;   /* overrides the file's metadata; NULL: metadata, then default_positive */
    const char *default_positive; /* the schema's target value, or NULL */
    const char *columns;          /* names of a table's columns, "A,B,C"; NULL: the file's own */
    bool scores_only;             /* trees get no reasons, whose tables are most of their memory */
};

/* Compiles for these columns, which must outlive the pipeline. Refusals: STATUS_INVALID (not a sound model file),
 * STATUS_UNSUPPORTED (an operator or a form of it, named), STATUS_LIMIT (too large or too deep), STATUS_NOT_FOUND
 * (needs a column the schema lacks). Free with pipeline_free. */
MUST_USE enum status pipeline_load(struct span file, const struct column *columns, size_t column_count,
                                   const struct pipeline_options *options, struct pipeline **out, struct error *err);
void pipeline_free(struct pipeline *pipeline);

/* Scores row_count rows (row-major cells). top_reasons > 0: writes up to top_reasons reasons per row, largest magnitude
 * first, ties in schema order, to reasons[row * top_reasons …] and their number to scores[row].reason_count.
 * No allocation; at most 600 KB of stack. */
void pipeline_score(const struct pipeline *pipeline, const struct cell *cells, size_t row_count, uint32_t top_reasons,
                    struct score *scores, struct reason *reasons);
/* The same, but a row whose probability is below `least` gets no reasons: its reason_count is 0. */
void pipeline_score_from(const struct pipeline *pipeline, const struct cell *cells, size_t row_count,
                         uint32_t top_reasons, double least, struct score *scores, struct reason *reasons);

/* Whether a row has no score because the model takes no such value of *column (negative: of several). */
bool pipeline_refuses(const struct pipeline *pipeline, const struct cell *cells, int32_t *column);
/* The same for people, of a row without a score. */
enum { PIPELINE_WHY_BYTES = 160 };
const char *pipeline_why_no_score(const struct pipeline *pipeline, const struct cell *cells,
                                  char text[PIPELINE_WHY_BYTES]);

double pipeline_threshold(const struct pipeline *pipeline);
const char *pipeline_positive_label(const struct pipeline *pipeline); /* never NULL */
bool pipeline_has_reasons(const struct pipeline *pipeline);
/* Whether margin and contributions are log-odds; else, of trees without a sigmoid, they are probabilities. */
bool pipeline_margin_is_log_odds(const struct pipeline *pipeline);
const char *pipeline_metadata(const struct pipeline *pipeline, const char *key); /* NULL if absent */
size_t pipeline_bytes(const struct pipeline *pipeline);                          /* memory it holds */

/* For people and tools: what was loaded. */
size_t pipeline_inputs(const struct pipeline *pipeline, const struct pipeline_input **out);
enum pipeline_kind { PIPELINE_LINEAR, PIPELINE_TREES, PIPELINE_STEPS };
enum pipeline_kind pipeline_kind(const struct pipeline *pipeline);
const char *pipeline_kind_name(const struct pipeline *pipeline); /* "linear", "trees", "steps" */
size_t pipeline_tree_count(const struct pipeline *pipeline);
double pipeline_tolerance(const struct pipeline *pipeline); /* largest difference from onnxruntime to expect */

/* For counterfactual.c: the columns it was compiled for, and its trees (NULL: another kind). */
struct trees;
const struct column *pipeline_columns(const struct pipeline *pipeline, size_t *count);
const struct trees *pipeline_trees(const struct pipeline *pipeline);

/* What the model takes from the schema, for as long as the pipeline lives: contract.h. */
const char *pipeline_contract(const struct pipeline *pipeline);         /* SHA-256 in hexadecimal */
const char *pipeline_contract_columns(const struct pipeline *pipeline); /* the text it is of */

struct pipeline_golden pipeline_golden(const struct pipeline *pipeline);

/* Appends attrition.reference's JSON as these rows (at least one) give it: means and frequencies, or how many of them
 * come to each leaf. Texts must be the schema's. STATUS_INVALID: a column that the model uses is empty in all rows. */
MUST_USE enum status pipeline_reference(const struct pipeline *pipeline, const struct cell *cells, size_t row_count,
                                        struct buffer *out, struct error *err);
