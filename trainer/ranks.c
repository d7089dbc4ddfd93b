/* Floats → ranks: see ranks.h. Pure; called once per fit, before the trees grow. Distinct values are gathered in a hash
 * table, since most columns of people's tables have few, and only these are sorted. */
#include "trainer/ranks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"

enum { SLOTS = 4 * RANKS_MOST, SLOT_MASK = SLOTS - 1, SLOT_BITS = 18 };

/* Distinct values: an open hash of indexes into `values`, plus one; 0 is free. */
struct distinct {
    uint32_t *slots;
    float *values;
    uint32_t count;
};

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The slot of a value, or the free one where it belongs. −0 and 0 are one. */
static uint32_t *distinct_slot_of(const struct distinct *distinct, float value)
{
    uint32_t at = (bits_of(value) * 0x9E3779B1u) >> (32 - SLOT_BITS);
    while (distinct->slots[at] && distinct->values[distinct->slots[at] - 1] != value)
        at = (at + 1) & SLOT_MASK;
    return &distinct->slots[at];
}

/* False: there are more than RANKS_MOST. */
static bool distinct_gather(struct distinct *distinct, const float *values, size_t count)
{
    for (size_t r = 0; r < count; r++) {
        uint32_t *slot = distinct_slot_of(distinct, values[r] + 0.0F);
        if (*slot)
            continue;
        if (distinct->count == RANKS_MOST)
            return false;
        distinct->values[distinct->count++] = values[r] + 0.0F;
        *slot = distinct->count;
    }
    return true;
}

static void distinct_sort(struct distinct *distinct)
{
    qsort(distinct->values, distinct->count, sizeof *distinct->values, order_floats);
    memset(distinct->slots, 0, SLOTS * sizeof *distinct->slots);
    for (uint32_t v = 0; v < distinct->count; v++) {
        /* an index that is not yet set compares with a value that is: the values are distinct */
        uint32_t *slot = distinct_slot_of(distinct, distinct->values[v]);
        *slot = v + 1;
    }
}

static void column_make(struct rank_column *column, size_t row_count, uint32_t count)
{
    column->count = count;
    column->low = mem_zeroed(count + 1, sizeof *column->low);
    column->high = mem_zeroed(count + 1, sizeof *column->high);
    if (count <= RANKS_NARROW)
        column->narrow = mem_zeroed(row_count + 1, sizeof *column->narrow);
    else
        column->wide = mem_zeroed(row_count + 1, sizeof *column->wide);
}

static void column_put(struct rank_column *column, size_t row, uint32_t rank)
{
    if (column->narrow)
        column->narrow[row] = (uint8_t)rank;
    else
        column->wide[row] = (uint16_t)rank;
}

static void fill_exact(struct rank_column *column, const struct distinct *distinct, const float *values, size_t count)
{
    column_make(column, count, distinct->count);
    memcpy(column->low, distinct->values, distinct->count * sizeof *column->low);
    memcpy(column->high, distinct->values, distinct->count * sizeof *column->high);
    for (size_t r = 0; r < count; r++)
        column_put(column, r, *distinct_slot_of(distinct, values[r] + 0.0F) - 1);
}

static uint32_t ranks_rank_of(const struct rank_column *column, float value)
{
    uint32_t low = 0, high = column->count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (column->high[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* More values than ranks: as many rows to each rank; equal values stay together. */
static void fill_shared(struct rank_column *column, const float *values, size_t count)
{
    float *sorted = mem_zeroed(count, sizeof *sorted);
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, order_floats);
    column_make(column, count, RANKS_MOST);
    uint32_t made = 0;
    for (size_t start = 0, end; start < count && made < RANKS_MOST; start = end) {
        end = start + (count - start + (RANKS_MOST - made) - 1) / (RANKS_MOST - made);
        while (end < count && sorted[end] == sorted[end - 1])
            end++;
        column->low[made] = sorted[start];
        column->high[made++] = sorted[end - 1];
    }
    column->count = made;
    free(sorted);
    for (size_t r = 0; r < count; r++)
        column_put(column, r, ranks_rank_of(column, values[r]));
}

void ranks_begin(struct ranks *ranks, size_t row_count, size_t column_count)
{
    *ranks = (struct ranks){.column_count = column_count, .row_count = row_count};
    ranks->columns = mem_zeroed(column_count + 1, sizeof *ranks->columns);
}

void ranks_set(struct ranks *ranks, size_t column, const float *values)
{
    struct distinct distinct = {.slots = mem_zeroed(SLOTS, sizeof(uint32_t)),
                                .values = mem_zeroed(RANKS_MOST, sizeof(float))};
    if (distinct_gather(&distinct, values, ranks->row_count)) {
        distinct_sort(&distinct);
        fill_exact(&ranks->columns[column], &distinct, values, ranks->row_count);
    } else {
        fill_shared(&ranks->columns[column], values, ranks->row_count);
    }
    free(distinct.slots);
    free(distinct.values);
}

void ranks_free(struct ranks *ranks)
{
    for (size_t c = 0; c < ranks->column_count; c++) {
        free(ranks->columns[c].narrow);
        free(ranks->columns[c].wide);
        free(ranks->columns[c].low);
        free(ranks->columns[c].high);
    }
    free(ranks->columns);
    *ranks = (struct ranks){0};
}
