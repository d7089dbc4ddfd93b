/* The evaluation as a page: see report.h. Pure. The same figures as the card's, with the pictures. */
#include <stdio.h>

#include "base/page.h"
#include "trainer/kinds/kinds.h"
#include "trainer/report/plots.h"
#include "trainer/report/report_parts.h"

enum { TEXT_BYTES = 256 };

static void page_add_number(struct buffer *out, double number)
{
    if (isfinite(number))
        page_element(out, "td", "%.4f", number);
    else
        page_element(out, "td class=\"soft\"", "-");
}

static void page_add_metrics(struct buffer *out, const struct assessment *assessment, const struct schema *schema)
{
    char always[TEXT_BYTES];
    const struct span negative = schema->target_values[0];
    snprintf(always, sizeof always, "always %.*s", (int)negative.bytes, negative.data);
    const char *const columns[] = {"metric", "model", "low", "high", always, "what it is"};
    page_table_begin(out, columns, 6, 1);
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        buffer_add_text(out, "<tr>");
        page_element(out, "td", "%s", metric_names[m]);
        page_add_number(out, metric_value(&assessment->metrics, m));
        page_add_number(out, assessment->intervals[m].low);
        page_add_number(out, assessment->intervals[m].high);
        page_add_number(out, metric_value(&assessment->baseline, m));
        page_element(out, "td class=\"text\"", "%s", metric_helps[m]);
        buffer_add_text(out, "</tr>\n");
    }
    page_table_end(out);
}

#define FIGURE_NAME(name, brief, member) name,
#define FIGURE_VALUE(name, brief, member) page_add_number(out, group->member);

static void page_add_groups(struct buffer *out, const struct assessment *assessment, const struct schema *schema)
{
    static const char *const columns[] = {"group", "predictions", "positive", GROUP_FIGURES(FIGURE_NAME)};
    page_element(out, "h2", "Groups");
    page_element(out, "p class=\"soft\"", "Impact ratio: share called positive, by the largest share in the column.");
    page_table_begin(out, columns, sizeof columns / sizeof *columns, 0);
    for (size_t g = 0; g < assessment->group_count; g++) {
        const struct group *group = &assessment->groups[g];
        buffer_add_text(out, "<tr>");
        page_element(out, "td", "%s: %s", schema->columns[group->column].label, group->name);
        page_element(out, "td", "%zu", group->count);
        page_element(out, "td", "%zu", group->positives);
        GROUP_FIGURES(FIGURE_VALUE)
        buffer_add_text(out, "</tr>\n");
    }
    page_table_end(out);
}

static void page_add_flips(struct buffer *out, const struct evaluation *evaluation)
{
    static const char *const columns[] = {"group", "rows", "up", "down"};
    const struct flips *flips = &evaluation->flips;
    char text[2 * TEXT_BYTES];
    report_describe_flips(evaluation, text, sizeof text);
    page_element(out, "h2", "Flip test");
    page_element(out, "p class=\"soft\"", "%s", text);
    page_table_begin(out, columns, sizeof columns / sizeof *columns, 0);
    for (size_t i = 0; i < flips->count; i++) {
        const struct flip *flip = &flips->items[i];
        if (flip->to)
            continue;
        buffer_add_text(out, "<tr>");
        page_element(out, "td", "%s: %s", evaluation->schema->columns[flip->column].label,
                     flip->from ? flip->from : "all");
        page_element(out, "td", "%zu", flip->count);
        page_element(out, "td", "%zu", flip->up);
        page_element(out, "td", "%zu", flip->down);
        buffer_add_text(out, "</tr>\n");
    }
    page_table_end(out);
}

static void page_add_trial(struct buffer *out, const struct search *search, const struct trial *trial)
{
    char text[TEXT_BYTES];
    search_describe(search, trial, text, sizeof text);
    buffer_add_text(out, "<tr>");
    page_element(out, "td", "%zu", trial->number);
    page_element(out, "td", "%zu", trial->round + 1);
    page_element(out, "td", "%zu", trial->rows);
    page_add_number(out, trial->metrics.log_loss);
    page_add_number(out, trial->log_loss.low);
    page_add_number(out, trial->log_loss.high);
    page_add_number(out, isnan(trial->metrics.log_loss) ? NAN : trial->metrics.roc_auc);
    page_element(out, "td class=\"text\"", "%s", text);
    buffer_add_text(out, "</tr>\n");
}

static void page_add_search(struct buffer *out, const struct search *search)
{
    static const char *const columns[] = {"trial", "last round", "rows", "log_loss", "low", "high", "roc_auc", "drawn"};
    char text[2 * TEXT_BYTES];
    report_describe_search(search, text, sizeof text);
    page_element(out, "h2", "Search");
    page_element(out, "p", "%s", text);
    page_table_begin(out, columns, 8, 1);
    for (size_t t = 0; t < search->trial_count; t++)
        page_add_trial(out, search, &search->trials[t]);
    page_table_end(out);
}

static void add_about(struct buffer *out, const struct training *training)
{
    const struct table *table = training->table;
    const char *slash = strrchr(training->data_path, '/');
    char rule[THRESHOLD_TEXT_BYTES];
    threshold_describe(&training->settings->threshold, rule);
    page_element(out, "h2", "Use, data, threshold");
    page_element(out, "p", "%s", report_use);
    page_element(out, "p", "%s", report_limits);
    page_element(out, "p", "Data: %s, %zu rows, %zu positive, %zu left out; SHA-256 %s; schema %s.",
                 slash ? slash + 1 : training->data_path, table->row_count, table->positive_count, table->left_out,
                 table->sha256, table->schema->digest);
    page_element(out, "p", "Threshold %.15g, chosen by %s. Seed %llu.", training->evaluation->threshold, rule,
                 (unsigned long long)training->settings->seed);
    page_element(out, "p", "%s", report_reasons(training));
}

void report_write_page(const struct training *training, struct buffer *out)
{
    const struct evaluation *evaluation = training->evaluation;
    const struct assessment *assessment = evaluation_main(evaluation);
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "Evaluation: %s", training->settings->kind->name);
    page_begin(out, text);
    report_describe_assessment(evaluation, text, sizeof text);
    page_element(out, "p", "%s.", text);
    if (assessment->count)
        page_add_metrics(out, assessment, evaluation->schema);
    if (evaluation->repeat_count && evaluation->held_out.count) {
        page_element(out, "h2", "%zu rows held out of all fitting and choosing", evaluation->held_out.count);
        page_add_metrics(out, &evaluation->held_out, evaluation->schema);
    }
    page_element(out, "p class=\"soft\"",
                 "The pictures show all assessed predictions together; the measures written in them are those of the "
                 "first table.");
    buffer_add_text(out, "<div class=\"plots\">\n");
    for (const struct plot_kind *kind = plot_kinds; kind->path; kind++)
        if (plot_is_known(kind, evaluation))
            kind->draw(kind, evaluation, false, out);
    buffer_add_text(out, "</div>\n");
    if (assessment->group_count)
        page_add_groups(out, assessment, evaluation->schema);
    if (evaluation->flips.count)
        page_add_flips(out, evaluation);
    if (training->search)
        page_add_search(out, training->search);
    add_about(out, training);
    page_end(out);
}
