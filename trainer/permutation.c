/* Shuffled columns: see permutation.h. Called by the cross-validation, once a fold, and for held-out rows. */
#include "trainer/permutation.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/parallel.h"
#include "trainer/random.h"

struct shuffling {
    const struct predictor *predictor;
    const struct table *table;
    const uint32_t *rows;
    size_t row_count, times;
    uint64_t seed;
    const uint8_t *labels;
    double whole; /* AUC of the rows as they are */
    double *drops;
};

/* NaN: a row has no probability, or there are rows of one class alone. */
static double auc_of(const struct shuffling *shuffling, const double *probabilities)
{
    size_t positives = 0;
    for (size_t r = 0; r < shuffling->row_count; r++) {
        positives += shuffling->labels[r];
        if (isnan(probabilities[r]))
            return NAN;
    }
    return positives && positives < shuffling->row_count
               ? metrics_roc_auc(shuffling->labels, probabilities, shuffling->row_count)
               : NAN;
}

static void shuffle_column(void *context, size_t column)
{
    const struct shuffling *shuffling = context;
    size_t count = shuffling->row_count;
    double *drops = shuffling->drops + column * shuffling->times;
    uint32_t *givers = mem_zeroed(count + 1, sizeof *givers);
    double *probabilities = mem_zeroed(count + 1, sizeof *probabilities);
    memcpy(givers, shuffling->rows, count * sizeof *givers);
    const struct replacement replacement = {.column = (uint32_t)column, .givers = givers};
    for (size_t t = 0; t < shuffling->times; t++) {
        drops[t] = NAN;
        if (shuffling->table->excluded[column] || isnan(shuffling->whole))
            continue;
        uint64_t random = random_stream(shuffling->seed, column * shuffling->times + t);
        random_shuffle(&random, givers, count);
        predictor_run(shuffling->predictor, shuffling->table, shuffling->rows, count, &replacement, probabilities);
        drops[t] = shuffling->whole - auc_of(shuffling, probabilities);
    }
    free(givers);
    free(probabilities);
}

void permutation_drops(const struct predictor *predictor, const struct table *table, const uint32_t *rows,
                       size_t row_count, size_t times, uint64_t seed, size_t threads, double *drops)
{
    uint8_t *labels = mem_zeroed(row_count + 1, 1);
    double *probabilities = mem_zeroed(row_count + 1, sizeof *probabilities);
    struct shuffling shuffling = {predictor, table, rows, row_count, times, seed, labels, NAN, drops};
    for (size_t r = 0; r < row_count; r++)
        labels[r] = table->labels[rows[r]];
    const struct replacement nothing = {.givers = rows};
    predictor_run(predictor, table, rows, row_count, &nothing, probabilities);
    shuffling.whole = auc_of(&shuffling, probabilities);
    parallel_run(threads, table->schema->column_count, shuffle_column, &shuffling);
    free(labels);
    free(probabilities);
}

static int compare_permuted(const void *a, const void *b)
{
    const struct permuted *left = a, *right = b;
    if (left->mean != right->mean)
        return left->mean < right->mean ? 1 : -1;
    return (left->column > right->column) - (left->column < right->column);
}

void permutation_summarise(const double *drops, size_t parts, size_t times, struct evaluation *out)
{
    size_t columns = out->schema->column_count, draws = parts * times;
    out->permuted = mem_zeroed(columns + 1, sizeof *out->permuted);
    out->permuted_draws = draws;
    for (uint32_t c = 0; c < columns; c++) {
        double sum = 0, squares = 0;
        for (size_t d = 0; d < draws; d++)
            sum += drops[(d / times * columns + c) * times + d % times];
        double mean = sum / (double)draws;
        for (size_t d = 0; d < draws; d++)
            squares += pow(drops[(d / times * columns + c) * times + d % times] - mean, 2);
        if (!isnan(mean))
            out->permuted[out->permuted_count++] = (struct permuted){c, mean, sqrt(squares / (double)draws)};
    }
    qsort(out->permuted, out->permuted_count, sizeof *out->permuted, compare_permuted);
}

void permutation_measure(const struct predictor *predictor, const struct table *table, const uint32_t *rows,
                         size_t row_count, size_t times, uint64_t seed, size_t threads, struct evaluation *out)
{
    double *drops = mem_zeroed(table->schema->column_count * times + 1, sizeof *drops);
    permutation_drops(predictor, table, rows, row_count, times, seed, threads, drops);
    permutation_summarise(drops, 1, times, out);
    free(drops);
}
