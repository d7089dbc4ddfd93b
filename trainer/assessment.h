/* Predictions assessed: measures with intervals, confusion, curves, calibration, groups of people. Plain data. */
#pragma once

#include "trainer/metrics.h"
#include "trainer/table.h"

/* 95 %. NaN where it is not known. */
struct interval {
    double low, high;
};

struct confusion {
    size_t true_positives, false_positives, false_negatives, true_negatives;
};

/* What calling everything at or above a threshold positive would give. */
struct curve_point {
    double threshold;
    struct confusion confusion;
};

enum { CURVE_MOST = 1000, CALIBRATION_MOST = 10 };

/* Rows of neighbouring probabilities, as many to each bin. */
struct calibration_bin {
    double low, high; /* probabilities within */
    double mean_probability, positive_share;
    size_t count;
};

struct calibration {
    struct calibration_bin bins[CALIBRATION_MOST];
    size_t bin_count;
    double expected_error; /* ECE: mean |positive share − mean probability|, by rows */
    /* Logistic regression of the label on the log-odds: 1 and 0 are perfect; slope below 1: too sure of itself.
     * NaN where there is no such fit. Source: Cox 1958; Van Calster et al. 2019. */
    double slope, intercept;
};

/* One value (or band) of a column that the schema marks as a group of people. */
struct group {
    uint32_t column;         /* index in the schema */
    char *name;              /* "Female", "30 to 39", "missing" */
    size_t count, positives; /* rows */
    struct metrics metrics;  /* roc_auc and pr_auc NaN where the group has one class */
    double selection_rate;   /* share called positive */
    double impact_ratio;     /* its selection rate by the largest of its column; NaN where nobody is called */
    struct confusion confusion;
};

/* What tables of groups list of each beside its rows: FIGURE("name", "short name", member). */
/* clang-format off */
#define GROUP_FIGURES(FIGURE) \
    FIGURE("called", "called", selection_rate) \
    FIGURE("impact ratio", "impact", impact_ratio) \
    FIGURE("recall", "recall", metrics.recall) \
    FIGURE("precision", "precis.", metrics.precision) \
    FIGURE("roc_auc", "roc_auc", metrics.roc_auc)
/* clang-format on */

/* Plain data but for the lists; assessment_clear. */
struct assessment {
    size_t count, positives;                 /* predictions assessed: rows × repeats */
    struct metrics metrics, baseline;        /* baseline: always the negative class, the base rate as probability */
    struct interval intervals[METRIC_COUNT]; /* as metric_names */
    struct confusion confusion;
    struct curve_point *points; /* descending thresholds; the first calls none, the last all; up to CURVE_MOST */
    size_t point_count;
    struct calibration calibration;
    struct calibration uncalibrated; /* what it was before the model was calibrated; bin_count 0: it is not */
    struct group *groups;            /* by column, then by value */
    size_t group_count;
};

/* Predictions side by side. Borrowed. */
struct predictions {
    const struct table *table;
    const uint32_t *rows;  /* in the table */
    const uint8_t *labels; /* 0 or 1 */
    const uint8_t *calls;  /* 0 or 1 */
    const double *probabilities;
    const double *uncalibrated; /* probabilities before calibration; NULL: there was none */
    size_t count;
};

/* Everything but the intervals, which are NaN, and the groups (groups.h). Both classes occur. */
void assessment_measure(const struct predictions *predictions, struct assessment *out);
void assessment_clear(struct assessment *assessment);
struct confusion confusion_count(const uint8_t *labels, const uint8_t *calls, size_t count);
