/* Table → warnings: see findings.h. Called once per training, on its only thread, before the first fit. */
#include "trainer/findings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/order.h"
#include "trainer/hash.h"
#include "trainer/metrics.h"

enum { UNIQUE_ROWS_LEAST = 100, LEAK_ROWS_A_VALUE = 20, LEAK_CLASS_LEAST = 10, SAMPLE_MOST = 20000 };
static const double leak_auc = 0.98, unique_share = 0.99;

/* The rows that columns are looked at by: all, or evenly taken ones of a large table. */
struct sample {
    const struct table *table;
    uint32_t *rows;
    uint8_t *labels;
    size_t count;
    bool small; /* so few rows of a class that a column may separate them by chance */
};

static struct sample sample_take(const struct table *table)
{
    size_t count = table->row_count < SAMPLE_MOST ? table->row_count : SAMPLE_MOST;
    struct sample sample = {table, mem_zeroed(count + 1, sizeof *sample.rows), mem_zeroed(count + 1, 1), count, false};
    for (size_t k = 0; k < count; k++) {
        sample.rows[k] = (uint32_t)(k * table->row_count / count);
        sample.labels[k] = table->labels[sample.rows[k]];
    }
    size_t positives = table->positive_count, negatives = table->row_count - positives;
    sample.small = (positives < negatives ? positives : negatives) < LEAK_CLASS_LEAST;
    return sample;
}

/* A column's rows by value: each value is a number in order, a missing one the least. */
struct column_values {
    double *values; /* by row of the sample */
    size_t distinct, missing;
};

static void read_values(const struct sample *sample, size_t column, struct column_values *out)
{
    size_t count = sample->count;
    bool nominal = sample->table->schema->columns[column].kind == COLUMN_NOMINAL;
    double *sorted = mem_zeroed(count + 1, sizeof *sorted);
    *out = (struct column_values){.values = mem_zeroed(count + 1, sizeof *out->values)};
    for (size_t r = 0; r < count; r++) {
        const struct cell *cell = &table_row(sample->table, sample->rows[r])[column];
        bool missing = cell->code == CELL_MISSING;
        out->missing += missing;
        out->values[r] = sorted[r] = missing ? -INFINITY : nominal ? cell->code : cell->number;
    }
    qsort(sorted, count, sizeof *sorted, order_doubles);
    for (size_t r = 0; r < count; r++)
        out->distinct += r == 0 || sorted[r] != sorted[r - 1];
    free(sorted);
}

/* Categories have no order: their share of positives is it. */
static void order_categories(const struct sample *sample, size_t column, double *values)
{
    size_t codes = sample->table->schema->columns[column].value_count;
    double *rows = mem_zeroed(codes + 1, sizeof *rows), *positives = mem_zeroed(codes + 1, sizeof *positives);
    for (int pass = 0; pass < 2; pass++)
        for (size_t r = 0; r < sample->count; r++) {
            size_t code = (size_t)(table_row(sample->table, sample->rows[r])[column].code + 1); /* 0: missing */
            rows[code] += pass == 0;
            positives[code] += pass == 0 && sample->labels[r];
            if (pass == 1)
                values[r] = positives[code] / rows[code];
        }
    free(rows);
    free(positives);
}

static double auc_of(const struct sample *sample, const double *values)
{
    struct metrics metrics = metrics_measure(sample->labels, sample->labels, values, sample->count);
    return fmax(metrics.roc_auc, 1 - metrics.roc_auc);
}

/* Either way round, by its values, and by whether it has one. */
static double column_auc(const struct sample *sample, size_t column, const struct column_values *values)
{
    bool nominal = sample->table->schema->columns[column].kind == COLUMN_NOMINAL;
    size_t count = sample->count;
    double *used = mem_zeroed(count + 1, sizeof *used), best = 0.5;
    memcpy(used, values->values, count * sizeof *used);
    if (nominal)
        order_categories(sample, column, used);
    if (!nominal || values->distinct * LEAK_ROWS_A_VALUE <= count)
        best = auc_of(sample, used);
    for (size_t r = 0; r < count; r++)
        used[r] = table_row(sample->table, sample->rows[r])[column].code == CELL_MISSING;
    if (values->missing)
        best = fmax(best, auc_of(sample, used));
    free(used);
    return best;
}

