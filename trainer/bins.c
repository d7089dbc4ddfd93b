/* Table → bins: see bins.h. Pure; called once per fit, before the trees grow. Values are sorted by radix together with
 * their rows, so that a row's code is known without a search. */
#include "trainer/bins.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PASSES = 3 };

/* A value and its row: the value's bits in an order of integers stand above the row's. */
struct sorting {
    uint64_t *items, *spare;
    size_t count;
};

static uint32_t key_of(float value)
{
    uint32_t bits;
    value += 0.0F; /* −0 and 0 are one */
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static float value_of(uint64_t item)
{
    uint32_t key = (uint32_t)(item >> 32), bits = key & 0x80000000u ? key & 0x7FFFFFFFu : ~key;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void sort_by_digit(struct sorting *sorting, unsigned shift)
{
    size_t starts[DIGITS + 1] = {0};
    for (size_t i = 0; i < sorting->count; i++)
        starts[(sorting->items[i] >> shift) % DIGITS + 1]++;
    for (size_t d = 0; d < DIGITS; d++)
        starts[d + 1] += starts[d];
    for (size_t i = 0; i < sorting->count; i++)
        sorting->spare[starts[(sorting->items[i] >> shift) % DIGITS]++] = sorting->items[i];
    uint64_t *sorted = sorting->spare;
    sorting->spare = sorting->items;
    sorting->items = sorted;
}

static void code_put(struct bins *bins, size_t column, size_t row, uint32_t code)
{
    bins->codes[(column / BINS_LANES * bins->row_count + row) * BINS_LANES + column % BINS_LANES] = (uint8_t)code;
}

/* Where the bin that begins at `start` ends: a value of its own while there are few, else an equal share of the rows.
 */
static size_t bin_end(const struct sorting *sorting, size_t start, bool exact, size_t bins_left)
{
    size_t end = exact ? start + 1 : start + (sorting->count - start + bins_left - 1) / bins_left;
    while (end < sorting->count && sorting->items[end] >> 32 == sorting->items[end - 1] >> 32)
        end++;
    return end;
}

static void number_bin(struct bins *bins, size_t c, const struct sorting *sorting, unsigned most)
{
    struct bin_column *column = &bins->columns[c];
    size_t distinct = 0;
    for (size_t i = 0; i < sorting->count && distinct <= most; i++)
        distinct += i == 0 || sorting->items[i] >> 32 != sorting->items[i - 1] >> 32;
    column->count = 1;
    for (size_t start = 0, end; start < sorting->count && column->count <= most; start = end, column->count++) {
        end = bin_end(sorting, start, distinct <= most, most + 1 - column->count);
        column->low[column->count] = value_of(sorting->items[start]);
        column->high[column->count] = value_of(sorting->items[end - 1]);
        for (size_t i = start; i < end; i++)
            code_put(bins, c, (uint32_t)sorting->items[i], column->count);
    }
}

static void number_make(struct bins *bins, size_t c, const struct table *table, const uint32_t *rows, unsigned most,
                        struct sorting *sorting)
{
    struct bin_column *column = &bins->columns[c];
    column->low = mem_zeroed(BINS_MOST, sizeof *column->low);
    column->high = mem_zeroed(BINS_MOST, sizeof *column->high);
    sorting->count = 0;
    for (size_t r = 0; r < bins->row_count; r++) {
        const struct cell *cell = &table_row(table, rows[r])[column->column];
        if (cell->code != CELL_MISSING)
            sorting->items[sorting->count++] = (uint64_t)key_of((float)cell->number) << 32 | r;
    }
    for (unsigned pass = 0; pass < PASSES; pass++)
        sort_by_digit(sorting, 32 + pass * DIGIT_BITS);
    number_bin(bins, c, sorting, most);
}

struct category_count {
    size_t rows, category;
};

static int compare_categories(const void *a, const void *b)
{
    const struct category_count *left = a, *right = b;
    if (left->rows != right->rows)
        return left->rows < right->rows ? 1 : -1;
    return (left->category > right->category) - (left->category < right->category);
}

/* The commonest category has code 1. */
static void categories_code(struct bin_column *column, struct category_count *counts, size_t count)
{
    column->code_of = mem_zeroed(count + 1, 1);
    qsort(counts, count, sizeof *counts, compare_categories);
    for (size_t k = 0; k < count; k++)
        column->code_of[counts[k].category] = (uint8_t)(k + 1 < BINS_MOST ? k + 1 : BINS_MOST - 1);
    column->count = (uint32_t)(count + 1 < BINS_MOST ? count + 1 : BINS_MOST);
}

static void nominal_make(struct bins *bins, size_t c, const struct fitted *fitted, const struct table *table,
                         const uint32_t *rows)
{
    struct bin_column *column = &bins->columns[c];
    size_t count = fitted->category_count;
    struct category_count *counts = mem_zeroed(count + 1, sizeof *counts);
    for (size_t k = 0; k < count; k++)
        counts[k].category = k;
    for (size_t r = 0; r < bins->row_count; r++) {
        int32_t code = table_row(table, rows[r])[column->column].code;
        if (code >= 0)
            counts[fitted->positions[code]].rows++;
    }
    categories_code(column, counts, count);
    for (size_t r = 0; r < bins->row_count; r++) {
        int32_t code = table_row(table, rows[r])[column->column].code;
        code_put(bins, c, r, code >= 0 ? column->code_of[fitted->positions[code]] : 0);
    }
    free(counts);
}

void bins_make(const struct preprocessor *preprocessor, const struct table *table, const uint32_t *rows,
               size_t row_count, unsigned most, struct bins *out)
{
    size_t columns = preprocessor->column_count, blocks = (columns + BINS_LANES - 1) / BINS_LANES;
    *out = (struct bins){.column_count = columns, .row_count = row_count};
    out->columns = mem_zeroed(columns + 1, sizeof *out->columns);
    out->codes = mem_zeroed(blocks * row_count + 1, BINS_LANES);
    struct sorting sorting = {mem_zeroed(row_count + 1, sizeof(uint64_t)), mem_zeroed(row_count + 1, sizeof(uint64_t)),
                              0};
    for (size_t c = 0; c < columns; c++) {
        const struct fitted *fitted = &preprocessor->columns[c];
        bool nominal = preprocessor->schema->columns[fitted->column].kind == COLUMN_NOMINAL;
        out->columns[c] = (struct bin_column){.nominal = nominal, .first = out->code_count, .column = fitted->column};
        if (nominal)
            nominal_make(out, c, fitted, table, rows);
        else
            number_make(out, c, table, rows, most, &sorting);
        out->code_count += out->columns[c].count;
    }
    free(sorting.items);
    free(sorting.spare);
}

void bins_free_codes(struct bins *bins)
{
    free(bins->codes);
    bins->codes = NULL;
}

void bins_free(struct bins *bins)
{
    for (size_t c = 0; c < bins->column_count; c++) {
        free(bins->columns[c].low);
        free(bins->columns[c].high);
        free(bins->columns[c].code_of);
    }
    free(bins->columns);
    free(bins->codes);
    *bins = (struct bins){0};
}
