/* Bootstrap and Student's t: see intervals.h. Pure; called once the predictions are made. */
#include "trainer/intervals.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "trainer/random.h"

enum { DRAWS_MOST = 1000, DRAWS_LEAST = 100 };
static const size_t drawn_rows = 50000000; /* over all draws: bounds the time on large tables */

/* Each class drawn by itself, so that both occur as often as they do. */
static void draw_again(const struct predictions *given, const uint32_t *by_label, size_t negatives, uint64_t *random,
                       uint8_t *labels, uint8_t *calls, double *probabilities)
{
    for (size_t r = 0; r < given->count; r++) {
        size_t first = r < negatives ? 0 : negatives, count = r < negatives ? negatives : given->count - negatives;
        uint32_t drawn = by_label[first + (size_t)random_below(random, count)];
        labels[r] = given->labels[drawn];
        calls[r] = given->calls[drawn];
        probabilities[r] = given->probabilities[drawn];
    }
}

static size_t list_by_label(const struct predictions *given, uint32_t *out)
{
    size_t listed = 0, negatives = 0;
    for (int label = 0; label <= 1; label++) {
        for (size_t r = 0; r < given->count; r++)
            if (given->labels[r] == label)
                out[listed++] = (uint32_t)r;
        negatives = label ? negatives : listed;
    }
    return negatives;
}

void intervals_bootstrap(const struct predictions *given, uint64_t seed, struct interval *intervals)
{
    size_t draws = drawn_rows / (given->count + 1);
    draws = draws > DRAWS_MOST ? DRAWS_MOST : draws < DRAWS_LEAST ? DRAWS_LEAST : draws;
    uint32_t *by_label = mem_zeroed(given->count + 1, sizeof *by_label);
    uint8_t *labels = mem_zeroed(given->count + 1, 1), *calls = mem_zeroed(given->count + 1, 1);
    double *probabilities = mem_zeroed(given->count + 1, sizeof *probabilities);
    double *values = mem_zeroed(draws * METRIC_COUNT, sizeof *values);
    size_t negatives = list_by_label(given, by_label);
    for (size_t d = 0; d < draws; d++) {
        uint64_t random = random_stream(seed, d);
        draw_again(given, by_label, negatives, &random, labels, calls, probabilities);
        struct metrics metrics = metrics_measure(labels, calls, probabilities, given->count);
        for (size_t m = 0; m < METRIC_COUNT; m++)
            values[m * draws + d] = metric_value(&metrics, m);
    }
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        double *of_metric = values + m * draws;
        qsort(of_metric, draws, sizeof *of_metric, order_doubles);
        intervals[m] = (struct interval){of_metric[draws / 40], of_metric[draws - 1 - draws / 40]};
    }
    free(by_label);
    free(labels);
    free(calls);
    free(probabilities);
    free(values);
}

/* The 97.5 % quantile of Student's t. Exact for 1 and 2 degrees; from there by the expansion of Abramowitz and Stegun
 * 26.7.5, within 0.1 % from 4 on (3: 1 %). */
static double student_quantile(double degrees)
{
    static const double z = 1.959963984540054;
    if (degrees <= 2)
        return degrees < 2 ? 12.706204736 : 4.302652730;
    double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z, z9 = z7 * z * z;
    double first = (z3 + z) / 4, second = (5 * z5 + 16 * z3 + 3 * z) / 96;
    double third = (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / 384;
    double fourth = (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / 92160;
    return z + (first + (second + (third + fourth / degrees) / degrees) / degrees) / degrees;
}

struct interval intervals_of_folds(const double *values, size_t count, double test_share, double *mean)
{
    double n = (double)count, sum = 0, squares = 0;
    for (size_t v = 0; v < count; v++)
        sum += values[v];
    *mean = sum / n;
    if (count < 2)
        return (struct interval){NAN, NAN};
    for (size_t v = 0; v < count; v++)
        squares += (values[v] - *mean) * (values[v] - *mean);
    double variance = squares / (n - 1) * (1 / n + test_share / (1 - test_share));
    double reach = student_quantile(n - 1) * sqrt(variance);
    return (struct interval){*mean - reach, *mean + reach};
}
