/* Dealing rows into folds: see fold.h. Pure. */
#include "trainer/fold.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/hash.h"
#include "trainer/random.h"

/* Rows of one id stay together: they go where their first row goes, and count as positive where one of them is. */
struct dealing {
    uint32_t *leaders; /* by place in `rows`: the place of the id's first row; its own without an id */
    uint8_t *labels;   /* of the leaders */
    size_t count;
};

static void join_ids(const struct table *table, const uint32_t *rows, struct dealing *dealing)
{
    struct hashed_row *places = mem_zeroed(dealing->count + 1, sizeof *places); /* row: the place in `rows` */
    size_t leader = 0;
    for (size_t r = 0; r < dealing->count; r++)
        places[r] = (struct hashed_row){table->ids[rows[r]], (uint32_t)r};
    qsort(places, dealing->count, sizeof *places, order_hashed_rows);
    for (size_t p = 1; p < dealing->count; p++) {
        leader = places[p].hash == places[leader].hash && places[p].hash ? leader : p;
        uint32_t first = places[leader].row;
        dealing->leaders[places[p].row] = first;
        dealing->labels[first] |= dealing->labels[places[p].row];
    }
    free(places);
}

static struct dealing dealing_make(const struct table *table, const uint32_t *rows, size_t row_count)
{
    struct dealing dealing = {mem_zeroed(row_count + 1, sizeof *dealing.leaders), mem_zeroed(row_count + 1, 1),
                              row_count};
    for (size_t r = 0; r < row_count; r++) {
        dealing.leaders[r] = (uint32_t)r;
        dealing.labels[r] = table->labels[rows[r]];
    }
    if (table->ids)
        join_ids(table, rows, &dealing);
    return dealing;
}

static void dealing_clear(struct dealing *dealing)
{
    free(dealing->leaders);
    free(dealing->labels);
}

size_t fold_most(const struct table *table, const uint32_t *rows, size_t row_count)
{
    struct dealing dealing = dealing_make(table, rows, row_count);
    size_t of_class[2] = {0, 0};
    for (size_t r = 0; r < row_count; r++)
        if (dealing.leaders[r] == r)
            of_class[dealing.labels[r]]++;
    dealing_clear(&dealing);
    return of_class[0] < of_class[1] ? of_class[0] : of_class[1];
}

/* Places (in `rows`) of one class's leaders, shuffled; returns how many. */
static size_t shuffle_class(const struct dealing *dealing, int label, uint64_t *random, uint32_t *out)
{
    size_t found = 0;
    for (size_t r = 0; r < dealing->count; r++)
        if (dealing->leaders[r] == r && dealing->labels[r] == label)
            out[found++] = (uint32_t)r;
    random_shuffle(random, out, found);
    return found;
}

void fold_assign(const struct table *table, const uint32_t *rows, size_t row_count, size_t fold_count, uint64_t seed,
                 uint8_t *folds)
{
    struct dealing dealing = dealing_make(table, rows, row_count);
    uint32_t *places = mem_zeroed(row_count + 1, sizeof *places);
    size_t dealt = 0;
    for (int label = 0; label <= 1; label++) {
        size_t found = shuffle_class(&dealing, label, &seed, places);
        for (size_t r = 0; r < found; r++)
            folds[places[r]] = (uint8_t)(dealt++ % fold_count);
    }
    for (size_t r = 0; r < row_count; r++)
        folds[r] = folds[dealing.leaders[r]];
    free(places);
    dealing_clear(&dealing);
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
    struct dealing dealing = dealing_make(table, rows, count);
    for (int label = 0; label <= 1; label++) {
        size_t found = shuffle_class(&dealing, label, &seed, places);
        size_t taken = share > 0 ? (size_t)fmax(1, floor(share * (double)found + 0.5)) : 0;
        good = good && taken < found;
        for (size_t r = 0; r < taken && r < found; r++)
            held[places[r]] = 1;
    }
    for (size_t r = 0; r < count; r++)
        held[r] = held[dealing.leaders[r]];
    dealing_clear(&dealing);
    if (good)
        fold_split(rows, held, count, 1, out);
    free(rows);
    free(places);
    free(held);
    return good;
}
