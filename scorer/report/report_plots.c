/* Rows → SVG: see report_plots.h. Pure. */
#include "scorer/report/report_plots.h"

#include <math.h>
#include <stdio.h>

#include "base/svg.h"

enum { WIDTH = 520, HEIGHT = 300, NAME_PIXELS = 190, ROW_PIXELS = 34, TOP_PIXELS = 66 };

/* The least of 1, 2, 2.5 or 5 times a power of ten that is not below. */
static double round_up(double value)
{
    static const double steps[] = {1, 2, 2.5, 5, 10};
    if (!(value > 0))
        return 1;
    double power = pow(10, floor(log10(value)));
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
        if (steps[s] * power >= value)
            return steps[s] * power;
    return 10 * power;
}

static double highest(const struct report_rows *rows, size_t column, double least)
{
    for (size_t r = 0; r < report_rows_count(rows); r++)
        if (report_number(rows, r, column) > least)
            least = report_number(rows, r, column);
    return least;
}

static void begin(const struct report_plot *plot, double height, struct buffer *out)
{
    svg_begin(out, WIDTH, height, plot->title, false);
    svg_text(out, "title", "start", 16, 24, "%s", plot->title);
}

/* --- days --- */

static void draw_bars(const struct plot *plot, const char *class, const struct report_rows *rows, size_t column)
{
    double base = plot_y(plot, 0), width = plot->width / (plot->high_x - plot->low_x) - 3;
    for (size_t r = 0; r < report_rows_count(rows); r++) {
        double value = report_number(rows, r, column), x = plot_x(plot, report_number(rows, r, 0));
        if (value > 0)
            svg_bar(plot->out, class, x - width / 2, plot_y(plot, value), width, base - plot_y(plot, value));
    }
}

/* A day alone between gaps is a dot. */
static void draw_line(const struct plot *plot, const char *class, const struct report_rows *rows, size_t column)
{
    size_t count = report_rows_count(rows);
    for (size_t r = 0; r < count;) {
        size_t end = r;
        while (end < count && isfinite(report_number(rows, end, column)) &&
               (end == r || report_number(rows, end, 0) == report_number(rows, end - 1, 0) + 1))
            end++;
        if (end == r + 1)
            svg_dot(plot->out, class, plot_x(plot, report_number(rows, r, 0)),
                    plot_y(plot, report_number(rows, r, column)));
        if (end > r + 1) {
            plot_path_begin(plot, class);
            for (size_t p = r; p < end; p++)
                plot_path_point(plot, report_number(rows, p, 0), report_number(rows, p, column));
            plot_path_end(plot);
        }
        r = end > r ? end : r + 1;
    }
}

/* Six days as ticks: of plot_axes they would be fractions in a month of 30 days. */
static void draw_axes(const struct plot *plot, const struct report_month *month, const char *name_y)
{
    enum { STEPS = 5 };
    double right = plot->left + plot->width, bottom = plot->top + plot->height;
    for (int t = 0; t <= STEPS; t++) {
        double y = plot->high_y * t / STEPS;
        svg_line(plot->out, "grid", plot->left, plot_y(plot, y), right, plot_y(plot, y));
        svg_text(plot->out, "soft", "end", plot->left - 8, plot_y(plot, y) + 4, "%.6g", y);
    }
    for (int day = 1; day <= month->days; day += 7)
        svg_text(plot->out, "soft", "middle", plot_x(plot, day), bottom + 18, "%d", day);
    svg_line(plot->out, "axis", plot->left, bottom, right, bottom);
    svg_text(plot->out, "soft", "middle", plot->left + plot->width / 2, bottom + 36, "day of %s", month->text);
    svg_text(plot->out, "soft", "end", right, plot->top - 12, "%s", name_y);
}

void report_plot_days(const struct report_plot *picture, const struct report_month *month,
                      const struct report_rows *rows, struct buffer *out)
{
    double high = highest(rows, 1, picture->limit);
    if (picture->second && !picture->bars)
        high = highest(rows, 2, high);
    const struct plot plot = {out, 62, TOP_PIXELS, 438, 180, 0.5, month->days + 0.5, 0, round_up(high)};
    begin(picture, HEIGHT, out);
    draw_axes(&plot, month, picture->name_y);
    for (size_t column = 1; column <= (picture->second ? 2 : 1); column++) {
        const char *class = column == 1 ? "first" : "second";
        if (picture->bars)
            draw_bars(&plot, class, rows, column);
        else
            draw_line(&plot, class, rows, column);
        plot_legend(&plot, (unsigned)column - 1, class, column == 1 ? picture->first : picture->second);
    }
    if (picture->limit > 0)
        svg_line(out, "mark", plot.left, plot_y(&plot, picture->limit), plot.left + plot.width,
                 plot_y(&plot, picture->limit));
    svg_end(out);
}

