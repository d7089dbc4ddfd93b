/* The model card, in Markdown: see report.h. Pure. Its figures are the evaluation's, to four digits. Texts of the
 * schema and of files stand in code quotes or tables, with what would end them replaced. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/kinds/kinds.h"
#include "trainer/report/report_parts.h"

enum { TEXT_BYTES = 256 };

/* One line that no Markdown table or HTML reader takes for more than text. */
static void add_plain(struct buffer *out, const char *text)
{
    char *flat = mem_text(text);
    text_flatten(flat);
    for (char *at = flat; *at; at++)
        buffer_add_u8(out, (uint8_t)(strchr("|<>`\\", *at) ? '/' : *at));
    free(flat);
}

static void card_add_number(struct buffer *out, double number)
{
    if (isfinite(number))
        buffer_printf(out, " %.4f |", number);
    else
        buffer_add_text(out, " - |");
}

static void add_data(const struct training *training, struct buffer *out)
{
    const struct table *table = training->table;
    const struct span positive = table->schema->target_values[1];
    const char *slash = strrchr(training->data_path, '/');
    char sha256[SHA256_HEX_BYTES];
    sha256_hex(training->file, sha256);
    buffer_add_text(out, "\n## Data\n\n- file: ");
    add_plain(out, slash ? slash + 1 : training->data_path);
    buffer_printf(out, "\n- data SHA-256: `%s`\n- rows: %zu, left out for faults: %zu\n- label: ", table->sha256,
                  table->row_count, table->left_out);
    add_plain(out, table->schema->target_name);
    buffer_printf(out, ", positive (%.*s): %zu (%.2f %%)\n- schema digest: `%s`\n- model SHA-256: `%s`\n",
                  (int)positive.bytes, positive.data, table->positive_count,
                  100.0 * (double)table->positive_count / (double)table->row_count, table->schema->digest, sha256);
}

static void card_add_calibration(const char *what, const struct calibration *calibration, struct buffer *out)
{
    buffer_printf(out, "%s: %.4f", what, calibration->expected_error);
    if (isfinite(calibration->slope))
        buffer_printf(out, "; slope %.4f, intercept %.4f (1 and 0 are perfect)", calibration->slope,
                      calibration->intercept);
    buffer_add_text(out, ".\n");
}

static void card_add_metrics(const struct assessment *assessment, const struct schema *schema, struct buffer *out)
{
    const struct span negative = schema->target_values[0];
    buffer_printf(out, "| metric | model | low | high | always %.*s |\n|---|---|---|---|---|\n", (int)negative.bytes,
                  negative.data);
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        buffer_printf(out, "| %s |", metric_names[m]);
        card_add_number(out, metric_value(&assessment->metrics, m));
        card_add_number(out, assessment->intervals[m].low);
        card_add_number(out, assessment->intervals[m].high);
        card_add_number(out, metric_value(&assessment->baseline, m));
        buffer_add_u8(out, '\n');
    }
    const struct confusion *c = &assessment->confusion;
    buffer_printf(out,
                  "\nConfusion: %zu true positives, %zu false positives, %zu false negatives, %zu true negatives.\n",
                  c->true_positives, c->false_positives, c->false_negatives, c->true_negatives);
    card_add_calibration("Calibration error", &assessment->calibration, out);
    if (assessment->uncalibrated.bin_count)
        card_add_calibration("Before it was calibrated (on folds)", &assessment->uncalibrated, out);
}

#define FIGURE_NAME(name, brief, member) " " name " |"
#define FIGURE_RULE(name, brief, member) "---|"
#define FIGURE_VALUE(name, brief, member) card_add_number(out, group->member);

static void card_add_groups(const struct assessment *assessment, const struct schema *schema, struct buffer *out)
{
    if (assessment->group_count == 0)
        return;
    buffer_add_text(out, "\n## Groups\n\nImpact ratio: share called positive, by the largest share in the same "
                         "column.\n\n| group | predictions | positive |" GROUP_FIGURES(FIGURE_NAME) "\n");
    buffer_add_text(out, "|---|---|---|" GROUP_FIGURES(FIGURE_RULE) "\n");
    for (size_t g = 0; g < assessment->group_count; g++) {
        const struct group *group = &assessment->groups[g];
        buffer_add_text(out, "| ");
        add_plain(out, schema->columns[group->column].label);
        buffer_add_text(out, ": ");
        add_plain(out, group->name);
        buffer_printf(out, " | %zu | %zu |", group->count, group->positives);
        GROUP_FIGURES(FIGURE_VALUE)
        buffer_add_u8(out, '\n');
    }
}

static void card_add_flips(const struct evaluation *evaluation, struct buffer *out)
{
    const struct flips *flips = &evaluation->flips;
    if (flips->count == 0)
        return;
    char text[2 * TEXT_BYTES];
    report_describe_flips(evaluation, text, sizeof text);
    buffer_printf(out, "\n## Flip test\n\n%s\n\n| group | rows | up | down |\n|---|---|---|---|\n", text);
    for (size_t i = 0; i < flips->count; i++) {
        const struct flip *flip = &flips->items[i];
        if (flip->to)
            continue;
        buffer_add_text(out, "| ");
        add_plain(out, evaluation->schema->columns[flip->column].label);
        buffer_add_text(out, ": ");
        add_plain(out, flip->from ? flip->from : "all");
        buffer_printf(out, " | %zu | %zu | %zu |\n", flip->count, flip->up, flip->down);
    }
}

