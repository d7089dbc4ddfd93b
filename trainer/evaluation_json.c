/* Evaluation → JSON: see evaluation_json.h. Pure. */
#include "trainer/evaluation_json.h"

#include <math.h>

#include "base/json.h"

/* ,"key":number */
static void add_number(struct buffer *out, const char *key, double number)
{
    buffer_printf(out, ",\"%s\":", key);
    if (isfinite(number))
        json_add_double(out, number);
    else
        buffer_add_text(out, "null");
}

static void add_text(struct buffer *out, const char *key, const char *text)
{
    buffer_printf(out, ",\"%s\":", key);
    json_add_text(out, span_of(text));
}

static void add_count(struct buffer *out, const char *key, size_t count)
{
    buffer_printf(out, ",\"%s\":%zu", key, count);
}

/* Opens what add_… continues: an object whose first member is this one. */
static void begin_count(struct buffer *out, const char *key, size_t count)
{
    buffer_printf(out, "{\"%s\":%zu", key, count);
}

static void add_metrics(struct buffer *out, const char *key, const struct metrics *metrics)
{
    buffer_printf(out, ",\"%s\":", key);
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        size_t comma = out->bytes;
        add_number(out, metric_names[m], metric_value(metrics, m));
        out->data[comma] = m ? ',' : '{';
    }
    buffer_add_u8(out, '}');
}

static void add_interval_list(struct buffer *out, const struct interval *intervals)
{
    buffer_add_text(out, ",\"intervals\":{\"level\":0.95");
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        if (!isfinite(intervals[m].low) || !isfinite(intervals[m].high))
            continue;
        buffer_printf(out, ",\"%s\":[", metric_names[m]);
        json_add_double(out, intervals[m].low);
        buffer_add_u8(out, ',');
        json_add_double(out, intervals[m].high);
        buffer_add_u8(out, ']');
    }
    buffer_add_u8(out, '}');
}

static void add_confusion(struct buffer *out, const struct confusion *confusion)
{
    add_count(out, "true_positives", confusion->true_positives);
    add_count(out, "false_positives", confusion->false_positives);
    add_count(out, "false_negatives", confusion->false_negatives);
    add_count(out, "true_negatives", confusion->true_negatives);
}

static void add_calibration(struct buffer *out, const struct calibration *calibration)
{
    buffer_add_text(out, ",\"calibration\":");
    begin_count(out, "bin_count", calibration->bin_count);
    add_number(out, "expected_error", calibration->expected_error);
    add_number(out, "slope", calibration->slope);
    add_number(out, "intercept", calibration->intercept);
    buffer_add_text(out, ",\"bins\":[");
    for (size_t b = 0; b < calibration->bin_count; b++) {
        const struct calibration_bin *bin = &calibration->bins[b];
        buffer_add_text(out, b ? "," : "");
        begin_count(out, "count", bin->count);
        add_number(out, "low", bin->low);
        add_number(out, "high", bin->high);
        add_number(out, "mean_probability", bin->mean_probability);
        add_number(out, "positive_share", bin->positive_share);
        buffer_add_u8(out, '}');
    }
    buffer_add_text(out, "]}");
}

static void add_groups(struct buffer *out, const struct judgement *judgement, const struct schema *schema)
{
    buffer_add_text(out, ",\"groups\":[");
    for (size_t g = 0; g < judgement->group_count; g++) {
        const struct group *group = &judgement->groups[g];
        buffer_add_text(out, g ? "," : "");
        begin_count(out, "count", group->count);
        add_text(out, "column", schema->columns[group->column].name);
        add_text(out, "name", group->name);
        add_count(out, "positives", group->positives);
        add_number(out, "selection_rate", group->selection_rate);
        add_number(out, "impact_ratio", group->impact_ratio);
        add_confusion(out, &group->confusion);
        add_metrics(out, "metrics", &group->metrics);
        buffer_add_u8(out, '}');
    }
    buffer_add_u8(out, ']');
}

/* [threshold, true positives, false positives]: the rest follows from count and positives. */
static void add_curve(struct buffer *out, const struct judgement *judgement)
{
    buffer_add_text(out, ",\"curve\":[");
    for (size_t p = 0; p < judgement->point_count; p++) {
        const struct curve_point *point = &judgement->points[p];
        buffer_add_text(out, p ? ",[" : "[");
        json_add_double(out, point->threshold);
        buffer_printf(out, ",%zu,%zu]", point->confusion.true_positives, point->confusion.false_positives);
    }
    buffer_add_u8(out, ']');
}

static void add_judgement(struct buffer *out, const char *key, const struct judgement *judgement,
                          const struct schema *schema)
{
    buffer_printf(out, ",\"%s\":", key);
    begin_count(out, "count", judgement->count);
    add_count(out, "positives", judgement->positives);
    add_metrics(out, "metrics", &judgement->metrics);
    add_interval_list(out, judgement->intervals);
    add_metrics(out, "baseline", &judgement->baseline);
    add_confusion(out, &judgement->confusion);
    add_calibration(out, &judgement->calibration);
    add_groups(out, judgement, schema);
    add_curve(out, judgement);
    buffer_add_u8(out, '}');
}

static void add_folds(struct buffer *out, const struct evaluation *evaluation)
{
    add_count(out, "folds", evaluation->fold_count);
    add_count(out, "repeats", evaluation->repeat_count);
    add_text(out, "folds_sha256", evaluation->folds_sha256);
    buffer_add_text(out, ",\"by_fold\":[");
    for (size_t f = 0; f < evaluation->fold_count * evaluation->repeat_count; f++) {
        buffer_add_text(out, f ? "," : "");
        begin_count(out, "fold", f % evaluation->fold_count);
        add_count(out, "repeat", f / evaluation->fold_count);
        add_number(out, "threshold", evaluation->fold_thresholds[f]);
        add_metrics(out, "metrics", &evaluation->folds[f]);
        buffer_add_u8(out, '}');
    }
    buffer_add_u8(out, ']');
}

static void add_importance(struct buffer *out, const struct evaluation *evaluation)
{
    buffer_add_text(out, ",\"importance\":[");
    for (size_t i = 0; i < evaluation->importance_count; i++) {
        buffer_add_text(out, i ? ",{\"column\":" : "{\"column\":");
        json_add_text(out, span_of(evaluation->schema->columns[evaluation->importance[i].column].name));
        add_number(out, "mean_magnitude", evaluation->importance[i].mean_magnitude);
        buffer_add_u8(out, '}');
    }
    buffer_add_u8(out, ']');
}

void evaluation_write_json(const struct evaluation *evaluation, struct buffer *out)
{
    char rule[THRESHOLD_TEXT_BYTES];
    threshold_describe(&evaluation->rule, rule);
    buffer_add_text(out, "{\"threshold\":");
    json_add_double(out, evaluation->threshold);
    add_text(out, "threshold_rule", rule);
    if (evaluation->repeat_count) {
        add_folds(out, evaluation);
        add_judgement(out, "validation", &evaluation->validation, evaluation->schema);
    }
    if (evaluation->held_out.count)
        add_judgement(out, "held_out", &evaluation->held_out, evaluation->schema);
    add_importance(out, evaluation);
    buffer_add_text(out, "}\n");
}
