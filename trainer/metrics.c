/* Measures of probabilities: see metrics.h. Pure. Ties count as scikit-learn counts them: half for ROC-AUC, all at once
 * for average precision. */
#include "trainer/metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

const char *const metric_names[METRIC_COUNT] = {
#define METRIC_NAME(name, help) #name,
    METRIC_TABLE(METRIC_NAME)
#undef METRIC_NAME
};

const char *const metric_helps[METRIC_COUNT] = {
#define METRIC_HELP(name, help) help,
    METRIC_TABLE(METRIC_HELP)
#undef METRIC_HELP
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

static int compare_descending(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    return (left->probability < right->probability) - (left->probability > right->probability);
}

struct ranked *metrics_rank(const uint8_t *labels, const double *probabilities, size_t count)
{
    struct ranked *rows = mem_zeroed(count + 1, sizeof *rows);
    for (size_t r = 0; r < count; r++)
        rows[r] = (struct ranked){probabilities[r], labels[r]};
    qsort(rows, count, sizeof *rows, compare_descending);
    return rows;
}

size_t metrics_next_group(const struct ranked *rows, size_t at, size_t count, size_t *positives, size_t *negatives)
{
    size_t end = at;
    for (; end < count && rows[end].probability == rows[at].probability; end++) {
        *positives += rows[end].label;
        *negatives += !rows[end].label;
    }
    return end;
}

static double metrics_ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void measure_ranking(const struct ranked *rows, size_t count, struct metrics *out)
{
    size_t positives = 0, negatives = 0;
    double area = 0, precision_sum = 0;
    for (size_t at = 0; at < count;) {
        size_t positives_before = positives, negatives_before = negatives;
        at = metrics_next_group(rows, at, count, &positives, &negatives);
        double hits = (double)(positives - positives_before);
        area += (double)(negatives - negatives_before) * ((double)positives_before + hits / 2);
        precision_sum += hits * ((double)positives / (double)at);
    }
    out->roc_auc = metrics_ratio(area, (double)positives * (double)negatives);
    out->pr_auc = metrics_ratio(precision_sum, (double)positives);
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
    out->accuracy = metrics_ratio((double)right, (double)count);
    out->precision = metrics_ratio((double)hits, (double)called);
    out->recall = metrics_ratio((double)hits, (double)positives);
    out->f1 = metrics_ratio(2 * (double)hits, (double)(called + positives));
}

double metrics_roc_auc(const uint8_t *labels, const double *probabilities, size_t count)
{
    struct metrics metrics;
    struct ranked *rows = metrics_rank(labels, probabilities, count);
    measure_ranking(rows, count, &metrics);
    free(rows);
    return metrics.roc_auc;
}

struct metrics metrics_of(const double values[METRIC_COUNT])
{
    struct metrics metrics;
#define METRIC_SET(name, help) metrics.name = values[METRIC_##name];
    METRIC_TABLE(METRIC_SET)
#undef METRIC_SET
    return metrics;
}

struct metrics metrics_measure(const uint8_t *labels, const uint8_t *calls, const double *probabilities, size_t count)
{
    struct metrics metrics = {0};
    struct ranked *rows = metrics_rank(labels, probabilities, count);
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
