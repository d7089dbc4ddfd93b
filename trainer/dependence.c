/* Partial dependence: see dependence.h. Called once a model. Values that a column is given: all it has in the rows
 * where they are few, else evenly from its 5th to its 95th percentile; of categories the most frequent ones. */
#include "trainer/dependence.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "trainer/parallel.h"

static const double margin_share = 0.05;

struct measuring {
    const struct predictor *predictor;
    const struct table *table;
    const uint32_t *rows;
    size_t row_count;
    struct dependence *list;
};

static void add_point(struct dependence *out, double value)
{
    out->points[out->count++].value = value;
}

/* `numbers`: sorted. */
static void spread_points(const double *numbers, size_t count, bool whole, struct dependence *out)
{
    double low = numbers[(size_t)(margin_share * (double)(count - 1))];
    double high = numbers[(size_t)((1 - margin_share) * (double)(count - 1))];
    for (size_t p = 0; p < DEPENDENCE_POINTS; p++) {
        double value = low + (high - low) * (double)p / (DEPENDENCE_POINTS - 1);
        value = whole ? round(value) : value;
        if (out->count == 0 || value != out->points[out->count - 1].value)
            add_point(out, value);
    }
}

static void choose_numbers(const struct measuring *measuring, bool whole, struct dependence *out)
{
    double *numbers = mem_zeroed(measuring->row_count + 1, sizeof *numbers);
    size_t count = 0, distinct = 0;
    for (size_t r = 0; r < measuring->row_count; r++) {
        const struct cell *cell = &table_row(measuring->table, measuring->rows[r])[out->column];
        if (cell->code != CELL_MISSING)
            numbers[count++] = cell->number;
    }
    qsort(numbers, count, sizeof *numbers, order_doubles);
    for (size_t n = 0; n < count; n++)
        distinct += n == 0 || numbers[n] != numbers[n - 1];
    for (size_t n = 0; n < count && distinct <= DEPENDENCE_POINTS; n++)
        if (n == 0 || numbers[n] != numbers[n - 1])
            add_point(out, numbers[n]);
    if (distinct > DEPENDENCE_POINTS)
        spread_points(numbers, count, whole, out);
    free(numbers);
}

/* How many categories are measured before v: the more frequent, of equal ones those that the schema has first. */
static size_t category_rank(const size_t *counts, size_t count, size_t v)
{
    size_t rank = 0;
    for (size_t u = 0; u < count; u++)
        rank += u < v ? counts[u] >= counts[v] : counts[u] > counts[v];
    return rank;
}

/* The values' codes, in the schema's order. */
static void choose_categories(const struct measuring *measuring, const struct column *column, struct dependence *out)
{
    size_t *counts = mem_zeroed(column->value_count + 1, sizeof *counts);
    for (size_t r = 0; r < measuring->row_count; r++) {
        int32_t code = table_row(measuring->table, measuring->rows[r])[out->column].code;
        counts[code >= 0 ? (size_t)code : column->value_count]++;
    }
    for (size_t v = 0; v < column->value_count; v++)
        if (counts[v] && category_rank(counts, column->value_count, v) < DEPENDENCE_POINTS)
            add_point(out, (double)v);
    free(counts);
}

static void measure_column(void *context, size_t number)
{
    const struct measuring *measuring = context;
    struct dependence *dependence = &measuring->list[number];
    const struct column *column = &measuring->table->schema->columns[dependence->column];
    double *probabilities = mem_zeroed(measuring->row_count + 1, sizeof *probabilities);
    if (column->kind == COLUMN_NOMINAL)
        choose_categories(measuring, column, dependence);
    else
        choose_numbers(measuring, column->type != COLUMN_DOUBLE, dependence);
    for (size_t p = 0; p < dependence->count; p++) {
        struct dependence_point *point = &dependence->points[p];
        const struct replacement replacement = {.column = dependence->column,
                                                .cell = predictor_cell(column, point->value)};
        predictor_run(measuring->predictor, measuring->table, measuring->rows, measuring->row_count, &replacement,
                      probabilities);
        for (size_t r = 0; r < measuring->row_count; r++)
            point->probability += probabilities[r] / (double)measuring->row_count;
    }
    free(probabilities);
}

void dependence_measure(const struct predictor *predictor, const struct table *table, const uint32_t *rows,
                        size_t row_count, size_t threads, struct evaluation *out)
{
    size_t taken = row_count < DEPENDENCE_ROWS ? row_count : DEPENDENCE_ROWS;
    uint32_t *some = mem_zeroed(taken + 1, sizeof *some);
    for (size_t k = 0; k < taken; k++)
        some[k] = rows[k * row_count / taken];
    out->dependence_count = out->permuted_count < DEPENDENCE_MOST ? out->permuted_count : DEPENDENCE_MOST;
    out->dependence_rows = taken;
    out->dependence = mem_zeroed(out->dependence_count + 1, sizeof *out->dependence);
    for (size_t d = 0; d < out->dependence_count; d++)
        out->dependence[d].column = out->permuted[d].column;
    struct measuring measuring = {predictor, table, some, taken, out->dependence};
    parallel_run(threads, out->dependence_count, measure_column, &measuring);
    free(some);
}
