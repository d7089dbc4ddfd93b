/* Evaluation → JSON: see evaluation_json.h. Pure. */
#include "trainer/evaluation_json.h"

#include <math.h>

#include "base/json_writer.h"

static void json_add_metrics(struct json_writer *json, const char *key, const struct metrics *metrics)
{
    json_begin_object(json, key);
    for (size_t m = 0; m < METRIC_COUNT; m++)
        json_write_finite(json, metric_names[m], metric_value(metrics, m));
    json_end_object(json);
}

static void add_interval_list(struct json_writer *json, const struct interval *intervals)
{
    json_begin_object(json, "intervals");
    buffer_add_text(json_write_raw(json, "level"), "0.95");
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        if (!isfinite(intervals[m].low) || !isfinite(intervals[m].high))
            continue;
        json_begin_array(json, metric_names[m]);
        json_write_double(json, NULL, intervals[m].low);
        json_write_double(json, NULL, intervals[m].high);
        json_end_array(json);
    }
    json_end_object(json);
}

static void add_confusion(struct json_writer *json, const struct confusion *confusion)
{
    json_write_uint(json, "true_positives", confusion->true_positives);
    json_write_uint(json, "false_positives", confusion->false_positives);
    json_write_uint(json, "false_negatives", confusion->false_negatives);
    json_write_uint(json, "true_negatives", confusion->true_negatives);
}

static void add_calibration(struct json_writer *json, const char *key, const struct calibration *calibration)
{
    json_begin_object(json, key);
    json_write_uint(json, "bin_count", calibration->bin_count);
    json_write_finite(json, "expected_error", calibration->expected_error);
    json_write_finite(json, "slope", calibration->slope);
    json_write_finite(json, "intercept", calibration->intercept);
    json_begin_array(json, "bins");
    for (size_t b = 0; b < calibration->bin_count; b++) {
        const struct calibration_bin *bin = &calibration->bins[b];
        json_begin_object(json, NULL);
        json_write_uint(json, "count", bin->count);
        json_write_finite(json, "low", bin->low);
        json_write_finite(json, "high", bin->high);
        json_write_finite(json, "mean_probability", bin->mean_probability);
        json_write_finite(json, "positive_share", bin->positive_share);
        json_end_object(json);
    }
    json_end_array(json);
    json_end_object(json);
}

static void json_add_groups(struct json_writer *json, const struct assessment *assessment, const struct schema *schema)
{
    json_begin_array(json, "groups");
    for (size_t g = 0; g < assessment->group_count; g++) {
        const struct group *group = &assessment->groups[g];
        json_begin_object(json, NULL);
        json_write_uint(json, "count", group->count);
        json_write_string(json, "column", schema->columns[group->column].name);
        json_write_string(json, "name", group->name);
        json_write_uint(json, "positives", group->positives);
        json_write_finite(json, "selection_rate", group->selection_rate);
        json_write_finite(json, "impact_ratio", group->impact_ratio);
        add_confusion(json, &group->confusion);
        json_add_metrics(json, "metrics", &group->metrics);
        json_end_object(json);
    }
    json_end_array(json);
}

/* [threshold, true positives, false positives]: the rest follows from count and positives. */
static void add_curve(struct json_writer *json, const struct assessment *assessment)
{
    json_begin_array(json, "curve");
    for (size_t p = 0; p < assessment->point_count; p++) {
        const struct curve_point *point = &assessment->points[p];
        json_begin_array(json, NULL);
        json_write_double(json, NULL, point->threshold);
        json_write_uint(json, NULL, point->confusion.true_positives);
        json_write_uint(json, NULL, point->confusion.false_positives);
        json_end_array(json);
    }
    json_end_array(json);
}

static void add_assessment(struct json_writer *json, const char *key, const struct assessment *assessment,
                           const struct schema *schema)
{
    json_begin_object(json, key);
    json_write_uint(json, "count", assessment->count);
    json_write_uint(json, "positives", assessment->positives);
    json_add_metrics(json, "metrics", &assessment->metrics);
    add_interval_list(json, assessment->intervals);
    json_add_metrics(json, "baseline", &assessment->baseline);
    add_confusion(json, &assessment->confusion);
    add_calibration(json, "calibration", &assessment->calibration);
    if (assessment->uncalibrated.bin_count)
        add_calibration(json, "uncalibrated", &assessment->uncalibrated);
    json_add_groups(json, assessment, schema);
    add_curve(json, assessment);
    json_end_object(json);
}

