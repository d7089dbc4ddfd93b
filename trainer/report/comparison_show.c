/* Two tables compared, for people and programs: see comparison.h. Pure but for what prints. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_writer.h"
#include "base/page.h"
#include "trainer/report/comparison.h"

enum { NAMES_SHOWN = 3, CATEGORY_BYTES = 64, TEXT_BYTES = 200 };
static const double missing_points = 0.1;

/* ": A, B, C and 2 more" */
static void name_categories(const struct category_difference *difference, struct buffer *out)
{
    size_t shown = difference->count < NAMES_SHOWN ? difference->count : NAMES_SHOWN;
    for (size_t c = 0; c < shown; c++) {
        struct span category = difference->first[c];
        char *text = mem_text_n(category.data, category.bytes < CATEGORY_BYTES ? category.bytes : CATEGORY_BYTES);
        text_flatten(text);
        buffer_printf(out, "%s%s", c ? ", " : ": ", text);
        free(text);
    }
    if (difference->count > shown)
        buffer_printf(out, " and %zu more", difference->count - shown);
    buffer_add_text(out, "\n");
}

static void alert_categories(const struct column_comparison *column, const struct category_difference *difference,
                             const char *what, const char *path, struct buffer *out)
{
    if (difference->count == 0)
        return;
    buffer_printf(out, "%s: %zu categor%s %s %s", column->now->name, difference->count,
                  difference->count == 1 ? "y" : "ies", what, path);
    name_categories(difference, out);
}

static void alert_column(const struct column_comparison *column, const struct comparison *comparison,
                         struct buffer *out)
{
    const char *name = column->now->name, *path = comparison->before->path;
    if (column->now->present && !column->before->present)
        buffer_printf(out, "%s: not in %s\n", name, path);
    if (column->shifted)
        buffer_printf(out, "%s: distributed otherwise than in %s: PSI %.2f (by chance up to %.2f)\n", name, path,
                      column->psi, column->psi_by_chance);
    if (fabs(column->missing - column->missing_before) >= missing_points)
        buffer_printf(out, "%s: no value in %.1f %% of the rows, in %s in %.1f %%\n", name, 100 * column->missing, path,
                      100 * column->missing_before);
    alert_categories(column, &column->added, "not in", path, out);
    alert_categories(column, &column->vanished, "only in", path, out);
}

void comparison_alerts(const struct comparison *comparison, struct buffer *out)
{
    struct span positive = comparison->now->schema->target_values[1];
    if (comparison->label_shifted)
        buffer_printf(out, "%.*s: %.1f %% of the labels, in %s %.1f %%\n", (int)positive.bytes, positive.data,
                      100 * comparison->label_share, comparison->before->path, 100 * comparison->label_share_before);
    for (size_t c = 0; c < comparison->now->schema->column_count; c++)
        alert_column(&comparison->columns[c], comparison, out);
}

/* Means of numbers, or how many categories came and went. */
static void describe_difference(const struct column_comparison *column, char *out, size_t bytes)
{
    if (column->now->column->kind != COLUMN_NOMINAL)
        snprintf(out, bytes, "%.5g (%.5g)", column->now->mean, column->before->mean);
    else
        snprintf(out, bytes, "%zu new, %zu gone", column->added.count, column->vanished.count);
}

static void format_ks(const struct column_comparison *column, char *out, size_t bytes)
{
    snprintf(out, bytes, isnan(column->ks) ? "-" : "%.3f", column->ks);
}

/* --- the terminal --- */

static void print_column(const struct column_comparison *column)
{
    char difference[TEXT_BYTES], ks[16];
    describe_difference(column, difference, sizeof difference);
    format_ks(column, ks, sizeof ks);
    printf("%-25.25s ", column->now->name);
    if (isnan(column->psi))
        puts("not in both");
    else
        printf("%8.3f %8.3f %6s %6.1f %% (%5.1f %%) %s\n", column->psi, column->psi_by_chance, ks,
               100 * column->missing, 100 * column->missing_before, difference);
}

void comparison_print(const struct comparison *comparison)
{
    printf("against %s: %zu rows", comparison->before->path, comparison->before->rows);
    if (!isnan(comparison->label_share + comparison->label_share_before))
        printf(", positive labels %.1f %% (%.1f %%)", 100 * comparison->label_share,
               100 * comparison->label_share_before);
    printf("\n%-25s %8s %8s %6s %-18s %s\n", "feature", "PSI", "chance", "KS", "without a value",
           "mean, or categories");
    for (size_t c = 0; c < comparison->now->schema->column_count; c++)
        print_column(&comparison->columns[c]);
    puts("PSI: below 0.1 no shift, to 0.25 some, above a large one; chance: what it exceeds in one of 10,000\n"
         "cases where nothing differs. In brackets: the other table's.\n");
}

