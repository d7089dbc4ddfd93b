/* The description as a page: see describe.h. Pure. */
#include <stdio.h>

#include "base/page.h"
#include "trainer/report/comparison.h"
#include "trainer/report/describe_facts.h"

enum { TEXT_BYTES = 200, ROW_PIXELS = 18, NAME_PIXELS = 168, BAR_PIXELS = 100, UPRIGHT_PIXELS = 110 };

/* The class's part of a bar, the positive ones in front. */
static void draw_row(struct buffer *out, const struct bar *bar, size_t highest, double y)
{
    double pixels = BAR_PIXELS / (double)(highest ? highest : 1);
    double positive = (double)bar->counts[VALUE_POSITIVE] * pixels, all = (double)bar_count(bar) * pixels;
    svg_text(out, "ink", "end", NAME_PIXELS - 6, y + 13, "%.25s%s", bar->label, strlen(bar->label) > 25 ? "…" : "");
    svg_bar(out, "second", NAME_PIXELS, y + 3, positive, ROW_PIXELS - 5);
    svg_bar(out, "first", NAME_PIXELS + positive, y + 3, all - positive, ROW_PIXELS - 5);
    svg_text(out, "soft", "start", NAME_PIXELS + all + 5, y + 13, "%zu", bar_count(bar));
}

static void describe_draw_rows(struct buffer *out, const struct column_facts *facts, const char *title)
{
    const struct histogram *histogram = &facts->histogram;
    svg_begin(out, 320, ROW_PIXELS * (double)histogram->count + 4, title, false);
    for (size_t b = 0; b < histogram->count; b++)
        draw_row(out, &histogram->bars[b], histogram_highest(histogram), ROW_PIXELS * (double)b);
    svg_end(out);
}

static void draw_upright(struct buffer *out, const struct column_facts *facts, const char *title)
{
    const struct histogram *histogram = &facts->histogram;
    const struct bar *last = &histogram->bars[histogram->count - 1];
    double step = 280 / (double)histogram->count, highest = (double)histogram_highest(histogram);
    svg_begin(out, 320, UPRIGHT_PIXELS + 36, title, false);
    svg_text(out, "soft", "start", 10, 11, "%.0f", highest);
    for (size_t b = 0; b < histogram->count; b++) {
        const struct bar *bar = &histogram->bars[b];
        double x = 10 + step * (double)b, base = UPRIGHT_PIXELS + 16;
        double all = UPRIGHT_PIXELS * (double)bar_count(bar) / highest;
        double positive = UPRIGHT_PIXELS * (double)bar->counts[VALUE_POSITIVE] / highest;
        svg_bar(out, "second", x + 1, base - positive, step - 2, positive);
        svg_bar(out, "first", x + 1, base - all, step - 2, all - positive);
    }
    svg_line(out, "axis", 10, UPRIGHT_PIXELS + 16, 290, UPRIGHT_PIXELS + 16);
    svg_text(out, "soft", "start", 10, UPRIGHT_PIXELS + 31, "%s", histogram->bars[0].label);
    svg_text(out, "soft", "end", 290, UPRIGHT_PIXELS + 31, "%.6g", last->high);
    svg_end(out);
}

static void add_plot(struct buffer *out, const struct column_facts *facts)
{
    char title[TEXT_BYTES];
    const struct histogram *histogram = &facts->histogram;
    if (histogram->count == 0 || histogram_highest(histogram) == 0)
        return;
    snprintf(title, sizeof title, "Distribution of %.150s", facts->name);
    if (facts->column->kind != COLUMN_NOMINAL && histogram->bars[0].low < histogram->bars[0].high)
        draw_upright(out, facts, title);
    else
        describe_draw_rows(out, facts, title);
}

static void add_offences(struct buffer *out, const struct column_facts *facts)
{
    char lines[TEXT_BYTES];
    for (int code = 1; code < EVENT_CODE_COUNT; code++) {
        const struct offence *offence = &facts->offences[code];
        if (offence->count == 0)
            continue;
        describe_lines(offence, lines, sizeof lines);
        page_element(out, "p class=\"alarm\"", "%zu × %s: %s", offence->count, event_code_name((enum event_code)code),
                     lines);
    }
}

static void add_numbers(struct buffer *out, const struct column_facts *facts)
{
    char domain[TEXT_BYTES];
    describe_domain(facts, domain, sizeof domain);
    page_element(out, "p", "%zu distinct, %zu missing; %s", facts->values.count, facts->missing, domain);
    if (!isnan(facts->mean))
        page_element(out, "p", "mean %.4g, standard deviation %.4g; 5, 25, 50, 75, 95 %%: %.4g, %.4g, %.4g, %.4g, %.4g",
                     facts->mean, facts->sd, facts->quantiles[0], facts->quantiles[1], facts->quantiles[2],
                     facts->quantiles[3], facts->quantiles[4]);
    if (facts->outliers)
        page_element(out, "p", "%zu outside the quartiles by more than 1.5 of their distance", facts->outliers);
    if (facts->undrawn)
        page_element(out, "p class=\"alarm\"", "%zu by more than 6: not drawn", facts->undrawn);
    if (facts->association_kind == ASSOCIATION_AUC)
        page_element(out, "p", "with the label: AUC %.3f (0.5: none)", facts->association);
    if (facts->association_kind == ASSOCIATION_CRAMER)
        page_element(out, "p", "with the label: Cramér's V %.3f (0: none)", facts->association);
}

