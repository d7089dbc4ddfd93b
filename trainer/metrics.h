/* How good probabilities are, as scikit-learn defines the measures. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One table of measures: field, and what it is, for people. */
#define METRIC_TABLE(METRIC) \
    METRIC(accuracy, "share of rows predicted right") \
    METRIC(precision, "of those called positive, how many are") \
    METRIC(recall, "of the positive, how many are called so") \
    METRIC(f1, "harmonic mean of precision and recall") \
    METRIC(roc_auc, "chance that a positive row ranks above a negative one") \
    METRIC(pr_auc, "average precision over all thresholds") \
    METRIC(log_loss, "mean surprise, in nats; lower is better") \
    METRIC(brier, "mean squared error of the probability; lower is better")

struct metrics {
#define METRIC_FIELD(name, help) double name;
    METRIC_TABLE(METRIC_FIELD)
#undef METRIC_FIELD
};

enum {
#define METRIC_COUNT_ONE(name, help) METRIC_##name,
    METRIC_TABLE(METRIC_COUNT_ONE)
#undef METRIC_COUNT_ONE
        METRIC_COUNT
};

/* The names, and the fields in the same order. */
extern const char *const metric_names[METRIC_COUNT];
double metric_value(const struct metrics *metrics, size_t index);
struct metrics metrics_of(const double values[METRIC_COUNT]);
extern const char *const metric_helps[METRIC_COUNT]; /* what each is, for people */
static inline bool metric_rises(size_t index)        /* more is better */
{
    return index != METRIC_log_loss && index != METRIC_brier;
}

/* Labels 0 or 1 (both occur), calls 0 or 1 (what was predicted), probabilities of label 1. A ratio over nothing is 0.
 */
struct metrics metrics_measure(const uint8_t *labels, const uint8_t *calls, const double *probabilities, size_t count);

/* Its roc_auc alone. */
double metrics_roc_auc(const uint8_t *labels, const double *probabilities, size_t count);

/* Rows from the highest probability to the lowest: what every measure over thresholds walks along. */
struct ranked {
    double probability;
    uint8_t label;
};
struct ranked *metrics_rank(const uint8_t *labels, const double *probabilities, size_t count); /* yours to free */
/* Takes the rows of the next probability, all ties at once: adds their labels to the sums, returns where the next group
 * starts. */
size_t metrics_next_group(const struct ranked *rows, size_t at, size_t count, size_t *positives, size_t *negatives);
