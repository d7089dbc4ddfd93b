/* A table as it is: every column's facts against the schema, without refusing anything that can be read at all. */
#pragma once

#include "base/status.h"
#include "events/error_codes.h"
#include "events/schema.h"
#include "trainer/report/histogram.h"
#include "trainer/report/pairs.h"
#include "trainer/report/row_sample.h"

enum column_role { ROLE_FEATURE, ROLE_TARGET, ROLE_ID, ROLE_IGNORED, ROLE_UNKNOWN };
enum association_kind { ASSOCIATION_NONE, ASSOCIATION_AUC, ASSOCIATION_CRAMER };

enum { LINES_SHOWN = 3, PATTERNS_SHOWN = 8, PAIRS_SHOWN = 20 };
enum { PAIR_CATEGORIES_MOST = 1000 }; /* a column of more categories is in no pair */
enum { SAMPLE_ROWS_MOST = 20 };
enum { QUANTILE_COUNT = 5 };
extern const double describe_quantiles[QUANTILE_COUNT]; /* 0.05, 0.25, 0.5, 0.75, 0.95 */

/* How often something is wrong, and where first. */
struct offence {
    size_t count, lines[LINES_SHOWN];
};

struct column_facts {
    char *name; /* one line of UTF-8 */
    enum column_role role;
    const struct column *column; /* the schema's; NULL but for features */
    uint32_t index;              /* of a feature, in the schema */
    bool present;                /* the file has it */
    struct value_counts values;  /* sorted; values that could be read, whatever the schema says of them */
    struct histogram histogram;  /* of features */
    size_t missing;              /* empty, or in rows that end before it */
    struct offence offences[EVENT_CODE_COUNT];
    bool constant, identifier;        /* one value in all rows; another one in each row */
    double low, high, mean, sd;       /* of numbers; NaN where there are none */
    double quantiles[QUANTILE_COUNT]; /* likewise */
    size_t outliers; /* numbers more than 1.5 interquartile ranges outside the quartiles (Tukey 1977) */
    size_t undrawn;  /* numbers that are left out of the histogram: more than 6 outside, where that is rare */
    enum association_kind association_kind;
    double association; /* with the label: AUC as it stands (0.5: none), or Cramér's V (0: none) */
};

struct description {
    const struct schema *schema; /* borrowed */
    char *path;
    size_t rows;                  /* records that could be read */
    size_t labels[VALUE_CLASSES]; /* rows by class; VALUE_UNLABELLED: no (known) label */
    bool labelled;                /* the file has the target */
    struct offence broken;        /* lines that are no CSV */
    struct offence ragged;        /* rows with another number of fields than the header */
    struct offence *rules;        /* as the schema's */
    struct column_facts *columns; /* the schema's features first, then what else the file has, in its order */
    size_t column_count;
    size_t faulty_rows; /* rows that training would refuse */
    size_t duplicates;  /* rows that are equal to one before, the identifier aside; of the first 2^20 different ones */
    struct value_counts missing; /* sets of features without a value, a bit each in the schema's order, by rows; sorted
                                    by how often they occur */
    struct row_sample sample;    /* what pairs are measured on; a column more than features: the label's class */
    struct pair *pairs;          /* of features, by their index; the strongest first; those without a strength not */
    size_t pair_count;
    size_t sample_rows;               /* rows that are shown as they are, at most SAMPLE_ROWS_MOST */
    const struct comparison *against; /* borrowed; NULL: none */
};

/* STATUS_INVALID: not a CSV table of this schema at all: empty, header only, no feature in the header, no readable row.
 * STATUS_NOT_FOUND, STATUS_IO. describe_free. */
MUST_USE enum status describe_read(const char *path, const struct schema *schema, const char *null_values,
                                   struct description *out, struct error *err);
void describe_free(struct description *description);

/* What to look at first, one line each; none: nothing. */
void describe_alerts(const struct description *description, struct buffer *out);
extern const double describe_pair_alert; /* strength from which on a pair is one */
/* "A and B: Pearson 0.51, Spearman 0.49". */
void describe_pair(const struct description *description, const struct pair *pair, char *out, size_t bytes);
/* "A, B" of an entry of `missing`; the first names, and how many more. */
void describe_pattern(const struct description *description, const struct value_count *pattern, char *out,
                      size_t bytes);

/* How the models take such a column in, in a few words. */
const char *describe_encoding_of(enum column_kind kind);
extern const char *const role_names[]; /* by enum column_role */
extern const char *const kind_names[]; /* by enum column_kind */
extern const char *const type_names[]; /* by enum column_type */

/* "lines 5, 9, 12 and 40 more". */
void describe_lines(const struct offence *offence, char *out, size_t bytes);
/* Range and categories of the schema against those of the file: "18…60 (18…100)". */
void describe_domain(const struct column_facts *facts, char *out, size_t bytes);

void describe_print(const struct description *description);                    /* terminal, at most 100 columns */
void describe_page(const struct description *description, struct buffer *out); /* a page that asks for nothing else */
void describe_json(const struct description *description, struct buffer *out); /* one document, one line */
