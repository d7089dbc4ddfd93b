/* Exact path-dependent TreeSHAP of an ensemble's raw score, added up by column. */
#pragma once

#include "pipeline/features.h"

enum { SHAP_MAX_COLUMNS = 1024, SHAP_MAX_PATH = 64 }; /* columns of a row; different features on a path */
enum { SHAP_MAX_NODES = 1 << 21 };                    /* branches, over all trees */

struct trees;
struct shap;

/* `covers`: training rows that came to each leaf, by the leaf's place among the file's nodes. Borrows nothing.
 * STATUS_INVALID, STATUS_LIMIT. Free with shap_free. */
MUST_USE enum status shap_make(const struct trees *trees, const double *covers, struct shap **out, struct error *err);
void shap_free(struct shap *shap);

/* The mean raw score of the training rows, without the ensemble's base value. */
double shap_base(const struct shap *shap);
/* What each column adds to the raw scores of count ≤ shap_rows_most rows, row r at x + r / FEATURE_LANES × stride +
 * r % FEATURE_LANES (features_write's form; all lanes of a group must be written, x aligned to 32 bytes): that of
 * shap_columns' column c at contributions[r × columns + c]. A row's numbers depend on no other row. */
void shap_rows(const struct shap *shap, const float *x, size_t stride, size_t count, double *contributions);
size_t shap_rows_most(const struct shap *shap);
/* The columns that some tree reads, ascending. */
size_t shap_columns(const struct shap *shap, const uint32_t **out);
size_t shap_bytes(const struct shap *shap);