/* Whether it gives the label away. */
static bool check_column(const struct sample *sample, size_t column, const char *path)
{
    const struct column *about = &sample->table->schema->columns[column];
    struct column_values values;
    read_values(sample, column, &values);
    double auc = values.distinct > 1 && !sample->small ? column_auc(sample, column, &values) : 0.5;
    if (values.distinct == 1)
        log_warn("trainer", "%s: %s has one value in all rows: nothing can be learned from it", path, about->name);
    else if (auc >= leak_auc)
        log_warn("trainer",
                 "%s: %s alone ranks the label with an AUC of %.3f: it may be known only once the label is (a leak): "
                 "see where it comes from, or leave it out with --exclude %s",
                 path, about->name, auc, about->name);
    else if (sample->count >= UNIQUE_ROWS_LEAST && (about->kind == COLUMN_NOMINAL || column_is_whole(about)) &&
             (double)values.distinct > unique_share * (double)sample->count)
        log_warn("trainer",
                 "%s: %s has another value in nearly every row (%zu in %zu rows), as an identifier: leave it out with "
                 "--exclude %s if it is one",
                 path, about->name, values.distinct, sample->count, about->name);
    free(values.values);
    return auc >= leak_auc;
}

/* --- rows --- */

static size_t check_ids(const struct table *table, const char *path)
{
    if (!table->ids)
        return 0;
    size_t count = table->row_count, several = 0, rows = 0;
    struct hashed_row *list = mem_zeroed(count + 1, sizeof *list);
    for (size_t r = 0; r < count; r++)
        list[r] = (struct hashed_row){table->ids[r], (uint32_t)r};
    qsort(list, count, sizeof *list, order_hashed_rows);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && list[to].hash == list[from].hash;)
            to++;
        several += list[from].hash && to - from > 1;
        rows += list[from].hash && to - from > 1 ? to - from : 0;
    }
    free(list);
    log_warn("trainer",
             "%s: %zu id%s in several rows (%zu rows): all rows of one are in the same fold, so that no one is "
             "assessed by a model that has seen them",
             path, several, several == 1 ? " is" : "s are", rows);
    return 1;
}

static bool same_features(const struct table *table, size_t a, size_t b)
{
    for (size_t c = 0; c < table->schema->column_count; c++) {
        const struct cell *left = &table_row(table, a)[c], *right = &table_row(table, b)[c];
        bool number = table->schema->columns[c].kind != COLUMN_NOMINAL && left->code != CELL_MISSING;
        if (table->excluded[c])
            continue;
        if (left->code != right->code || (number && left->number != right->number))
            return false;
    }
    return true;
}

static uint64_t hash_features(const struct table *table, size_t row)
{
    uint64_t hash = hash_seed;
    for (size_t c = 0; c < table->schema->column_count; c++) {
        const struct cell *cell = &table_row(table, row)[c];
        bool number = table->schema->columns[c].kind != COLUMN_NOMINAL && cell->code != CELL_MISSING;
        double value = number ? cell->number + 0.0 : cell->code;
        if (!table->excluded[c])
            hash = hash_bytes((struct span){(const char *)&value, sizeof value}, hash);
    }
    return hash;
}

static size_t check_contradictions(const struct table *table, const char *path)
{
    size_t count = table->row_count, rows = 0, first[2] = {0, 0};
    struct hashed_row *list = mem_zeroed(count + 1, sizeof *list);
    for (size_t r = 0; r < count; r++)
        list[r] = (struct hashed_row){hash_features(table, r), (uint32_t)r};
    qsort(list, count, sizeof *list, order_hashed_rows);
    for (size_t from = 0, to; from < count; from = to) {
        size_t other = 0;
        for (to = from + 1; to < count && same_features(table, list[from].row, list[to].row); to++)
            if (!other && table->labels[list[to].row] != table->labels[list[from].row])
                other = to;
        if (other && (rows == 0 || table->lines[list[from].row] < first[0]))
            first[0] = table->lines[list[from].row], first[1] = table->lines[list[other].row];
        rows += other ? to - from : 0;
    }
    free(list);
    if (rows)
        log_warn("trainer",
                 "%s: %zu rows have the features of another row with the other label, first in lines %zu and %zu: no "
                 "model is right about both",
                 path, rows, first[0], first[1]);
    return rows > 0;
}

size_t findings_warn(const struct table *table, const char *path)
{
    struct sample sample = sample_take(table);
    size_t leaks = 0;
    for (size_t c = 0; c < table->schema->column_count; c++)
        if (!table->excluded[c])
            leaks += check_column(&sample, c, path);
    free(sample.rows);
    free(sample.labels);
    (void)check_ids(table, path);
    (void)check_contradictions(table, path);
    return leaks;
}