static void add_feature(struct buffer *out, const struct column_facts *facts)
{
    const struct column *column = facts->column;
    buffer_add_text(out, "<section class=\"card\">");
    page_element(out, "h3", "%s", facts->name);
    page_element(out, "p class=\"soft\"", "%s, %s. %s", kind_names[column->kind], type_names[column->type],
                 column->doc ? column->doc : "");
    if (!facts->present)
        page_element(out, "p class=\"alarm\"", "Not in the file.");
    else
        add_numbers(out, facts);
    if (facts->present && facts->values.count == 0)
        page_element(out, "p class=\"alarm\"", "No value in any row.");
    if (facts->constant)
        page_element(out, "p class=\"alarm\"", "Constant: of no use to a model.");
    add_plot(out, facts);
    add_offences(out, facts);
    page_element(out, "p class=\"soft\"", "In models: %s.", describe_encoding_of(column->kind));
    buffer_add_text(out, "</section>\n");
}

static void add_others(struct buffer *out, const struct description *description)
{
    static const char *const columns[] = {"column", "distinct", "missing", "role", "remark"};
    page_element(out, "h2", "Columns that are no features");
    page_table_begin(out, columns, 5, 2);
    for (size_t c = description->schema->column_count; c < description->column_count; c++) {
        const struct column_facts *facts = &description->columns[c];
        buffer_add_text(out, "<tr>");
        page_element(out, "td", "%s", facts->name);
        page_element(out, "td", "%zu", facts->values.count);
        page_element(out, "td", "%zu", facts->missing);
        page_element(out, "td class=\"text\"", "%s", role_names[facts->role]);
        page_element(out, "td class=\"text\"", "%s",
                     facts->constant     ? "constant"
                     : facts->identifier ? "another value in each row"
                                         : "");
        buffer_add_text(out, "</tr>\n");
    }
    page_table_end(out);
}

static void add_offence(struct buffer *out, const struct offence *offence, const char *what)
{
    char lines[TEXT_BYTES];
    if (offence->count == 0)
        return;
    describe_lines(offence, lines, sizeof lines);
    page_element(out, "p class=\"alarm\"", "%zu × %s: %s", offence->count, what, lines);
}

static void add_violations(struct buffer *out, const struct description *description)
{
    const struct schema *schema = description->schema;
    page_element(out, "h2", "Violations of the schema");
    page_element(out, "p", description->faulty_rows ? "%zu rows or lines that training would refuse." : "None.",
                 description->faulty_rows);
    add_offence(out, &description->broken, "not CSV");
    add_offence(out, &description->ragged, "another number of fields than the header");
    for (size_t c = 0; c < description->column_count; c++)
        for (int code = 1; code < EVENT_CODE_COUNT; code++) {
            char what[TEXT_BYTES];
            snprintf(what, sizeof what, "%.100s: %s", description->columns[c].name,
                     event_code_name((enum event_code)code));
            add_offence(out, &description->columns[c].offences[code], what);
        }
    for (size_t r = 0; r < schema->rule_count; r++) {
        char what[TEXT_BYTES];
        snprintf(what, sizeof what, "rule: %.80s at most %.80s", schema->columns[schema->rules[r].left].name,
                 schema->columns[schema->rules[r].right].name);
        add_offence(out, &description->rules[r], what);
    }
}

static void add_alerts(struct buffer *out, const struct description *description)
{
    struct buffer lines = {0};
    describe_alerts(description, &lines);
    page_element(out, "h2", "Alerts");
    if (lines.bytes == 0)
        page_element(out, "p", "None.");
    for (size_t from = 0; from < lines.bytes;) {
        const char *line = lines.data + from, *end = memchr(line, '\n', lines.bytes - from);
        page_element(out, "p class=\"alarm\"", "%.*s", (int)(end - line), line);
        from += (size_t)(end - line) + 1;
    }
    buffer_free(&lines);
}

static void add_label(struct buffer *out, const struct description *description)
{
    const struct schema *schema = description->schema;
    const size_t *labels = description->labels;
    if (!description->labelled) {
        page_element(out, "p", "The table is unlabelled, so no association is given.");
        return;
    }
    page_element(out, "p", "Label %s: %zu %.*s (%.1f %%), %zu %.*s, %zu without a label.", schema->target_name,
                 labels[VALUE_POSITIVE], (int)schema->target_values[1].bytes, schema->target_values[1].data,
                 100.0 * (double)labels[VALUE_POSITIVE] / (double)description->rows, labels[VALUE_NEGATIVE],
                 (int)schema->target_values[0].bytes, schema->target_values[0].data, labels[VALUE_UNLABELLED]);
    page_element(out, "p class=\"soft\"", "Orange: rows labelled %.*s; blue: the others.",
                 (int)schema->target_values[1].bytes, schema->target_values[1].data);
}

void describe_page(const struct description *description, struct buffer *out)
{
    const struct schema *schema = description->schema;
    page_begin(out, "The table and its schema");
    page_element(out, "p", "%s: %zu rows, %zu features of the schema.", description->path, description->rows,
                 schema->column_count);
    add_label(out, description);
    add_alerts(out, description);
    if (description->against)
        comparison_page(description->against, out);
    add_violations(out, description);
    describe_page_missing(description, out);
    describe_page_pairs(description, out);
    describe_page_sample(description, out);
    if (description->column_count > schema->column_count)
        add_others(out, description);
    page_element(out, "h2", "Features");
    buffer_add_text(out, "<div class=\"cards\">\n");
    for (size_t c = 0; c < schema->column_count; c++)
        add_feature(out, &description->columns[c]);
    buffer_add_text(out, "</div>\n");
    page_end(out);
}
