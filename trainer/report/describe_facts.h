/* Inside of the description: from a column's counts to its facts. */
#pragma once

#include "trainer/report/describe.h"

/* Sorts the values and fills what follows from it, once all rows were read. */
void describe_finish(struct column_facts *facts, size_t rows);
/* Measures all pairs of features (describe_pairs.c). Values are sorted, the sample is taken. */
void describe_measure_pairs(struct description *description);
/* Parts of the page (describe_page_pairs.c). */
void describe_page_pairs(const struct description *description, struct buffer *out);
void describe_page_missing(const struct description *description, struct buffer *out);
/* Rows as they are (describe_sample.c); nothing where none were asked for. */
struct json_writer;
void describe_print_sample(const struct description *description);
void describe_page_sample(const struct description *description, struct buffer *out);
void describe_json_sample(const struct description *description, struct json_writer *json);
/* As many columns of the terminal as asked for, padded, not through a character. */
void describe_print_cut(const char *text, int columns);
