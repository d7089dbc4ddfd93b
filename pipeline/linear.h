/* A linear model as a flat program: one term for each column, from a table (nominals) or a formula (numbers). */
#pragma once

#include "pipeline/compile.h"
#include "pipeline/score.h"

enum { LINEAR_MAX_TERMS = 1024 };

struct linear;

/* Folds the probability of class `positive`. Borrows the pool and its columns, which must outlive it.
 * STATUS_UNSUPPORTED: not a logistic regression over single columns. Free with linear_free. */
MUST_USE enum status linear_compile(const struct expr_pool *pool, const struct compiled *compiled, size_t positive,
                                    size_t column_count, struct linear **out, struct error *err);
void linear_free(struct linear *linear);

size_t linear_term_count(const struct linear *linear);
uint32_t linear_term_column(const struct linear *linear, size_t term);
enum dtype linear_dtype(const struct linear *linear); /* of the raw score */
/* All terms of one row (linear_term_count of them); returns the margin: their sum and the intercept. */
double linear_terms(const struct linear *linear, const struct cell *cells, double *restrict terms);

/* Makes reasons possible: the reference row's terms. Copies them. At load only. */
void linear_set_reference(struct linear *linear, const double *terms);

/* pipeline_score_from's contract. */
void linear_score(const struct linear *linear, const struct cell *cells, size_t row_count, uint32_t top_reasons,
                  double least, struct score *scores, struct reason *reasons);
bool linear_has_reference(const struct linear *linear);
size_t linear_bytes(const struct linear *linear);
