/* What a run says of its model beside the figures: model card, page, pictures, and the reference that drift is measured
 * against. All of it is made from the evaluation and the table; nothing is measured again. */
#ifndef TRAINER_REPORT_REPORT_H
#define TRAINER_REPORT_REPORT_H

#include "trainer/report/histogram.h"
#include "trainer/register.h"

enum { REPORT_MOST = 12 };

struct report {
    struct report_file {
        const char *path; /* artifact's path; a literal */
        struct buffer bytes;
    } files[REPORT_MOST];
    size_t count;
};

void report_make(const struct training *training, struct report *out);
void report_clear(struct report *report);

/* Inside of the report: its parts. */
void report_write_card(const struct training *training, struct buffer *out);  /* Markdown */
void report_write_page(const struct training *training, struct buffer *out);  /* HTML */
void report_write_drift(const struct training *training, struct buffer *out); /* JSON */

/* The training table's column in bars, unlabelled rows none; *missing: cells without a value. histogram_clear. */
void report_histogram(const struct table *table, size_t column, struct histogram *out, size_t *missing);
/* "5-fold cross-validation, 2 times, 2940 predictions": how the figures came about. */
void report_describe_judging(const struct evaluation *evaluation, char *out, size_t bytes);
extern const char report_use[], report_limits[];
const char *report_reasons(const struct training *training);

#endif
