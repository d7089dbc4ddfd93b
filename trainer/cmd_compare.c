/* trainer compare: an experiment's runs side by side. Called by main, on its only thread. Reads the tracking store
 * alone.
 *
 * Two runs whose folds are the same (tag folds.sha256) are compared fold by fold: the differences vary far less than
 * the figures do. Others get a difference, and no interval. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "registry/registry.h"
#include "trainer/commands.h"
#include "trainer/intervals.h"

enum { SHORT_ID = 8, KEY_BYTES = 80 };

/* One run's line. */
struct line {
    const struct run_details *run;
    double value;               /* of the metric to sort by; NaN: it has none */
    double difference;          /* to the best */
    struct interval reach;      /* of the difference; NaN where the folds differ */
    struct metric_series folds; /* the metric by fold */
};

static double metric_of(const struct run_details *run, const char *key)
{
    long at = run_details_metric(run, key);
    return at < 0 ? NAN : run->metric_values[at];
}

static const char *param_of(const struct run_details *run, const char *key)
{
    for (size_t p = 0; p < run->param_keys.count; p++)
        if (strcmp(run->param_keys.items[p], key) == 0)
            return run->param_values.items[p];
    return "";
}

/* Lower is better for those of the table that say so, and for names that end so. */
static bool rises(const char *metric)
{
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        size_t bytes = strlen(metric), tail = strlen(metric_names[m]);
        if (!metric_rises(m) && bytes >= tail && strcmp(metric + bytes - tail, metric_names[m]) == 0)
            return false;
    }
    return true;
}

/* The best first; runs without the metric last, in the order they came in. */
static void sort_lines(struct line *lines, size_t count, bool descending)
{
    for (size_t l = 1; l < count; l++) {
        struct line moved = lines[l];
        size_t at = l;
        for (; at > 0; at--) {
            double before = lines[at - 1].value;
            bool better = isnan(before) || (descending ? moved.value > before : moved.value < before);
            if (isnan(moved.value) || !better)
                break;
            lines[at] = lines[at - 1];
        }
        lines[at] = moved;
    }
}

static bool same_folds(const struct line *a, const struct line *b)
{
    const char *left = run_details_tag(a->run, "folds.sha256"), *right = run_details_tag(b->run, "folds.sha256");
    return left && right && strcmp(left, right) == 0 && a->folds.count == b->folds.count && a->folds.count > 1;
}

static void compare_lines(struct line *lines, size_t count)
{
    const struct line *best = &lines[0];
    for (size_t l = 0; l < count; l++) {
        struct line *line = &lines[l];
        line->difference = line->value - best->value;
        line->reach = (struct interval){NAN, NAN};
        double folds = strtod(param_of(line->run, "folds"), NULL), mean;
        if (l == 0 || !same_folds(line, best) || folds < 2)
            continue;
        double *differences = mem_zeroed(line->folds.count, sizeof *differences);
        for (size_t f = 0; f < line->folds.count; f++)
            differences[f] = line->folds.values[f] - best->folds.values[f];
        line->reach = intervals_of_folds(differences, line->folds.count, 1 / folds, &mean);
        free(differences);
    }
}

/* --- what the runs differ in --- */

/* Among the runs of one kind of model: other kinds have other parameters. */
static bool differs(const struct line *lines, size_t count, const struct run_details *run, const char *key)
{
    for (size_t l = 0; l < count; l++)
        if (strcmp(param_of(lines[l].run, "model"), param_of(run, "model")) == 0 &&
            strcmp(param_of(lines[l].run, key), param_of(run, key)) != 0)
            return true;
    return false;
}

/* Those of a run's parameters that not all runs of its kind share: "C=0.3 class_weight=balanced". */
static void print_params(const struct line *lines, size_t count, const struct run_details *run)
{
    for (size_t p = 0; p < run->param_keys.count; p++) {
        const char *key = run->param_keys.items[p];
        if (strcmp(key, "model") == 0 || strcmp(key, "threshold") == 0 || !differs(lines, count, run, key))
            continue;
        char *flat_key = text_flat(key), *flat_value = text_flat(run->param_values.items[p]);
        printf(" %s=%s", flat_key, flat_value);
        free(flat_key);
        free(flat_value);
    }
    putchar('\n');
}

static void print_figure(double value, const char *format)
{
    if (isnan(value))
        printf(" %9s", "-");
    else
        printf(format, value);
}

static void print_interval(struct interval interval, const char *format)
{
    char text[48] = "-";
    if (!isnan(interval.low))
        snprintf(text, sizeof text, format, interval.low, interval.high);
    printf("  %18s", text);
}

