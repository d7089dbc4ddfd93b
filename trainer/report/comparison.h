/* Two descriptions by the same schema, column by column: how far the one table's distributions are from the other's. */
#pragma once

#include "trainer/report/describe.h"

struct json_writer;

enum { CATEGORIES_SHOWN = 20 };

/* Categories that one table has and the other lacks: how many, and the first of them by their bytes (borrowed). */
struct category_difference {
    size_t count;
    struct span first[CATEGORIES_SHOWN];
};

struct column_comparison {
    const struct column_facts *now, *before; /* borrowed */
    double missing, missing_before;          /* shares of the values that could be read, 0 to 1 */
    /* Population stability index over the other table's categories, or over bins between its deciles, missing values
     * being one of them; half a row is added to each (as in attrition.drift_against_training). NaN: one of the tables
     * has no such column, or no readable cell in it. */
    double psi;
    double psi_by_chance; /* exceeded in one of 10,000 cases where nothing differs (Yurdakul 2018) */
    bool shifted;         /* PSI above 0.25 and above that */
    double ks; /* the largest difference of the shares up to a number (Kolmogorov, Smirnov); NaN: no numbers */
    struct category_difference added, vanished;
};

struct comparison {
    const struct description *now, *before;
    struct column_comparison *columns;      /* of features; the largest PSI first, those without one last */
    double label_share, label_share_before; /* of the labelled rows, the positive ones; NaN: none is labelled */
    bool label_shifted;                     /* 5 points apart or more, and not by chance (1 in 10,000) */
};

/* Borrows both; their schema is one. comparison_clear. */
void comparison_make(const struct description *now, const struct description *before, struct comparison *out);
void comparison_clear(struct comparison *comparison);

/* What to look at first, one line each; none: nothing. */
void comparison_alerts(const struct comparison *comparison, struct buffer *out);
void comparison_print(const struct comparison *comparison);                          /* terminal, at most 100 columns */
void comparison_page(const struct comparison *comparison, struct buffer *out);       /* a part of the page */
void comparison_json(const struct comparison *comparison, struct json_writer *json); /* the member "against" */
