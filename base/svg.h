/* Drawings: SVG without scripts and without anything from outside, legible in light and dark.
 *
 * Coordinates are pixels from the upper left corner. Classes are those of svg_style. Texts are any bytes of UTF-8. */
#pragma once

#include "base/bytes.h"
#include "base/status.h"

/* The rules that drawings and pages share: colours, and the classes axis, grid, ink, soft, first, second, third, mark.
 */
extern const char svg_style[];

/* Text with what XML reserves escaped; control characters become blanks, foreign bytes question marks. */
void markup_text(struct buffer *out, const char *text);

/* alone: a file of its own, which brings its style. The title is for those who cannot see the picture. */
void svg_begin(struct buffer *out, double width, double height, const char *title, bool alone);
void svg_end(struct buffer *out);
void svg_line(struct buffer *out, const char *class, double x1, double y1, double x2, double y2);
void svg_dot(struct buffer *out, const char *class, double x, double y);
void svg_bar(struct buffer *out, const char *class, double x, double y, double width, double height);
/* A square, the fainter the nearer the share is to 0. */
void svg_shade(struct buffer *out, const char *class, double x, double y, double side, double share);
/* anchor: "start", "middle" or "end". */
void svg_text(struct buffer *out, const char *class, const char *anchor, double x, double y, const char *format, ...)
    PRINTF_LIKE(6, 7);

/* Axes with round ticks, and lines in the data's own coordinates. */
struct plot {
    struct buffer *out;
    double left, top, width, height;
    double low_x, high_x, low_y, high_y;
};
double plot_x(const struct plot *plot, double x);
double plot_y(const struct plot *plot, double y);
/* Frame, grid, five ticks a side, names of the axes. */
void plot_axes(const struct plot *plot, const char *name_x, const char *name_y);
/* An open path: begin, points, end. */
void plot_path_begin(const struct plot *plot, const char *class);
void plot_path_point(const struct plot *plot, double x, double y);
void plot_path_end(const struct plot *plot);
/* Row `place` of the legend below the title: a stroke and its name. */
void plot_legend(const struct plot *plot, unsigned place, const char *class, const char *name);