static void add_folds(struct json_writer *json, const struct evaluation *evaluation)
{
    json_write_uint(json, "folds", evaluation->fold_count);
    json_write_uint(json, "repeats", evaluation->repeat_count);
    json_write_string(json, "folds_sha256", evaluation->folds_sha256);
    json_begin_array(json, "by_fold");
    for (size_t f = 0; f < evaluation->fold_count * evaluation->repeat_count; f++) {
        json_begin_object(json, NULL);
        json_write_uint(json, "fold", f % evaluation->fold_count);
        json_write_uint(json, "repeat", f / evaluation->fold_count);
        json_write_finite(json, "threshold", evaluation->fold_thresholds[f]);
        json_add_metrics(json, "metrics", &evaluation->folds[f]);
        json_end_object(json);
    }
    json_end_array(json);
}

static void json_add_importance(struct json_writer *json, const struct evaluation *evaluation)
{
    json_begin_array(json, "importance");
    for (size_t i = 0; i < evaluation->importance_count; i++) {
        json_begin_object(json, NULL);
        json_write_string(json, "column", evaluation->schema->columns[evaluation->importance[i].column].name);
        json_write_finite(json, "mean_magnitude", evaluation->importance[i].mean_magnitude);
        json_end_object(json);
    }
    json_end_array(json);
}

static void add_permuted(struct json_writer *json, const struct evaluation *evaluation)
{
    json_write_uint(json, "permutations", evaluation->permuted_draws);
    json_begin_array(json, "permutation_importance");
    for (size_t p = 0; p < evaluation->permuted_count; p++) {
        json_begin_object(json, NULL);
        json_write_string(json, "column", evaluation->schema->columns[evaluation->permuted[p].column].name);
        json_write_finite(json, "roc_auc_drop", evaluation->permuted[p].mean);
        json_write_finite(json, "deviation", evaluation->permuted[p].deviation);
        json_end_object(json);
    }
    json_end_array(json);
}

static void add_dependence(struct json_writer *json, const struct evaluation *evaluation)
{
    json_begin_array(json, "partial_dependence");
    for (size_t d = 0; d < evaluation->dependence_count; d++) {
        const struct dependence *dependence = &evaluation->dependence[d];
        const struct column *column = &evaluation->schema->columns[dependence->column];
        json_begin_object(json, NULL);
        json_write_string(json, "column", column->name);
        json_begin_array(json, "points");
        for (size_t p = 0; p < dependence->count; p++) {
            json_begin_object(json, NULL);
            if (column->kind == COLUMN_NOMINAL)
                json_write_text(json, "value", column->values[(size_t)dependence->points[p].value]);
            else
                json_write_double(json, "value", dependence->points[p].value);
            json_write_finite(json, "probability", dependence->points[p].probability);
            json_end_object(json);
        }
        json_end_array(json);
        json_end_object(json);
    }
    json_end_array(json);
}

static void add_flips(struct json_writer *json, const struct evaluation *evaluation)
{
    const struct flips *flips = &evaluation->flips;
    json_write_uint(json, "flip_rows", flips->row_count);
    json_begin_array(json, "flips");
    for (size_t i = 0; i < flips->count; i++) {
        const struct flip *flip = &flips->items[i];
        json_begin_object(json, NULL);
        json_write_string(json, "column", evaluation->schema->columns[flip->column].name);
        json_write_string(json, "group", flip->from);
        json_write_string(json, "to", flip->to);
        json_write_uint(json, "count", flip->count);
        json_write_uint(json, "up", flip->up);
        json_write_uint(json, "down", flip->down);
        json_end_object(json);
    }
    json_end_array(json);
}

void evaluation_write_json(const struct evaluation *evaluation, struct buffer *out)
{
    char rule[THRESHOLD_TEXT_BYTES];
    threshold_describe(&evaluation->rule, rule);
    struct json_writer json = json_begin_document(out);
    json_write_double(&json, "threshold", evaluation->threshold);
    json_write_string(&json, "threshold_rule", rule);
    if (evaluation->repeat_count) {
        add_folds(&json, evaluation);
        add_assessment(&json, "validation", &evaluation->validation, evaluation->schema);
    }
    if (evaluation->held_out.count)
        add_assessment(&json, "held_out", &evaluation->held_out, evaluation->schema);
    json_add_importance(&json, evaluation);
    add_permuted(&json, evaluation);
    add_dependence(&json, evaluation);
    add_flips(&json, evaluation);
    json_end_document(&json);
}
