/* SVG text: see svg.h. Pure. */
#include "base/svg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

const char svg_style[] =
    ":root{--paper:#ffffff;--ink:#1c2430;--soft:#5b6675;--grid:#d9dee5;--first:#2563a8;--second:#c2571a;--third:#"
    "3a7d44;--panel:#f5f7fa}@media(prefers-color-scheme:dark){:root{--paper:#14181e;--ink:#e6eaf0;--soft:#a3adba;--"
    "grid:#343c47;--first:#6aa9ee;--second:#f0965a;--third:#7cc48a;--panel:#1c222a}}svg text{font:12px "
    "system-ui,sans-serif;fill:var(--ink)}svg text.soft{fill:var(--soft)}svg "
    "text.title{font-size:15px;font-weight:600}svg text.inside{fill:var(--paper);font-size:20px;font-weight:600}svg "
    "line,svg path{fill:none;stroke-width:1;stroke:var(--ink)}svg .grid{stroke:var(--grid)}svg "
    ".axis{stroke:var(--soft)}svg path{stroke-width:2;stroke-linejoin:round}svg "
    ".soft:not(text){stroke:var(--soft);stroke-dasharray:4 4}svg .first:not(text){stroke:var(--first)}svg "
    ".second:not(text){stroke:var(--second)}svg .third:not(text){stroke:var(--third)}svg "
    ".mark{stroke:var(--ink);stroke-dasharray:2 3}svg line.first,svg line.second,svg line.third{stroke-width:2}svg "
    "rect.first,svg circle.first{fill:var(--first);stroke:none}svg rect.second,svg "
    "circle.second{fill:var(--second);stroke:none}svg rect.third{fill:var(--third);stroke:none}svg "
    "rect.paper{fill:var(--paper)}";

/* Flattened first, so that what follows is valid UTF-8 without control characters. */
void markup_text(struct buffer *out, const char *text)
{
    char *flat = mem_text(text);
    text_flatten(flat);
    for (const char *at = flat; *at; at++) {
        if (*at == '&')
            buffer_add_text(out, "&amp;");
        else if (*at == '<')
            buffer_add_text(out, "&lt;");
        else if (*at == '>')
            buffer_add_text(out, "&gt;");
        else if (*at == '"')
            buffer_add_text(out, "&quot;");
        else
            buffer_add_u8(out, (uint8_t)*at);
    }
    free(flat);
}

static void markup_vprintf(struct buffer *out, const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        abort();
    markup_text(out, text);
    free(text);
}

void svg_begin(struct buffer *out, double width, double height, const char *title, bool alone)
{
    buffer_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" "
                  "role=\"img\"><title>",
                  width, height, width, height);
    markup_text(out, title);
    buffer_add_text(out, "</title>");
    if (!alone)
        return;
    buffer_printf(out, "<style>%s</style>", svg_style);
    svg_bar(out, "paper", 0, 0, width, height);
}

void svg_end(struct buffer *out)
{
    buffer_add_text(out, "</svg>\n");
}

void svg_line(struct buffer *out, const char *class, double x1, double y1, double x2, double y2)
{
    buffer_printf(out, "<line class=\"%s\" x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\"/>", class, x1, y1, x2, y2);
}

void svg_dot(struct buffer *out, const char *class, double x, double y)
{
    buffer_printf(out, "<circle class=\"%s\" cx=\"%.2f\" cy=\"%.2f\" r=\"4\"/>", class, x, y);
}

void svg_bar(struct buffer *out, const char *class, double x, double y, double width, double height)
{
    buffer_printf(out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>", class, x, y, width,
                  height);
}

void svg_shade(struct buffer *out, const char *class, double x, double y, double side, double share)
{
    buffer_printf(out,
                  "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill-opacity=\"%.3f\"/>",
                  class, x, y, side, side, share);
}

void svg_text(struct buffer *out, const char *class, const char *anchor, double x, double y, const char *format, ...)
{
    va_list args;
    buffer_printf(out, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.2f\" y=\"%.2f\">", class, anchor, x, y);
    va_start(args, format);
    markup_vprintf(out, format, args);
    va_end(args);
    buffer_add_text(out, "</text>");
}

double plot_x(const struct plot *plot, double x)
{
    return plot->left + (x - plot->low_x) / (plot->high_x - plot->low_x) * plot->width;
}

double plot_y(const struct plot *plot, double y)
{
    return plot->top + plot->height - (y - plot->low_y) / (plot->high_y - plot->low_y) * plot->height;
}

void plot_axes(const struct plot *plot, const char *name_x, const char *name_y)
{
    enum { STEPS = 5 };
    double right = plot->left + plot->width, bottom = plot->top + plot->height;
    for (int t = 0; t <= STEPS; t++) {
        double x = plot->low_x + (plot->high_x - plot->low_x) * t / STEPS;
        double y = plot->low_y + (plot->high_y - plot->low_y) * t / STEPS;
        svg_line(plot->out, "grid", plot_x(plot, x), plot->top, plot_x(plot, x), bottom);
        svg_line(plot->out, "grid", plot->left, plot_y(plot, y), right, plot_y(plot, y));
        svg_text(plot->out, "soft", "middle", plot_x(plot, x), bottom + 18, "%.3g", x);
        svg_text(plot->out, "soft", "end", plot->left - 8, plot_y(plot, y) + 4, "%.3g", y);
    }
    svg_line(plot->out, "axis", plot->left, bottom, right, bottom);
    svg_line(plot->out, "axis", plot->left, plot->top, plot->left, bottom);
    svg_text(plot->out, "ink", "middle", plot->left + plot->width / 2, bottom + 40, "%s", name_x);
    buffer_printf(plot->out, "<g transform=\"rotate(-90 16 %.1f)\">", plot->top + plot->height / 2);
    svg_text(plot->out, "ink", "middle", 16, plot->top + plot->height / 2, "%s", name_y);
    buffer_add_text(plot->out, "</g>");
}

void plot_path_begin(const struct plot *plot, const char *class)
{
    buffer_printf(plot->out, "<path class=\"%s\" d=\"M", class);
}

void plot_path_point(const struct plot *plot, double x, double y)
{
    buffer_printf(plot->out, " %.2f %.2f", plot_x(plot, x), plot_y(plot, y));
}

void plot_path_end(const struct plot *plot)
{
    buffer_add_text(plot->out, "\"/>");
}

void plot_legend(const struct plot *plot, unsigned place, const char *class, const char *name)
{
    double y = plot->top - 12, x = plot->left + 150.0 * place;
    svg_line(plot->out, class, x, y - 4, x + 22, y - 4);
    svg_text(plot->out, "soft", "start", x + 28, y, "%s", name);
}
