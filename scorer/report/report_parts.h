/* What the page of a month consists of, in its order: one list, report_parts.c. */
#pragma once

#include "scorer/report/report_plots.h"

enum report_part_kind {
    REPORT_HEADING, /* title and note alone */
    REPORT_CARDS,   /* rows of label, figure and remark */
    REPORT_TABLE,
    REPORT_DAYS, /* the three pictures */
    REPORT_PAIRS,
    REPORT_RATIOS,
};

/* Plain data. */
struct report_part {
    enum report_part_kind kind;
    const char *title, *note;        /* of a heading; the note of a table is said where it has no rows */
    const char *source;              /* parts that follow each other: what they share, asked once (report_query) */
    const char *sql;                 /* its columns are named as people see them */
    const char *flagged, *unflagged; /* tables whose first column, "flag", is not shown: what is said of how many are */
    struct report_plot plot;
};

/* The first is no picture; ends with a part without title. Pictures that follow each other stand side by side. */
extern const struct report_part report_parts[];
/* How many there are in the month of: predictions, dead letters, exits, requests to erase. */
extern const char report_counts_sql[];
