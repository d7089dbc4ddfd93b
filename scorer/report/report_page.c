/* Parts → page: see report_page.h. Called by report.c on the main thread; blocks as long as the database does. All that
 * comes from it is text to be escaped: names of models, groups and columns are anybody's. */
#include "scorer/report/report_page.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/page.h"
#include "scorer/report/report_parts.h"

enum { ROWS_MOST = 20 };

/* "2026-11-28 04:30" */
static void write_time(int64_t us, char out[32])
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    (void)strftime(out, 32, "%Y-%m-%d %H:%M", &parts);
}

/* --- parts --- */

static void add_cards(const struct report_rows *rows, struct buffer *out)
{
    buffer_add_text(out, "<div class=\"cards\">\n");
    for (size_t r = 0; r < report_rows_count(rows); r++) {
        buffer_add_text(out, "<section class=\"card\">");
        page_element(out, "h3", "%s", report_text(rows, r, 0));
        page_element(out, "p class=\"figure\"", "%s", report_text(rows, r, 1));
        page_element(out, "p class=\"soft\"", "%s", report_text(rows, r, 2));
        buffer_add_text(out, "</section>\n");
    }
    buffer_add_text(out, "</div>\n");
}

static bool is_flagged(const struct report_rows *rows, size_t row)
{
    return report_text(rows, row, 0)[0] == 't';
}

static void add_finding(const struct report_part *part, const struct report_rows *rows, struct buffer *out)
{
    size_t flagged = 0, count = report_rows_count(rows);
    for (size_t r = 0; r < count; r++)
        flagged += is_flagged(rows, r);
    if (flagged)
        page_element(out, "p class=\"alarm\"", "%zu of %zu %s.", flagged, count, part->flagged);
    else
        page_element(out, "p", "%s", part->unflagged);
}

static const char *text_or_dash(const struct report_rows *rows, size_t row, size_t column)
{
    const char *text = report_text(rows, row, column);
    return *text ? text : "–";
}

static void add_row(const struct report_rows *rows, size_t row, size_t first, struct buffer *out)
{
    buffer_add_text(out, "<tr>");
    for (size_t c = first; c < report_columns(rows); c++)
        page_element(out,
                     c > first                        ? "td class=\"one-line\""
                     : first && is_flagged(rows, row) ? "td class=\"alarm\""
                                                      : "td",
                     "%s", text_or_dash(rows, row, c));
    buffer_add_text(out, "</tr>\n");
}

static void add_table(const struct report_part *part, const struct report_rows *rows, struct buffer *out)
{
    enum { COLUMNS_MOST = 16 };
    const char *names[COLUMNS_MOST];
    size_t first = part->flagged ? 1 : 0, columns = 0, count = report_rows_count(rows);
    page_element(out, "h3", "%s", part->title);
    if (!count) {
        page_element(out, "p class=\"soft\"", "%s", part->note);
        return;
    }
    if (part->flagged)
        add_finding(part, rows, out);
    for (size_t c = first; c < report_columns(rows) && columns < COLUMNS_MOST; c++)
        names[columns++] = report_column_name(rows, c);
    page_table_begin(out, names, columns, 0);
    for (size_t r = 0; r < count && r < ROWS_MOST; r++)
        add_row(rows, r, first, out);
    page_table_end(out);
    if (count > ROWS_MOST)
        page_element(out, "p class=\"soft\"", "The first %d of %zu.", ROWS_MOST, count);
}

static void add_picture(const struct report_part *part, const struct report_month *month,
                        const struct report_rows *rows, struct buffer *out)
{
    struct report_plot plot = part->plot;
    plot.title = part->title;
    if (!report_rows_count(rows))
        return;
    if (part->kind == REPORT_DAYS)
        report_plot_days(&plot, month, rows, out);
    else if (part->kind == REPORT_PAIRS)
        report_plot_pairs(&plot, rows, out);
    else
        report_plot_ratios(&plot, rows, out);
}

static bool is_picture(const struct report_part *part)
{
    return part->kind >= REPORT_DAYS && part->title;
}

static enum status add_part(const struct report_part *part, struct report_database *database,
                            const struct report_month *month, struct buffer *out, struct error *err)
{
    struct report_rows *rows;
    if (part->kind == REPORT_HEADING || part->kind == REPORT_CARDS)
        page_element(out, "h2", "%s", part->title);
    if (part->kind == REPORT_HEADING) {
        page_element(out, "p class=\"soft\"", "%s", part->note);
        return STATUS_OK;
    }
    if (report_query(database, part->source, part->sql, &rows, err) != STATUS_OK)
        return error_prefix(err, "%s", part->title);
    if (part->kind == REPORT_CARDS)
        add_cards(rows, out);
    else if (part->kind == REPORT_TABLE)
        add_table(part, rows, out);
    else
        add_picture(part, month, rows, out);
    report_rows_free(rows);
    return STATUS_OK;
}

/* --- the page --- */

static enum status find_empty(struct report_database *database, bool *empty, struct error *err)
{
    struct report_rows *rows;
    if (report_query(database, NULL, report_counts_sql, &rows, err) != STATUS_OK)
        return err->status;
    *empty = true;
    for (size_t c = 0; c < report_columns(rows); c++)
        *empty &= report_number(rows, 0, c) == 0;
    report_rows_free(rows);
    return STATUS_OK;
}

static void begin(const struct report_month *month, int64_t now_us, struct buffer *out)
{
    char title[64], made[32];
    snprintf(title, sizeof title, "Report of %s", month->text);
    write_time(now_us, made);
    page_begin(out, title);
    page_element(out, "p class=\"soft\"",
                 "%s to %s (UTC). Made at %s with version %s, from what the database held then.", month->begin,
                 month->end, made, VERSION);
    if (now_us < month->end_us)
        page_element(out, "p class=\"alarm\"", "The month is not over: these are its figures so far.");
}

enum status report_write(struct report_database *database, const struct report_month *month, int64_t now_us,
                         struct buffer *out, struct error *err)
{
    bool empty = false;
    if (find_empty(database, &empty, err) != STATUS_OK)
        return err->status;
    begin(month, now_us, out);
    if (empty)
        page_element(out, "p",
                     "Nothing of %s is in this database: no prediction, no dead letter, no exit and no request to "
                     "erase. Nothing was scored and stored then, or retention has removed it since.",
                     month->text);
    for (const struct report_part *part = report_parts; part->title && !empty; part++) {
        bool begins = is_picture(part) && !is_picture(part - 1), ends = is_picture(part) && !is_picture(part + 1);
        buffer_add_text(out, begins ? "<div class=\"plots\">" : "");
        if (add_part(part, database, month, out, err) != STATUS_OK)
            return err->status;
        buffer_add_text(out, ends ? "</div>\n" : "");
    }
    page_end(out);
    return STATUS_OK;
}
