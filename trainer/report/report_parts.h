/* Inside of the report: its parts, and what they share. */
#pragma once

#include "trainer/report/histogram.h"
#include "trainer/register.h"

void report_write_card(const struct training *training, struct buffer *out); /* Markdown */
void report_write_page(const struct training *training, struct buffer *out); /* HTML */

/* The values of a column of the training table, sorted; returns how many cells have none. value_counts_free. */
size_t report_count_values(const struct table *table, size_t column, struct value_counts *out);
/* The training table's column in bars, unlabelled rows none; *missing: cells without a value. histogram_clear. */
void report_histogram(const struct table *table, size_t column, struct histogram *out, size_t *missing);
/* "5-fold cross-validation, 2 times, 2940 predictions": how the figures came about. */
void report_describe_assessment(const struct evaluation *evaluation, char *out, size_t bytes);
/* How a search went about it. */
void report_describe_search(const struct search *search, char *out, size_t bytes);
/* What the table of flips says. */
void report_describe_flips(const struct evaluation *evaluation, char *out, size_t bytes);
extern const char report_use[], report_limits[];
const char *report_reasons(const struct training *training);
