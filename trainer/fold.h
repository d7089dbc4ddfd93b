/* Stratified cross-validation: what a model is worth on rows it has not seen, and which threshold to use. */
#ifndef TRAINER_FOLD_H
#define TRAINER_FOLD_H

#include "trainer/metrics.h"
#include "trainer/model.h"

enum { FOLD_MOST = 5 };

struct validation {
    size_t fold_count;      /* 5, or as many as the rarer class has rows */
    struct metrics metrics; /* over all rows, each predicted by a model that has not seen it */
    struct metrics folds[FOLD_MOST];
    struct metrics baseline; /* always the negative class, with the base rate as probability */
    double threshold;        /* the recipe's, or that of largest F1 over all rows */
    size_t unconverged;      /* folds whose fit did not converge; their predictions are used as they are */
};

/* Deals the rows of each class into folds, by a shuffle from the seed: the same table and seed give the same folds. */
void fold_assign(const uint8_t *labels, size_t count, size_t fold_count, uint64_t seed, uint8_t *folds);

/* Metrics that depend on a threshold use, for each fold, the threshold of largest F1 on the other folds' rows (or the
 * recipe's), so that no row takes part in choosing the threshold it is judged by. STATUS_INVALID: a class with one row.
 */
MUST_USE enum status fold_validate(const struct table *table, const struct recipe *recipe, struct validation *out,
                                   struct error *err);

#endif