/* --- names --- */

static void draw_name(struct buffer *out, const struct report_rows *rows, size_t row, double y)
{
    const char *name = report_text(rows, row, 0);
    char shown[128];
    size_t bytes = 0, characters = 0;
    for (; name[bytes] && characters < 26 && bytes < sizeof shown - 4; characters++)
        do
            bytes++;
        while (bytes < sizeof shown - 4 && ((unsigned char)name[bytes] & 0xc0) == 0x80);
    snprintf(shown, sizeof shown, "%.*s%s", (int)bytes, name, name[bytes] ? "…" : "");
    svg_text(out, "ink", "end", NAME_PIXELS - 8, y, "%s", shown);
}

void report_plot_pairs(const struct report_plot *picture, const struct report_rows *rows, struct buffer *out)
{
    size_t count = report_rows_count(rows);
    double high = highest(rows, 1, highest(rows, 2, 0)), pixels = (WIDTH - NAME_PIXELS - 60) / round_up(high);
    const struct plot legend = {out, NAME_PIXELS, TOP_PIXELS, WIDTH - NAME_PIXELS - 20, 0, 0, 1, 0, 1};
    begin(picture, TOP_PIXELS + ROW_PIXELS * (double)count + 10, out);
    plot_legend(&legend, 0, "first", picture->first);
    plot_legend(&legend, 1, "second", picture->second);
    for (size_t r = 0; r < count; r++) {
        double y = TOP_PIXELS + ROW_PIXELS * (double)r;
        draw_name(out, rows, r, y + 18);
        for (size_t column = 1; column <= 2; column++) {
            double value = report_number(rows, r, column), top = y + 2 + 13 * (double)(column - 1);
            if (!isfinite(value))
                continue;
            svg_bar(out, column == 1 ? "first" : "second", NAME_PIXELS, top, value * pixels, 11);
            svg_text(out, "soft", "start", NAME_PIXELS + value * pixels + 5, top + 10, "%.3g", value);
        }
    }
    svg_end(out);
}

void report_plot_ratios(const struct report_plot *picture, const struct report_rows *rows, struct buffer *out)
{
    size_t count = report_rows_count(rows);
    double bottom = TOP_PIXELS + 24 * (double)count, most = round_up(highest(rows, 3, highest(rows, 1, 1.2)));
    const struct plot plot = {out, NAME_PIXELS, TOP_PIXELS, WIDTH - NAME_PIXELS - 30, bottom - TOP_PIXELS, 0, 0, 0, 1};
    struct plot scale = plot;
    scale.high_x = most > 2.5 ? 2.5 : most;
    begin(picture, bottom + 46, out);
    for (int t = 0; t <= 5; t++) {
        double x = scale.high_x * t / 5;
        svg_line(out, "grid", plot_x(&scale, x), TOP_PIXELS, plot_x(&scale, x), bottom);
        svg_text(out, "soft", "middle", plot_x(&scale, x), bottom + 16, "%.3g", x);
    }
    svg_text(out, "soft", "middle", NAME_PIXELS + plot.width / 2, bottom + 34, "%s", picture->name_y);
    svg_line(out, "mark", plot_x(&scale, picture->limit), TOP_PIXELS, plot_x(&scale, picture->limit), bottom);
    for (size_t r = 0; r < count; r++) {
        double y = TOP_PIXELS + 24 * (double)r + 12, ratio = report_number(rows, r, 1);
        double low = report_number(rows, r, 2), high = report_number(rows, r, 3);
        draw_name(out, rows, r, y + 4);
        if (low < scale.high_x)
            svg_line(out, "first", plot_x(&scale, low), y, plot_x(&scale, fmin(high, scale.high_x)), y);
        if (ratio <= scale.high_x)
            svg_dot(out, high < 1 && ratio < picture->limit ? "second" : "first", plot_x(&scale, ratio), y);
    }
    svg_end(out);
}
