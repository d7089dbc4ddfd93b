/* See assessment.h. Pure; called once the predictions are made. */
#include "trainer/assessment.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/logistic.h"

struct confusion confusion_count(const uint8_t *labels, const uint8_t *calls, size_t count)
{
    struct confusion confusion = {0};
    for (size_t r = 0; r < count; r++) {
        confusion.true_positives += labels[r] && calls[r];
        confusion.false_positives += !labels[r] && calls[r];
        confusion.false_negatives += labels[r] && !calls[r];
        confusion.true_negatives += !labels[r] && !calls[r];
    }
    return confusion;
}

static void measure_baseline(const struct predictions *given, struct assessment *out)
{
    uint8_t *calls = mem_zeroed(given->count + 1, 1);
    double *rates = mem_zeroed(given->count + 1, sizeof *rates);
    for (size_t r = 0; r < given->count; r++)
        rates[r] = (double)out->positives / (double)given->count;
    out->baseline = metrics_measure(given->labels, calls, rates, given->count);
    free(calls);
    free(rates);
}

/* --- curves --- */

static struct curve_point point_at(double threshold, size_t hits, size_t alarms, const struct assessment *assessment)
{
    size_t negatives = assessment->count - assessment->positives;
    return (struct curve_point){threshold, {hits, alarms, assessment->positives - hits, negatives - alarms}};
}

/* One point a distinct probability; where these are too many, every n-th and the last. */
static void draw_curve(const struct ranked *rows, struct assessment *out)
{
    size_t distinct = 0, seen = 0, hits = 0, alarms = 0;
    for (size_t r = 0; r < out->count; r++)
        distinct += r == 0 || rows[r].probability != rows[r - 1].probability;
    size_t every = 1 + distinct / (CURVE_MOST - 1);
    out->points = mem_zeroed(CURVE_MOST, sizeof *out->points);
    out->points[out->point_count++] = point_at(nextafter(rows[0].probability, INFINITY), 0, 0, out);
    for (size_t at = 0; at < out->count;) {
        double threshold = rows[at].probability;
        at = metrics_next_group(rows, at, out->count, &hits, &alarms);
        if (++seen % every == 0 || at == out->count)
            out->points[out->point_count++] = point_at(threshold, hits, alarms, out);
    }
}

/* --- calibration --- */

static void calibrate_bins(const struct ranked *rows, size_t count, struct calibration *out)
{
    out->bin_count = count < CALIBRATION_MOST ? count : CALIBRATION_MOST;
    for (size_t b = 0; b < out->bin_count; b++) {
        struct calibration_bin *bin = &out->bins[b];
        /* rows descend, bins ascend */
        size_t first = count - (b + 1) * count / out->bin_count, end = count - b * count / out->bin_count;
        double sum = 0, positives = 0;
        for (size_t r = first; r < end; r++) {
            sum += rows[r].probability;
            positives += rows[r].label;
        }
        *bin = (struct calibration_bin){rows[end - 1].probability, rows[first].probability, sum / (double)(end - first),
                                        positives / (double)(end - first), end - first};
        out->expected_error += fabs(bin->mean_probability - bin->positive_share) * (double)bin->count / (double)count;
    }
}

static double log_odds(double probability)
{
    static const double least = 1e-9;
    probability = fmin(fmax(probability, least), 1 - least);
    return log(probability / (1 - probability));
}

/* label ~ intercept + slope · log-odds */
static void calibrate_line(const struct ranked *rows, size_t count, struct calibration *out)
{
    double *odds = mem_zeroed(count + 1, sizeof *odds), *weights = mem_zeroed(count + 1, sizeof *weights);
    uint8_t *labels = mem_zeroed(count + 1, 1);
    struct logistic_fit fit;
    for (size_t r = 0; r < count; r++) {
        odds[r] = log_odds(rows[r].probability);
        labels[r] = rows[r].label;
        weights[r] = 1;
    }
    const struct logistic_problem problem = {odds, labels, weights, count, 1, INFINITY, 100};
    out->slope = out->intercept = NAN;
    if (logistic_fit(&problem, &fit, ERROR_IGNORED) == STATUS_OK) {
        if (fit.converged && !fit.unbounded) {
            out->slope = fit.coefficients[0];
            out->intercept = fit.intercept;
        }
        logistic_fit_clear(&fit);
    }
    free(odds);
    free(weights);
    free(labels);
}

static void measure_calibration(const struct predictions *given, const double *probabilities, struct calibration *out)
{
    struct ranked *rows = metrics_rank(given->labels, probabilities, given->count);
    calibrate_bins(rows, given->count, out);
    calibrate_line(rows, given->count, out);
    free(rows);
}

void assessment_measure(const struct predictions *given, struct assessment *out)
{
    *out = (struct assessment){.count = given->count};
    for (size_t r = 0; r < given->count; r++)
        out->positives += given->labels[r];
    for (size_t m = 0; m < METRIC_COUNT; m++)
        out->intervals[m] = (struct interval){NAN, NAN};
    out->metrics = metrics_measure(given->labels, given->calls, given->probabilities, given->count);
    measure_baseline(given, out);
    out->confusion = confusion_count(given->labels, given->calls, given->count);
    struct ranked *rows = metrics_rank(given->labels, given->probabilities, given->count);
    draw_curve(rows, out);
    free(rows);
    measure_calibration(given, given->probabilities, &out->calibration);
    if (given->uncalibrated)
        measure_calibration(given, given->uncalibrated, &out->uncalibrated);
}

void assessment_clear(struct assessment *assessment)
{
    for (size_t g = 0; g < assessment->group_count; g++)
        free(assessment->groups[g].name);
    free(assessment->groups);
    free(assessment->points);
    *assessment = (struct assessment){0};
}
