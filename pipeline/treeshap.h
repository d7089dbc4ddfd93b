/* Exact path-dependent TreeSHAP of an ensemble's raw score, added up by column. */
#pragma once

#include "pipeline/features.h"

enum { TREESHAP_MAX_COLUMNS = 1024, TREESHAP_MAX_PATH = 64 }; /* columns of a row; different features on a path */
enum { TREESHAP_MAX_NODES = 1 << 21 };                        /* branches, over all trees */

struct trees;
struct treeshap;

/* `covers`: training rows that came to each leaf, in the order of the file. Borrows nothing. STATUS_INVALID,
 * STATUS_LIMIT. Free with treeshap_free. */
MUST_USE enum status treeshap_make(const struct trees *trees, const double *covers, struct treeshap **out,
                                   struct error *err);
void treeshap_free(struct treeshap *shap);

/* The mean raw score of the training rows, without the ensemble's base value. */
double treeshap_base(const struct treeshap *shap);
/* What each column adds to the raw scores of count ≤ treeshap_rows_most rows, row r at x + r / FEATURE_LANES × stride +
 * r % FEATURE_LANES (features_write's form; all lanes of a group must be written, x aligned to 32 bytes): that of
 * treeshap_columns' column c at contributions[r × columns + c]. A row's numbers depend on no other row. */
void treeshap_rows(const struct treeshap *shap, const float *x, size_t stride, size_t count, double *contributions);
size_t treeshap_rows_most(const struct treeshap *shap);
/* The columns that some tree reads, ascending. */
size_t treeshap_columns(const struct treeshap *shap, const uint32_t **out);
size_t treeshap_bytes(const struct treeshap *shap);
