/* Permutation importance and partial dependence as pictures: see plots_columns.h. Pure. Every figure is one of the
 * evaluation's own. */
#include "trainer/report/plots_columns.h"

#include <math.h>

#include "base/svg.h"

enum { COLUMNS_WIDTH = 480, COLUMNS_MOST = 20, LABEL_MOST = 32 };

static void draw_label(struct buffer *out, const char *class, const char *anchor, double x, double y, const char *text,
                       int most)
{
    svg_text(out, class, anchor, x, y, "%.*s%s", most, text, strlen(text) > (size_t)most ? "…" : "");
}

void plot_draw_permutation(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone,
                           struct buffer *out)
{
    enum { ROW = 20, LEFT = 232, TOP = 58, BARS = 170 };
    size_t shown = evaluation->permuted_count < COLUMNS_MOST ? evaluation->permuted_count : COLUMNS_MOST;
    double most = 1e-9;
    for (size_t p = 0; p < shown; p++)
        most = fmax(most, fabs(evaluation->permuted[p].mean) + evaluation->permuted[p].deviation);
    svg_begin(out, COLUMNS_WIDTH, TOP + 12.0 + ROW * (double)shown, kind->title, alone);
    svg_text(out, "title", "start", 16, 26, "%s", kind->title);
    svg_text(out, "soft", "start", 16, 44, "fall of the AUC when shuffled: mean and deviation of %zu",
             evaluation->permuted_draws);
    for (size_t p = 0; p < shown; p++) {
        const struct permuted *permuted = &evaluation->permuted[p];
        double y = TOP + ROW * (double)p, bar = BARS * fmax(permuted->mean, 0) / most;
        double from = BARS * fmax(permuted->mean - permuted->deviation, 0) / most;
        double to = BARS * fmax(permuted->mean + permuted->deviation, 0) / most;
        draw_label(out, "ink", "end", LEFT - 8, y + 14, evaluation->schema->columns[permuted->column].label,
                   LABEL_MOST);
        svg_bar(out, "first", LEFT, y + 3, bar, ROW - 5);
        svg_line(out, "axis", LEFT + from, y + 10.5, LEFT + to, y + 10.5);
        svg_text(out, "soft", "start", LEFT + fmax(bar, to) + 6, y + 14, "%.3g", permuted->mean);
    }
    svg_end(out);
}

/* --- partial dependence: small pictures, two a line, one scale of probability --- */

enum { SMALL_WIDTH = 232, SMALL_HEIGHT = 150, SMALL_TOP = 58, SMALL_LINES = 2, CATEGORY_LEFT = 72 };

struct reach {
    double low, high;
};

static struct reach find_reach(const struct evaluation *evaluation)
{
    struct reach reach = {1, 0};
    for (size_t d = 0; d < evaluation->dependence_count; d++)
        for (size_t p = 0; p < evaluation->dependence[d].count; p++) {
            reach.low = fmin(reach.low, evaluation->dependence[d].points[p].probability);
            reach.high = fmax(reach.high, evaluation->dependence[d].points[p].probability);
        }
    if (reach.high - reach.low < 1e-9)
        reach = (struct reach){reach.low - 0.01, reach.high + 0.01};
    return reach;
}

/* A dot a category, names at the left where there is room. */
static void draw_categories(struct plot *plot, const struct dependence *dependence, const struct column *column)
{
    double row = plot->height / (double)dependence->count, bottom = plot->top + plot->height;
    plot->left += CATEGORY_LEFT;
    plot->width -= CATEGORY_LEFT;
    for (size_t p = 0; p < dependence->count; p++) {
        double share = (dependence->points[p].probability - plot->low_y) / (plot->high_y - plot->low_y);
        double y = plot->top + row * ((double)p + 0.5), x = plot->left + plot->width * share;
        svg_line(plot->out, "grid", plot->left, y, plot->left + plot->width, y);
        svg_dot(plot->out, "first", x, y);
        if (row >= 9)
            draw_label(plot->out, "soft", "end", plot->left - 6, y + 4,
                       column->values[(size_t)dependence->points[p].value].data, 11);
    }
    svg_line(plot->out, "axis", plot->left, plot->top, plot->left, bottom);
    svg_line(plot->out, "axis", plot->left, bottom, plot->left + plot->width, bottom);
    svg_text(plot->out, "soft", "start", plot->left, bottom + 12, "%.2f", plot->low_y);
    svg_text(plot->out, "soft", "end", plot->left + plot->width, bottom + 12, "%.2f", plot->high_y);
}

static void draw_numbers(struct plot *plot, const struct dependence *dependence)
{
    double bottom = plot->top + plot->height;
    plot->low_x = dependence->points[0].value;
    plot->high_x = dependence->points[dependence->count - 1].value;
    if (plot->high_x == plot->low_x)
        plot->high_x++;
    svg_line(plot->out, "axis", plot->left, bottom, plot->left + plot->width, bottom);
    svg_line(plot->out, "axis", plot->left, plot->top, plot->left, bottom);
    plot_path_begin(plot, "first");
    for (size_t p = 0; p < dependence->count; p++)
        plot_path_point(plot, dependence->points[p].value, dependence->points[p].probability);
    plot_path_end(plot);
    for (size_t p = 0; p < dependence->count; p++)
        svg_dot(plot->out, "first", plot_x(plot, dependence->points[p].value),
                plot_y(plot, dependence->points[p].probability));
    svg_text(plot->out, "soft", "start", plot->left, bottom + 12, "%.6g", plot->low_x);
    svg_text(plot->out, "soft", "end", plot->left + plot->width, bottom + 12, "%.6g", plot->high_x);
    svg_text(plot->out, "soft", "end", plot->left - 3, plot->top + 8, "%.2f", plot->high_y);
    svg_text(plot->out, "soft", "end", plot->left - 3, bottom, "%.2f", plot->low_y);
}

void plot_draw_dependence(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone,
                          struct buffer *out)
{
    struct reach reach = find_reach(evaluation);
    size_t lines = (evaluation->dependence_count + SMALL_LINES - 1) / SMALL_LINES;
    svg_begin(out, COLUMNS_WIDTH, SMALL_TOP + SMALL_HEIGHT * (double)lines, kind->title, alone);
    svg_text(out, "title", "start", 16, 26, "%s", kind->title);
    svg_text(out, "soft", "start", 16, 44, "mean probability of %zu rows, all with that value",
             evaluation->dependence_rows);
    for (size_t d = 0; d < evaluation->dependence_count; d++) {
        const struct dependence *dependence = &evaluation->dependence[d];
        const struct column *column = &evaluation->schema->columns[dependence->column];
        double left = 16 + SMALL_WIDTH * (double)(d % SMALL_LINES),
               top = SMALL_TOP + SMALL_HEIGHT * (double)(d / SMALL_LINES);
        struct plot plot = {out, left + 28, top + 18, SMALL_WIDTH - 46, SMALL_HEIGHT - 42, 0, 1, reach.low, reach.high};
        draw_label(out, "ink", "start", left, top + 10, column->label, LABEL_MOST);
        if (column->kind == COLUMN_NOMINAL)
            draw_categories(&plot, dependence, column);
        else if (dependence->count)
            draw_numbers(&plot, dependence);
    }
    svg_end(out);
}