static void card_add_parameters(const struct training *training, struct buffer *out)
{
    struct train_settings_param params[TRAIN_SETTINGS_PARAM_MOST];
    char texts[TRAIN_SETTINGS_PARAM_MOST][TRAIN_SETTINGS_TEXT_BYTES], rule[THRESHOLD_TEXT_BYTES];
    size_t count = train_settings_params(training->settings, training->model->chosen, params, texts);
    threshold_describe(&training->settings->threshold, rule);
    buffer_printf(out, "\n## Threshold and parameters\n\n- threshold: %.15g, chosen by `%s`: positive at or above it\n",
                  training->evaluation->threshold, rule);
    for (size_t p = 0; p < count; p++)
        buffer_printf(out, "- %s: %s\n", params[p].name, params[p].value);
    struct buffer excluded = {0};
    table_name_excluded(training->table, &excluded);
    if (excluded.bytes) {
        buffer_add_text(out, "- columns kept out of the model: ");
        add_plain(out, excluded.data);
        buffer_add_u8(out, '\n');
    }
    buffer_free(&excluded);
    buffer_printf(out, "- seed: %llu\n- trainer version: %s\n", (unsigned long long)training->settings->seed, VERSION);
}

static void card_add_search(const struct search *search, struct buffer *out)
{
    char text[2 * TEXT_BYTES];
    report_describe_search(search, text, sizeof text);
    buffer_printf(out,
                  "\n## Search\n\n%s\n\n| trial | last round | rows | log_loss | low | high | drawn |\n"
                  "|---|---|---|---|---|---|---|\n",
                  text);
    for (size_t t = 0; t < search->trial_count; t++) {
        const struct trial *trial = &search->trials[t];
        search_describe(search, trial, text, sizeof text);
        buffer_printf(out, "| %zu | %zu | %zu |", trial->number, trial->round + 1, trial->rows);
        card_add_number(out, trial->metrics.log_loss);
        card_add_number(out, trial->log_loss.low);
        card_add_number(out, trial->log_loss.high);
        buffer_printf(out, " %s |\n", text);
    }
}

static void card_add_importance(const struct evaluation *evaluation, struct buffer *out)
{
    if (evaluation->importance_count == 0)
        return;
    buffer_printf(out, "\nMean magnitude of each column's reason over %zu rows:\n\n| column | magnitude |\n|---|---|\n",
                  evaluation->importance_rows);
    for (size_t i = 0; i < evaluation->importance_count; i++) {
        buffer_add_text(out, "| ");
        add_plain(out, evaluation->schema->columns[evaluation->importance[i].column].name);
        buffer_printf(out, " | %.4g |\n", evaluation->importance[i].mean_magnitude);
    }
}

static void card_add_permuted(const struct evaluation *evaluation, struct buffer *out)
{
    if (evaluation->permuted_count == 0)
        return;
    buffer_printf(out,
                  "\nWhat the AUC falls by when a column's values are shuffled among rows that the model has not seen, "
                  "over %zu shuffles:\n\n| column | mean | deviation |\n|---|---|---|\n",
                  evaluation->permuted_draws);
    for (size_t p = 0; p < evaluation->permuted_count; p++) {
        buffer_add_text(out, "| ");
        add_plain(out, evaluation->schema->columns[evaluation->permuted[p].column].name);
        buffer_add_text(out, " |");
        card_add_number(out, evaluation->permuted[p].mean);
        card_add_number(out, evaluation->permuted[p].deviation);
        buffer_add_u8(out, '\n');
    }
}

static void add_reference(const struct table *table, struct buffer *out)
{
    buffer_add_text(out, "\n## Reference for drift\n\nShares of the training table's rows; the same in numbers: "
                         "`drift_reference.json`.\n\n| column | missing | values or lower ends of bins, with shares |\n"
                         "|---|---|---|\n");
    for (size_t c = 0; c < table->schema->column_count; c++) {
        struct histogram histogram;
        size_t missing;
        report_histogram(table, c, &histogram, &missing);
        buffer_add_text(out, "| ");
        add_plain(out, table->schema->columns[c].name);
        buffer_printf(out, " | %.3f | ", (double)missing / (double)table->row_count);
        for (size_t b = 0; b < histogram.count; b++) {
            buffer_add_text(out, b ? "; " : "");
            add_plain(out, histogram.bars[b].label);
            buffer_printf(out, ": %.3f", (double)bar_count(&histogram.bars[b]) / (double)table->row_count);
        }
        buffer_add_text(out, " |\n");
        histogram_clear(&histogram);
    }
}

void report_write_card(const struct training *training, struct buffer *out)
{
    const struct evaluation *evaluation = training->evaluation;
    const struct assessment *assessment = evaluation_main(evaluation);
    char how[TEXT_BYTES];
    report_describe_assessment(evaluation, how, sizeof how);
    buffer_printf(out, "# Model card: %s\n\n## Intended use\n\n%s\n\n## Limits\n\n%s\n", training->settings->kind->name,
                  report_use, report_limits);
    add_data(training, out);
    buffer_printf(out, "\n## Figures\n\n%s.\n\n", how);
    if (assessment->count) {
        card_add_metrics(assessment, evaluation->schema, out);
        card_add_groups(assessment, evaluation->schema, out);
    }
    card_add_flips(evaluation, out);
    if (evaluation->repeat_count && evaluation->held_out.count) {
        buffer_printf(out, "\n## Held-out rows\n\n%zu rows held out of all fitting and choosing.\n\n",
                      evaluation->held_out.count);
        card_add_metrics(&evaluation->held_out, evaluation->schema, out);
    }
    card_add_parameters(training, out);
    if (training->search)
        card_add_search(training->search, out);
    buffer_printf(out, "\n## Reasons\n\n%s\n", report_reasons(training));
    card_add_importance(evaluation, out);
    card_add_permuted(evaluation, out);
    add_reference(training->table, out);
}
