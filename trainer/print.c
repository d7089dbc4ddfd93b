/* The evaluation as text: see print.h. Called once, by the commands. Standard output. */
#include "trainer/kinds/kinds.h"
#include "trainer/print.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_COLUMNS = 8, THRESHOLD_ROWS = 9 };

static void print_number(double number, int width)
{
    if (isnan(number))
        printf(" %*s", width, "-");
    else
        printf(" %*.3f", width, number);
}

static void print_metrics(const struct assessment *assessment, const struct schema *schema, const char *how)
{
    struct span negative = schema->target_values[0];
    printf("  %-10s %8s  %16s  always \"%.*s\"\n", how, "model", "95 % interval", (int)negative.bytes, negative.data);
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        struct interval interval = assessment->intervals[m];
        char text[40] = "";
        if (!isnan(interval.low))
            snprintf(text, sizeof text, "%.3f to %.3f", interval.low, interval.high);
        printf("  %-10s %8.3f  %16s  %10.3f   %s\n", metric_names[m], metric_value(&assessment->metrics, m), text,
               metric_value(&assessment->baseline, m), metric_helps[m]);
    }
}

static void print_confusion(const struct assessment *assessment, const struct schema *schema)
{
    const struct confusion *c = &assessment->confusion;
    struct span no = schema->target_values[0], yes = schema->target_values[1];
    printf("  confusion: %zu %.*s found, %zu missed; %zu false alarms, %zu %.*s predicted right\n", c->true_positives,
           (int)yes.bytes, yes.data, c->false_negatives, c->false_positives, c->true_negatives, (int)no.bytes, no.data);
}

static void print_calibration(const char *what, const struct calibration *calibration)
{
    printf("  %s: error %.3f", what, calibration->expected_error);
    if (!isnan(calibration->slope))
        printf(", slope %.2f (1 is perfect), intercept %+.2f", calibration->slope, calibration->intercept);
    putchar('\n');
}

/* The last point of the curve that is at or above a threshold: what calling by it gives. */
static const struct confusion *confusion_at(const struct assessment *assessment, double threshold)
{
    const struct curve_point *point = assessment->points;
    for (size_t p = 0; p < assessment->point_count && assessment->points[p].threshold >= threshold; p++)
        point = &assessment->points[p];
    return &point->confusion;
}

