/* Evaluation → SVG: see plots.h. Pure. Every figure is one of the evaluation's own. */
#include "trainer/report/plots.h"

#include "base/svg.h"
#include "trainer/report/plots_columns.h"

enum { WIDTH = 480, HEIGHT = 420, IMPORTANT_MOST = 20, NAME_MOST = 32 };

static struct plot plot_begin(const struct plot_kind *kind, bool alone, struct buffer *out)
{
    svg_begin(out, WIDTH, HEIGHT, kind->title, alone);
    svg_text(out, "title", "start", 16, 26, "%s", kind->title);
    return (struct plot){out, 62, 72, 390, 290, 0, 1, 0, 1};
}

static double plot_ratio(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void draw_roc(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone, struct buffer *out)
{
    const struct assessment *assessment = evaluation_main(evaluation);
    struct plot plot = plot_begin(kind, alone, out);
    plot_axes(&plot, "false positive rate", "true positive rate (recall)");
    svg_line(out, "soft", plot_x(&plot, 0), plot_y(&plot, 0), plot_x(&plot, 1), plot_y(&plot, 1));
    plot_path_begin(&plot, "first");
    for (size_t p = 0; p < assessment->point_count; p++)
        plot_path_point(
            &plot,
            plot_ratio(assessment->points[p].confusion.false_positives, assessment->count - assessment->positives),
            plot_ratio(assessment->points[p].confusion.true_positives, assessment->positives));
    plot_path_end(&plot);
    plot_legend(&plot, 0, "first", "model");
    plot_legend(&plot, 1, "soft", "by chance");
    svg_text(out, "ink", "end", plot.left + plot.width - 8, plot.top + plot.height - 12, "roc_auc %.3f",
             assessment->metrics.roc_auc);
    svg_end(out);
}

static void draw_precision(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone,
                           struct buffer *out)
{
    const struct assessment *assessment = evaluation_main(evaluation);
    struct plot plot = plot_begin(kind, alone, out);
    double base = plot_y(&plot, plot_ratio(assessment->positives, assessment->count));
    plot_axes(&plot, "recall", "precision");
    svg_line(out, "soft", plot.left, base, plot.left + plot.width, base);
    plot_path_begin(&plot, "first");
    for (size_t p = 1; p < assessment->point_count; p++) {
        const struct confusion *c = &assessment->points[p].confusion;
        plot_path_point(&plot, plot_ratio(c->true_positives, assessment->positives),
                        plot_ratio(c->true_positives, c->true_positives + c->false_positives));
    }
    plot_path_end(&plot);
    plot_legend(&plot, 0, "first", "model");
    plot_legend(&plot, 1, "soft", "share of positives");
    svg_text(out, "ink", "end", plot.left + plot.width - 8, plot.top + 20, "pr_auc %.3f", assessment->metrics.pr_auc);
    svg_end(out);
}

static void draw_reliability(struct plot *plot, const char *class, const struct calibration *calibration)
{
    plot_path_begin(plot, class);
    for (size_t b = 0; b < calibration->bin_count; b++)
        plot_path_point(plot, calibration->bins[b].mean_probability, calibration->bins[b].positive_share);
    plot_path_end(plot);
    for (size_t b = 0; b < calibration->bin_count; b++)
        svg_dot(plot->out, class, plot_x(plot, calibration->bins[b].mean_probability),
                plot_y(plot, calibration->bins[b].positive_share));
}

static void draw_calibration(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone,
                             struct buffer *out)
{
    const struct calibration *calibration = &evaluation_main(evaluation)->calibration;
    const struct calibration *before = &evaluation_main(evaluation)->uncalibrated;
    struct plot plot = plot_begin(kind, alone, out);
    plot_axes(&plot, "mean probability given", "share of positives found");
    svg_line(out, "soft", plot_x(&plot, 0), plot_y(&plot, 0), plot_x(&plot, 1), plot_y(&plot, 1));
    draw_reliability(&plot, "second", before);
    draw_reliability(&plot, "first", calibration);
    plot_legend(&plot, 0, "first", "tenths of the rows");
    plot_legend(&plot, 1, "soft", "perfect");
    if (before->bin_count)
        plot_legend(&plot, 2, "second", "before calibration");
    svg_text(out, "ink", "end", plot.left + plot.width - 8, plot.top + plot.height - 12, "mean error %.3f",
             calibration->expected_error);
    svg_end(out);
}

enum { CURVE_PRECISION, CURVE_RECALL, CURVE_F1, CURVES };

static double curve_value(int curve, const struct confusion *c)
{
    size_t called = c->true_positives + c->false_positives, positives = c->true_positives + c->false_negatives;
    return curve == CURVE_PRECISION ? plot_ratio(c->true_positives, called)
           : curve == CURVE_RECALL  ? plot_ratio(c->true_positives, positives)
                                    : plot_ratio(2 * c->true_positives, called + positives);
}

static void draw_thresholds(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone,
                            struct buffer *out)
{
    static const char *const classes[CURVES] = {"first", "second", "third"}, *const names[] = {"precision", "recall",
                                                                                               "F1"};
    const struct assessment *assessment = evaluation_main(evaluation);
    struct plot plot = plot_begin(kind, alone, out);
    double x = plot_x(&plot, evaluation->threshold);
    bool far = evaluation->threshold > 0.6;
    plot_axes(&plot, "threshold", "value");
    for (int curve = 0; curve < CURVES; curve++) {
        plot_path_begin(&plot, classes[curve]);
        for (size_t p = 1; p < assessment->point_count; p++)
            plot_path_point(&plot, assessment->points[p].threshold,
                            curve_value(curve, &assessment->points[p].confusion));
        plot_path_end(&plot);
        plot_legend(&plot, (unsigned)curve, classes[curve], names[curve]);
    }
    svg_line(out, "mark", x, plot.top, x, plot.top + plot.height);
    svg_text(out, "ink", far ? "end" : "start", x + (far ? -6 : 6), plot.top + 14, "chosen: %.4g",
             evaluation->threshold);
    svg_end(out);
}

static void draw_importance(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone,
                            struct buffer *out)
{
    enum { ROW = 20, LEFT = 232, TOP = 58, BARS = 190 };
    size_t shown = evaluation->importance_count < IMPORTANT_MOST ? evaluation->importance_count : IMPORTANT_MOST;
    svg_begin(out, WIDTH, TOP + 12.0 + ROW * (double)shown, kind->title, alone);
    svg_text(out, "title", "start", 16, 26, "%s", kind->title);
    svg_text(out, "soft", "start", 16, 44, "mean magnitude of the contribution to the raw score, %zu rows",
             evaluation->importance_rows);
    for (size_t i = 0; i < shown; i++) {
        const char *label = evaluation->schema->columns[evaluation->importance[i].column].label;
        double size = evaluation->importance[i].mean_magnitude, y = TOP + ROW * (double)i;
        double bar = BARS * size / evaluation->importance[0].mean_magnitude;
        svg_text(out, "ink", "end", LEFT - 8, y + 14, "%.*s%s", NAME_MOST, label, strlen(label) > NAME_MOST ? "…" : "");
        svg_bar(out, "first", LEFT, y + 3, bar, ROW - 5);
        svg_text(out, "soft", "start", LEFT + bar + 6, y + 14, "%.3g", size);
    }
    svg_end(out);
}

static void plot_draw_cell(struct buffer *out, const char *class, double x, double y, size_t count, size_t all)
{
    svg_bar(out, class, x, y, 156, 106);
    svg_text(out, "inside", "middle", x + 78, y + 52, "%zu", count);
    svg_text(out, "inside", "middle", x + 78, y + 80, "%.1f %%", 100 * plot_ratio(count, all));
}

static void draw_confusion(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone,
                           struct buffer *out)
{
    const struct assessment *assessment = evaluation_main(evaluation);
    const struct confusion *c = &assessment->confusion;
    const struct span *labels = evaluation->schema->target_values;
    svg_begin(out, WIDTH, 340, kind->title, alone);
    svg_text(out, "title", "start", 16, 26, "%s", kind->title);
    svg_text(out, "soft", "start", 16, 46, "%zu predictions; blue: right, orange: wrong", assessment->count);
    for (int called = 0; called <= 1; called++) {
        svg_text(out, "ink", "middle", 218 + 162 * called, 82, "called %.12s", labels[called].data);
        svg_text(out, "ink", "end", 128, 150 + 112 * called, "is %.12s", labels[called].data);
    }
    plot_draw_cell(out, "first", 140, 92, c->true_negatives, assessment->count);
    plot_draw_cell(out, "second", 302, 92, c->false_positives, assessment->count);
    plot_draw_cell(out, "second", 140, 204, c->false_negatives, assessment->count);
    plot_draw_cell(out, "first", 302, 204, c->true_positives, assessment->count);
    svg_end(out);
}

const struct plot_kind plot_kinds[] = {
    {"plots/roc.svg", "ROC curve", draw_roc},
    {"plots/precision_recall.svg", "Precision and recall", draw_precision},
    {"plots/calibration.svg", "Calibration", draw_calibration},
    {"plots/thresholds.svg", "Measures by threshold", draw_thresholds},
    {"plots/importance.svg", "What counts", draw_importance},
    {"plots/permutation.svg", "Permutation importance", plot_draw_permutation},
    {"plots/partial_dependence.svg", "Partial dependence", plot_draw_dependence},
    {"plots/confusion.svg", "Confusion matrix", draw_confusion},
    {0},
};

bool plot_is_known(const struct plot_kind *kind, const struct evaluation *evaluation)
{
    if (kind->draw == draw_importance)
        return evaluation->importance_count > 0;
    if (kind->draw == plot_draw_permutation)
        return evaluation->permuted_count > 0;
    if (kind->draw == plot_draw_dependence)
        return evaluation->dependence_count > 0;
    return evaluation_main(evaluation)->count > 0;
}
