/* Stratified folds: which rows train and which are assessed. Rows of one id are never on both sides. */
#pragma once

#include "trainer/table.h"

/* The most folds that the rows listed allow: rows (or ids of several rows) of the rarer class. */
size_t fold_most(const struct table *table, const uint32_t *rows, size_t row_count);

/* Deals the rows of each class into folds, by a shuffle from the seed: the same table, rows and seed give the same
 * folds. One fold number a row listed. */
void fold_assign(const struct table *table, const uint32_t *rows, size_t row_count, size_t fold_count, uint64_t seed,
                 uint8_t *folds);

/* One fold's rows (to be assessed) and the others' (to train on), as indexes into the table, ascending as given. */
struct fold_rows {
    uint32_t *training, *assessed;
    size_t training_count, assessed_count;
};
void fold_split(const uint32_t *rows, const uint8_t *folds, size_t row_count, size_t fold, struct fold_rows *out);
void fold_rows_clear(struct fold_rows *rows);

/* Takes about `share` of each class's rows out as assessed, one at least; the rest is training. False: a class would be
 * left without a row. */
bool fold_hold_out(const struct table *table, double share, uint64_t seed, struct fold_rows *out);