/* --- the page --- */

static void add_names(const struct column_comparison *column, struct buffer *out)
{
    struct buffer names = {0};
    buffer_printf(&names, "%zu new", column->added.count);
    name_categories(&column->added, &names);
    buffer_printf(&names, "%zu gone", column->vanished.count);
    name_categories(&column->vanished, &names);
    page_element(out, "td class=\"text\"", "%.*s", (int)names.bytes, names.data);
    buffer_free(&names);
}

static void add_column(const struct column_comparison *column, struct buffer *out)
{
    char ks[16], difference[TEXT_BYTES];
    format_ks(column, ks, sizeof ks);
    describe_difference(column, difference, sizeof difference);
    buffer_add_text(out, "<tr>");
    page_element(out, "td", "%s", column->now->name);
    page_element(out, column->shifted ? "td class=\"alarm\"" : "td", "%.3f", column->psi);
    page_element(out, "td", "%.3f", column->psi_by_chance);
    page_element(out, "td", "%s", ks);
    page_element(out, "td", "%.1f %% (%.1f %%)", 100 * column->missing, 100 * column->missing_before);
    if (column->now->column->kind == COLUMN_NOMINAL)
        add_names(column, out);
    else
        page_element(out, "td class=\"text\"", "%s", difference);
    buffer_add_text(out, "</tr>\n");
}

void comparison_page(const struct comparison *comparison, struct buffer *out)
{
    static const char *const columns[] = {
        "feature", "PSI", "by chance", "KS", "without a value", "mean, or categories"};
    page_element(out, "h2", "Against another table");
    page_element(out, "p",
                 "%s: %zu rows. PSI: population stability index over that table's categories, or bins between its "
                 "deciles; below 0.1 no shift, to 0.25 some, above a large one. By chance: what it exceeds in 1 of "
                 "10,000 cases where nothing differs. KS: the largest difference of the shares up to a number. In "
                 "brackets: that table's.",
                 comparison->before->path, comparison->before->rows);
    if (!isnan(comparison->label_share + comparison->label_share_before))
        page_element(out, comparison->label_shifted ? "p class=\"alarm\"" : "p", "Positive labels: %.1f %% (%.1f %%).",
                     100 * comparison->label_share, 100 * comparison->label_share_before);
    page_table_begin(out, columns, 6, 1);
    for (size_t c = 0; c < comparison->now->schema->column_count; c++)
        if (!isnan(comparison->columns[c].psi))
            add_column(&comparison->columns[c], out);
    page_table_end(out);
}

/* --- for programs --- */

static void write_categories(struct json_writer *json, const char *count, const char *names,
                             const struct category_difference *difference)
{
    json_write_uint(json, count, difference->count);
    json_begin_array(json, names);
    for (size_t c = 0; c < difference->count && c < CATEGORIES_SHOWN; c++)
        json_write_text(json, NULL, difference->first[c]);
    json_end_array(json);
}

static void write_column(struct json_writer *json, const struct column_comparison *column)
{
    json_begin_object(json, NULL);
    json_write_string(json, "name", column->now->name);
    json_write_finite(json, "psi", column->psi);
    json_write_finite(json, "psi_by_chance", column->psi_by_chance);
    json_write_bool(json, "shifted", column->shifted);
    json_write_finite(json, "missing_share", column->missing);
    json_write_finite(json, "missing_share_before", column->missing_before);
    if (column->now->column->kind == COLUMN_NOMINAL) {
        write_categories(json, "new_category_count", "new_categories", &column->added);
        write_categories(json, "vanished_category_count", "vanished_categories", &column->vanished);
    } else {
        json_write_finite(json, "ks", column->ks);
        json_write_finite(json, "mean", column->now->mean);
        json_write_finite(json, "mean_before", column->before->mean);
    }
    json_end_object(json);
}

void comparison_json(const struct comparison *comparison, struct json_writer *json)
{
    json_begin_object(json, "against");
    json_write_uint(json, "rows", comparison->before->rows);
    json_write_finite(json, "label_share", comparison->label_share);
    json_write_finite(json, "label_share_before", comparison->label_share_before);
    json_write_bool(json, "label_shifted", comparison->label_shifted);
    json_begin_array(json, "columns");
    for (size_t c = 0; c < comparison->now->schema->column_count; c++)
        write_column(json, &comparison->columns[c]);
    json_end_array(json);
    json_end_object(json);
}
