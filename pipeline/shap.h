/* Exact path-dependent TreeSHAP of an ensemble's raw score, added up by column. */
#ifndef PIPELINE_SHAP_H
#define PIPELINE_SHAP_H

#include "pipeline/features.h"

enum { SHAP_MAX_COLUMNS = 1024, SHAP_MAX_PATH = 64 }; /* columns of a row; different features on a path */
enum { SHAP_MAX_EDGES = 1 << 22 };                    /* over all trees */

struct packed_node;
struct shap;

/* `covers`: training rows that came to each leaf, by the leaf's place among the file's nodes. Borrows the ensemble, the
 * features and the packed nodes. STATUS_INVALID, STATUS_LIMIT. Free with shap_free. */
MUST_USE enum status shap_make(const struct ensemble *ensemble, const struct features *features,
                               const struct packed_node *nodes, size_t class, size_t column_count, const double *covers,
                               struct shap **out, struct error *err);
void shap_free(struct shap *shap);

/* The mean raw score of the training rows, without the ensemble's base value. */
double shap_base(const struct shap *shap);
/* What each column adds to the raw score of the row x (features_write's form): contributions[column], for shap_columns.
 */
void shap_row(const struct shap *shap, const float *x, double *contributions);
/* The columns that some tree reads, ascending. */
size_t shap_columns(const struct shap *shap, const uint32_t **out);
size_t shap_bytes(const struct shap *shap);

#endif