static void print_lines(const struct line *lines, size_t count, const char *metric)
{
    static const char *const others[] = {"roc_auc", "pr_auc", "f1", "log_loss", "brier", "accuracy"};
    char low[KEY_BYTES], high[KEY_BYTES];
    snprintf(low, sizeof low, "%.60s_low", metric);
    snprintf(high, sizeof high, "%.60s_high", metric);
    printf("%-8s  %-22s %9.9s  %18s %9s  %18s", "run", "model", metric, "95 % interval", "to best", "95 % interval");
    for (size_t o = 0; o < sizeof others / sizeof *others; o++)
        if (strcmp(others[o], metric) != 0)
            printf(" %9s", others[o]);
    printf("  parameters that differ\n");
    for (size_t l = 0; l < count; l++) {
        const struct run_details *run = lines[l].run;
        const char *kind = param_of(run, "model");
        char *shown = text_flat(*kind ? kind : run->name);
        printf("%-8.*s  %-22.22s", SHORT_ID, run->run_id, shown);
        free(shown);
        print_figure(lines[l].value, " %9.4f");
        print_interval((struct interval){metric_of(run, low), metric_of(run, high)}, "%.3f to %.3f");
        print_figure(l ? lines[l].difference : NAN, " %+9.4f");
        print_interval(lines[l].reach, "%+.3f to %+.3f");
        for (size_t o = 0; o < sizeof others / sizeof *others; o++)
            if (strcmp(others[o], metric) != 0)
                print_figure(metric_of(run, others[o]), " %9.4f");
        print_params(lines, count, run);
    }
}

/* --- JSON: one object a run --- */

static void compare_print_json(const struct line *line, const char *metric)
{
    struct buffer out = {0};
    const struct run_details *run = line->run;
    struct json_writer json = json_begin_document(&out);
    json_write_string(&json, "run_id", run->run_id);
    json_write_string(&json, "name", run->name ? run->name : "");
    json_write_string(&json, "sorted_by", metric);
    json_write_finite(&json, "value", line->value);
    json_write_finite(&json, "difference", line->difference);
    json_write_finite(&json, "difference_low", line->reach.low);
    json_write_finite(&json, "difference_high", line->reach.high);
    json_begin_object(&json, "params");
    for (size_t p = 0; p < run->param_keys.count; p++)
        json_write_string(&json, run->param_keys.items[p], run->param_values.items[p]);
    json_end_object(&json);
    json_begin_object(&json, "metrics");
    for (size_t m = 0; m < run->metric_keys.count; m++)
        json_write_double(&json, run->metric_keys.items[m], run->metric_values[m]);
    json_end_object(&json);
    json_end_document(&json);
    fwrite(out.data, 1, out.bytes, stdout);
    buffer_free(&out);
}

/* --- the command --- */

static enum status read_lines(const struct registry *registry, const struct run_list *runs, const char *metric,
                              struct line *lines, struct error *err)
{
    char key[KEY_BYTES];
    bool any = false;
    enum status status = STATUS_OK;
    snprintf(key, sizeof key, "fold_%.60s", metric);
    for (size_t r = 0; r < runs->count && status == STATUS_OK; r++) {
        lines[r] = (struct line){.run = &runs->items[r], .value = metric_of(&runs->items[r], metric)};
        any = any || !isnan(lines[r].value);
        if (run_details_metric(&runs->items[r], key) >= 0)
            status = registry_metric(registry, runs->items[r].run_id, key, &lines[r].folds, err);
    }
    if (status == STATUS_OK && !any)
        return error_set(err, STATUS_NOT_FOUND, "--sort %.60s: no run of the experiment has that metric", metric);
    return status;
}

/* Trials of a search are not compared: the run that they are nested in is. */
static void leave_out_nested(struct run_list *runs)
{
    size_t kept = 0;
    for (size_t r = 0; r < runs->count; r++) {
        if (run_details_tag(&runs->items[r], "mlflow.parentRunId"))
            run_details_clear(&runs->items[r]);
        else
            runs->items[kept++] = runs->items[r];
    }
    runs->count = kept;
}

enum status command_compare(const struct options *options, struct error *err)
{
    struct registry *registry;
    struct run_list runs = {0};
    const char *metric = options_text(options, OPTION_SORT);
    if (registry_open_options(options, &registry, err) != STATUS_OK)
        return err->status;
    enum status status = registry_runs(registry, options_text(options, OPTION_EXPERIMENT), &runs, err);
    bool trials = runs.count > 0;
    if (runs.cut)
        log_warn(
            "trainer",
            "experiment %.100s has more runs than the %zu that are compared: log new ones in another experiment, or "
            "delete old ones",
            options_text(options, OPTION_EXPERIMENT), runs.count);
    leave_out_nested(&runs);
    if (status == STATUS_OK && runs.count == 0)
        status = error_set(err, STATUS_NOT_FOUND, "experiment %.100s has no runs%s",
                           options_text(options, OPTION_EXPERIMENT),
                           trials ? " but trials of a search that has not ended: its command goes on with it"
                                  : ": `trainer train` logs one");
    struct line *lines = mem_zeroed(runs.count + 1, sizeof *lines);
    if (status == STATUS_OK)
        status = read_lines(registry, &runs, metric, lines, err);
    if (status == STATUS_OK) {
        sort_lines(lines, runs.count, rises(metric));
        compare_lines(lines, runs.count);
        if (!options_flag(options, OPTION_TRAINER_JSON))
            print_lines(lines, runs.count, metric);
        for (size_t l = 0; l < runs.count && options_flag(options, OPTION_TRAINER_JSON); l++)
            compare_print_json(&lines[l], metric);
    }
    for (size_t l = 0; l < runs.count; l++)
        metric_series_clear(&lines[l].folds);
    free(lines);
    run_list_clear(&runs);
    registry_close(registry);
    return status;
}