static double print_ratio(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void print_thresholds(const struct assessment *assessment)
{
    printf("  by threshold   called  precision  recall     f1  accuracy\n");
    for (int t = 1; t <= THRESHOLD_ROWS; t++) {
        const struct confusion *c = confusion_at(assessment, t / 10.0);
        size_t called = c->true_positives + c->false_positives;
        printf("  %12.1f %7.1f%% %10.3f %7.3f %6.3f %9.3f\n", t / 10.0, 100 * print_ratio(called, assessment->count),
               print_ratio(c->true_positives, called), print_ratio(c->true_positives, assessment->positives),
               print_ratio(2 * c->true_positives, called + assessment->positives),
               print_ratio(c->true_positives + c->true_negatives, assessment->count));
    }
}

#define FIGURE_NAME(name, brief, member) printf(" %8s", brief);
#define FIGURE_VALUE(name, brief, member) print_number(group->member, 8);

static void print_groups(const struct assessment *assessment, const struct schema *schema)
{
    if (!assessment->group_count)
        return;
    printf("  %-24s %6s %8s", "group", "rows", "positive");
    GROUP_FIGURES(FIGURE_NAME)
    putchar('\n');
    for (size_t g = 0; g < assessment->group_count; g++) {
        const struct group *group = &assessment->groups[g];
        char name[80];
        snprintf(name, sizeof name, "%s %s", schema->columns[group->column].label, group->name);
        printf("  %-24s %6zu", name, group->count);
        print_number(print_ratio(group->positives, group->count), 8);
        GROUP_FIGURES(FIGURE_VALUE)
        putchar('\n');
    }
}

static void print_importance(const struct evaluation *evaluation)
{
    if (evaluation->importance_count == 0)
        return;
    printf("what counts most (mean magnitude of its reason):");
    for (size_t i = 0; i < evaluation->importance_count && i < SHOWN_COLUMNS; i++)
        printf("%s %s %.3g", i ? "," : "", evaluation->schema->columns[evaluation->importance[i].column].name,
               evaluation->importance[i].mean_magnitude);
    putchar('\n');
}

static void print_permuted(const struct evaluation *evaluation)
{
    if (evaluation->permuted_count == 0)
        return;
    printf("what the AUC falls by when a column is shuffled (mean of %zu, deviation):", evaluation->permuted_draws);
    for (size_t p = 0; p < evaluation->permuted_count && p < SHOWN_COLUMNS; p++)
        printf("%s %s %.4f (%.4f)", p ? "," : "", evaluation->schema->columns[evaluation->permuted[p].column].name,
               evaluation->permuted[p].mean, evaluation->permuted[p].deviation);
    putchar('\n');
}

static void print_flips(const struct evaluation *evaluation)
{
    const struct flips *flips = &evaluation->flips;
    if (flips->count == 0)
        return;
    printf("decisions that flip when one attribute alone is another group's (%zu rows):\n", flips->row_count);
    for (size_t i = 0; i < flips->count; i++) {
        const struct flip *flip = &flips->items[i];
        char name[80];
        if (flip->to)
            continue;
        snprintf(name, sizeof name, "%s %s", evaluation->schema->columns[flip->column].label,
                 flip->from ? flip->from : "(all)");
        printf("  %-24s %6zu  %6zu up %6zu down  %5.1f %%\n", name, flip->count, flip->up, flip->down,
               100 * print_ratio(flip->up + flip->down, flip->count));
    }
}

static void print_assessment(const struct assessment *assessment, const struct schema *schema, const char *how)
{
    print_metrics(assessment, schema, how);
    print_confusion(assessment, schema);
    if (assessment->uncalibrated.bin_count)
        print_calibration("before calibration", &assessment->uncalibrated);
    print_calibration(assessment->uncalibrated.bin_count ? "after calibration" : "calibration",
                      &assessment->calibration);
    print_thresholds(assessment);
    print_groups(assessment, schema);
}

void print_evaluation(const struct evaluation *evaluation, const char *rows)
{
    char rule[THRESHOLD_TEXT_BYTES];
    if (evaluation->repeat_count) {
        printf("%zu-fold cross-validation, %zu time%s:\n", evaluation->fold_count, evaluation->repeat_count,
               evaluation->repeat_count == 1 ? "" : "s");
        print_assessment(&evaluation->validation, evaluation->schema, "mean");
    }
    if (evaluation->held_out.count) {
        printf("%zu %s:\n", evaluation->held_out.count, rows);
        print_assessment(&evaluation->held_out, evaluation->schema, "");
    }
    print_importance(evaluation);
    print_permuted(evaluation);
    print_flips(evaluation);
    threshold_describe(&evaluation->rule, rule);
    printf("threshold %g (%s)\n", evaluation->threshold, evaluation->rule.kind == THRESHOLD_GIVEN ? "given" : rule);
}

static void print_search(const struct search *search)
{
    char text[TRAIN_SETTINGS_TEXT_BYTES];
    const struct trial *chosen = &search->trials[0];
    search_describe(search, chosen, text, sizeof text);
    printf("search: trial %zu of %zu was chosen: log_loss %.4f on %zu rows with %s\n", chosen->number,
           search->trial_count, chosen->metrics.log_loss, chosen->rows, text);
}

void print_training(const struct training *training)
{
    const struct span *labels = training->table->schema->target_values;
    printf("%s on %zu rows, %zu of them %.*s", training->settings->kind->name, training->table->row_count,
           training->table->positive_count, (int)labels[1].bytes, labels[1].data);
    if (training->model->chosen_name)
        printf("; %s=%.6g was chosen", training->model->chosen_name, training->model->chosen);
    putchar('\n');
    struct buffer excluded = {0};
    table_name_excluded(training->table, &excluded);
    if (excluded.bytes)
        printf("kept out of the model: %s\n", excluded.data);
    buffer_free(&excluded);
    if (training->search)
        print_search(training->search);
    print_evaluation(training->evaluation, "rows held out of all fitting and choosing");
}

void print_registered(const struct registry *registry, const struct destination *destination,
                      const struct registered *registered)
{
    printf("run %s in experiment %s of %s\n", registered->run_id, destination->experiment, registry_root(registry));
    printf("model %s version %s\n", destination->name, registered->version);
    if (strcmp(registered->alias_holder, registered->version) == 0)
        printf("alias %s -> version %s\n", destination->alias, registered->version);
    else
        printf("alias %s stays at version %s: `registry promote %s %s --alias %s` moves it\n", destination->alias,
               registered->alias_holder, destination->name, registered->version, destination->alias);
}

void print_beside(const struct training *training)
{
    const struct assessment *ours = &training->evaluation->held_out, *theirs = training->in_use;
    printf("the same %zu rows of the later period, beside version %s in use:\n", ours->count, training->in_use_version);
    printf("  %-10s %10s %10s %10s\n", "", "new", "in use", "difference");
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        double next = metric_value(&ours->metrics, m), now = metric_value(&theirs->metrics, m);
        printf("  %-10s %10.3f %10.3f %+10.3f   %s\n", metric_names[m], next, now, next - now, metric_helps[m]);
    }
    print_calibration("new: calibration", &ours->calibration);
    print_calibration("in use: calibration", &theirs->calibration);
}
