/* Pictures of a month: rows of the database as inline SVG. */
#pragma once

#include "base/bytes.h"
#include "scorer/report/report_query.h"

/* What a picture is of. Plain data. */
struct report_plot {
    const char *title, *name_y;
    const char *first, *second; /* what the two series are; the second may be NULL */
    bool bars;                  /* the second stands within the first; else both are lines */
    double limit;               /* a line that is marked; 0: none */
};

/* Rows of a day of the month (1 to 31) and the series' values; a null is a gap. */
void report_plot_days(const struct report_plot *plot, const struct report_month *month, const struct report_rows *rows,
                      struct buffer *out);
/* Rows of a name and the series' values, as pairs of horizontal bars. */
void report_plot_pairs(const struct report_plot *plot, const struct report_rows *rows, struct buffer *out);
/* Rows of a name, a ratio and the ends of its interval; the limit is marked. */
void report_plot_ratios(const struct report_plot *plot, const struct report_rows *rows, struct buffer *out);
