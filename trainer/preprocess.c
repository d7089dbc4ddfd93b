/* Fitting and applying the preprocessing: see preprocess.h. Pure; called by the trainer for the whole table and for
 * each fold's training rows, so that no fold sees the rows it is assessed by. */
#include "trainer/preprocess.h"

#include <float.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"

/* The middle one, or the mean of the two in the middle. */
static double median_of(double *numbers, size_t count)
{
    if (count == 0)
        return 0;
    qsort(numbers, count, sizeof *numbers, order_doubles);
    size_t half = count / 2;
    return count % 2 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}

/* Two passes: the second corrects what the first lost to rounding. */
static double mean_of(const double *numbers, size_t count)
{
    double sum = 0, rest = 0;
    for (size_t i = 0; i < count; i++)
        sum += numbers[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        rest += numbers[i] - mean;
    return mean + rest / (double)count;
}

/* Square root of the population variance; 1 where there is none but rounding (StandardScaler's bound). */
static double scale_of(const double *numbers, size_t count, double mean)
{
    double squares = 0, rest = 0, n = (double)count;
    for (size_t i = 0; i < count; i++) {
        double off = numbers[i] - mean;
        squares += off * off;
        rest += off;
    }
    double variance = (squares - rest * rest / n) / n;
    double noise = n * DBL_EPSILON * variance + (n * mean * DBL_EPSILON) * (n * mean * DBL_EPSILON);
    return variance <= noise ? 1 : sqrt(variance);
}

/* `numbers` is scratch for row_count numbers. */
static void fit_number(const struct table *table, const uint32_t *rows, size_t row_count, double *numbers,
                       struct fitted *out)
{
    size_t present = 0;
    for (size_t r = 0; r < row_count; r++) {
        const struct cell *cell = &table_row(table, rows[r])[out->column];
        if (cell->code != CELL_MISSING)
            numbers[present++] = cell->number;
    }
    out->median = median_of(numbers, present);
    for (size_t r = 0; r < row_count; r++) {
        const struct cell *cell = &table_row(table, rows[r])[out->column];
        numbers[r] = cell->code == CELL_MISSING ? out->median : cell->number;
    }
    out->mean = mean_of(numbers, row_count);
    out->scale = scale_of(numbers, row_count, out->mean);
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *left = a, *right = b;
    size_t shared = left->bytes < right->bytes ? left->bytes : right->bytes;
    int order = memcmp(left->data, right->data, shared);
    return order ? order : (left->bytes > right->bytes) - (left->bytes < right->bytes);
}

static void fit_nominal(const struct table *table, const uint32_t *rows, size_t row_count, struct fitted *out)
{
    const struct column *column = &table->schema->columns[out->column];
    size_t *counts = mem_zeroed(column->value_count + 1, sizeof *counts), most = 0;
    for (size_t r = 0; r < row_count; r++) {
        int32_t code = table_row(table, rows[r])[out->column].code;
        if (code >= 0)
            counts[code]++;
    }
    out->categories = mem_zeroed(column->value_count + 1, sizeof *out->categories);
    out->positions = mem_zeroed(column->value_count + 1, sizeof *out->positions);
    for (size_t v = 0; v < column->value_count; v++)
        if (counts[v])
            out->categories[out->category_count++] = column->values[v];
    qsort(out->categories, out->category_count, sizeof *out->categories, compare_spans);
    for (size_t v = 0; v < column->value_count; v++) {
        const struct span *found =
            bsearch(&column->values[v], out->categories, out->category_count, sizeof *out->categories, compare_spans);
        out->positions[v] = found ? (int32_t)(found - out->categories) : -1;
    }
    for (size_t k = 0; k < out->category_count; k++) {
        size_t count = counts[column_code(column, out->categories[k])];
        out->mode = count > most ? k : out->mode;
        most = count > most ? count : most;
    }
    free(counts);
}

void preprocess_fit(const struct table *table, const uint32_t *rows, size_t row_count, bool numbers,
                    struct preprocessor *out)
{
    const struct schema *schema = table->schema;
    double *scratch = mem_zeroed(row_count + 1, sizeof *scratch);
    *out = (struct preprocessor){.schema = schema};
    out->columns = mem_zeroed(schema->column_count + 1, sizeof *out->columns);
    for (int nominal = 0; nominal <= 1; nominal++) {
        for (size_t c = 0; c < schema->column_count; c++) {
            if ((schema->columns[c].kind == COLUMN_NOMINAL) != nominal || (table->excluded && table->excluded[c]))
                continue;
            struct fitted *fitted = &out->columns[out->column_count++];
            *fitted = (struct fitted){.column = (uint32_t)c, .first = out->feature_count, .scale = 1};
            if (nominal)
                fit_nominal(table, rows, row_count, fitted);
            else if (numbers)
                fit_number(table, rows, row_count, scratch, fitted);
            out->feature_count += nominal ? fitted->category_count : 1;
        }
    }
    free(scratch);
}

void preprocess_free(struct preprocessor *preprocessor)
{
    for (size_t c = 0; c < preprocessor->column_count; c++) {
        free(preprocessor->columns[c].categories);
        free(preprocessor->columns[c].positions);
    }
    free(preprocessor->columns);
    *preprocessor = (struct preprocessor){0};
}

static double scaled_number(const struct fitted *fitted, const struct cell *cell)
{
    double number = cell->code == CELL_MISSING ? fitted->median : cell->number;
    return (number - fitted->mean) / fitted->scale;
}

/* The cell's category, or -1 where it was never seen. */
static int32_t category_of(const struct fitted *fitted, const struct cell *cell)
{
    int32_t at = cell->code == CELL_MISSING ? (int32_t)fitted->mode : -1;
    if (cell->code >= 0)
        at = fitted->positions[cell->code];
    return at < (int32_t)fitted->category_count ? at : -1;
}

static bool is_number(const struct preprocessor *preprocessor, const struct fitted *fitted)
{
    return preprocessor->schema->columns[fitted->column].kind != COLUMN_NOMINAL;
}

void preprocess_row(const struct preprocessor *preprocessor, const struct cell *cells, double *features)
{
    for (size_t f = 0; f < preprocessor->column_count; f++) {
        const struct fitted *fitted = &preprocessor->columns[f];
        const struct cell *cell = &cells[fitted->column];
        if (is_number(preprocessor, fitted)) {
            features[fitted->first] = scaled_number(fitted, cell);
            continue;
        }
        for (size_t k = 0; k < fitted->category_count; k++)
            features[fitted->first + k] = 0;
        int32_t at = category_of(fitted, cell);
        if (at >= 0)
            features[fitted->first + (size_t)at] = 1;
    }
}

void preprocess_feature(const struct preprocessor *preprocessor, const struct table *table, const uint32_t *rows,
                        size_t row_count, size_t feature, float *values)
{
    size_t c = preprocessor->column_count - 1;
    while (preprocessor->columns[c].first > feature || preprocessor->columns[c].first == preprocessor->feature_count)
        c--;
    const struct fitted *fitted = &preprocessor->columns[c];
    bool number = is_number(preprocessor, fitted);
    int32_t category = (int32_t)(feature - fitted->first);
    for (size_t r = 0; r < row_count; r++) {
        const struct cell *cell = &table_row(table, rows[r])[fitted->column];
        values[r] = number ? (float)scaled_number(fitted, cell) : (float)(category_of(fitted, cell) == category);
    }
}
