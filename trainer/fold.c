/* Dealing rows into folds: see fold.h. Pure. */
#include "trainer/fold.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/random.h"

size_t fold_most(const struct table *table, const uint32_t *rows, size_t row_count)
{
    size_t positives = 0;
    for (size_t r = 0; r < row_count; r++)
        positives += table->labels[rows[r]];
    return positives < row_count - positives ? positives : row_count - positives;
}

/* Places (in `rows`) of one class's rows, shuffled; returns how many. */
static size_t shuffle_class(const struct table *table, const uint32_t *rows, size_t row_count, int label,
                            uint64_t *random, uint32_t *out)
{
    size_t found = 0;
    for (size_t r = 0; r < row_count; r++)
        if (table->labels[rows[r]] == label)
            out[found++] = (uint32_t)r;
    for (size_t left = found; left > 1; left--) {
        size_t other = (size_t)random_below(random, left);
        uint32_t swapped = out[left - 1];
        out[left - 1] = out[other];
        out[other] = swapped;
    }
    return found;
}

void fold_assign(const struct table *table, const uint32_t *rows, size_t row_count, size_t fold_count, uint64_t seed,
                 uint8_t *folds)
{
    uint32_t *places = mem_zeroed(row_count + 1, sizeof *places);
    size_t dealt = 0;
    for (int label = 0; label <= 1; label++) {
        size_t found = shuffle_class(table, rows, row_count, label, &seed, places);
        for (size_t r = 0; r < found; r++)
            folds[places[r]] = (uint8_t)(dealt++ % fold_count);
    }
    free(places);
}

void fold_split(const uint32_t *rows, const uint8_t *folds, size_t row_count, size_t fold, struct fold_rows *out)
{
    *out = (struct fold_rows){.training = mem_zeroed(row_count + 1, sizeof(uint32_t)),
                              .assessed = mem_zeroed(row_count + 1, sizeof(uint32_t))};
    for (size_t r = 0; r < row_count; r++) {
        if (folds[r] == fold)
            out->assessed[out->assessed_count++] = rows[r];
        else
            out->training[out->training_count++] = rows[r];
    }
}

void fold_rows_clear(struct fold_rows *rows)
{
    free(rows->training);
    free(rows->assessed);
    *rows = (struct fold_rows){0};
}

bool fold_hold_out(const struct table *table, double share, uint64_t seed, struct fold_rows *out)
{
    size_t count = table->row_count;
    uint32_t *rows = mem_zeroed(count + 1, sizeof *rows), *places = mem_zeroed(count + 1, sizeof *places);
    uint8_t *held = mem_zeroed(count + 1, 1);
    bool good = true;
    for (size_t r = 0; r < count; r++)
        rows[r] = (uint32_t)r;
    for (int label = 0; label <= 1; label++) {
        size_t found = shuffle_class(table, rows, count, label, &seed, places);
        size_t taken = share > 0 ? (size_t)fmax(1, floor(share * (double)found + 0.5)) : 0;
        good = good && taken < found;
        for (size_t r = 0; r < taken && r < found; r++)
            held[places[r]] = 1;
    }
    if (good)
        fold_split(rows, held, count, 1, out);
    free(rows);
    free(places);
    free(held);
    return good;
}
