/* Measures of probabilities: see metrics.h. Pure. Ties count as scikit-learn counts them: half for ROC-AUC, all at once
 * for average precision. */
#include "trainer/metrics.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

const char *const metric_names[METRIC_COUNT] = {
#define METRIC_NAME(name, help) #name,
    METRIC_TABLE(METRIC_NAME)
#undef METRIC_NAME
};

double metric_value(const struct metrics *metrics, size_t index)
{
    const double values[METRIC_COUNT] = {
#define METRIC_VALUE(name, help) metrics->name,
        METRIC_TABLE(METRIC_VALUE)
#undef METRIC_VALUE
    };
    return values[index];
}

struct ranked {
    double probability;
    uint8_t label;
};

static int compare_descending(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    return (left->probability < right->probability) - (left->probability > right->probability);
}

/* The rows from the highest probability to the lowest; yours to free. */
static struct ranked *rank_rows(const uint8_t *labels, const double *probabilities, size_t count)
{
    struct ranked *rows = mem_zeroed(count + 1, sizeof *rows);
    for (size_t r = 0; r < count; r++)
        rows[r] = (struct ranked){probabilities[r], labels[r]};
    qsort(rows, count, sizeof *rows, compare_descending);
    return rows;
}

/* Takes the rows of the next probability, all ties at once: counts their labels, returns where the next group starts.
 */
static size_t next_group(const struct ranked *rows, size_t at, size_t count, size_t *positives, size_t *negatives)
{
    size_t end = at;
    *positives = *negatives = 0;
    for (; end < count && rows[end].probability == rows[at].probability; end++) {
        *positives += rows[end].label;
        *negatives += !rows[end].label;
    }
    return end;
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void measure_ranking(const struct ranked *rows, size_t count, struct metrics *out)
{
    size_t positives, negatives, all_positives = 0, all_negatives = 0;
    double area = 0, precision_sum = 0;
    for (size_t at = 0; at < count;) {
        at = next_group(rows, at, count, &positives, &negatives);
        area += (double)negatives * ((double)all_positives + (double)positives / 2);
        all_positives += positives;
        all_negatives += negatives;
        precision_sum += (double)positives * ((double)all_positives / (double)at);
    }
    out->roc_auc = ratio(area, (double)all_positives * (double)all_negatives);
    out->pr_auc = ratio(precision_sum, (double)all_positives);
}

static void measure_calls(const uint8_t *labels, const uint8_t *calls, size_t count, struct metrics *out)
{
    size_t right = 0, hits = 0, called = 0, positives = 0;
    for (size_t r = 0; r < count; r++) {
        right += labels[r] == calls[r];
        hits += labels[r] && calls[r];
        called += calls[r];
        positives += labels[r];
    }
    out->accuracy = ratio((double)right, (double)count);
    out->precision = ratio((double)hits, (double)called);
    out->recall = ratio((double)hits, (double)positives);
    out->f1 = ratio(2 * (double)hits, (double)(called + positives));
}

struct metrics metrics_measure(const uint8_t *labels, const uint8_t *calls, const double *probabilities, size_t count)
{
    struct metrics metrics = {0};
    struct ranked *rows = rank_rows(labels, probabilities, count);
    measure_calls(labels, calls, count, &metrics);
    measure_ranking(rows, count, &metrics);
    for (size_t r = 0; r < count; r++) {
        double off = probabilities[r] - labels[r], right = labels[r] ? probabilities[r] : 1 - probabilities[r];
        metrics.brier += off * off / (double)count;
        metrics.log_loss -= log(fmin(fmax(right, DBL_EPSILON), 1 - DBL_EPSILON)) / (double)count;
    }
    free(rows);
    return metrics;
}

/* A number in (low, high] with as few digits as can be. */
static double short_between(double low, double high)
{
    double middle = low + (high - low) / 2;
    for (int digits = 2; digits <= 17; digits++) {
        char text[40];
        snprintf(text, sizeof text, "%.*f", digits, middle);
        double number = strtod(text, NULL);
        if (number > low && number <= high)
            return number;
    }
    return high;
}

double metrics_best_threshold(const uint8_t *labels, const double *probabilities, size_t count)
{
    struct ranked *rows = rank_rows(labels, probabilities, count);
    size_t positives, negatives, all = 0, hits = 0;
    double best = 0, threshold = 0.5;
    for (size_t r = 0; r < count; r++)
        all += labels[r];
    for (size_t at = 0; at < count;) {
        double lowest = rows[at].probability;
        at = next_group(rows, at, count, &positives, &negatives);
        hits += positives;
        double f1 = ratio(2 * (double)hits, (double)(at + all));
        if (f1 > best) {
            best = f1;
            threshold = short_between(at < count ? rows[at].probability : 0, lowest);
        }
    }
    free(rows);
    return threshold;
}
