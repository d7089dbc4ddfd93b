/* One input file as rows, whatever its form (input_form.h), validated against the schema before anything is sent.
 *
 * Every line of the file ends as a row: a good one (fault_count == 0, `event` complete) or one with its faults. */
#pragma once

#include "producer/input_row.h"

struct input;

#define INPUT_QUERY "query"

/* `path` "-" is standard input, INPUT_QUERY, if settings->query is set, its rows. Opens the file and logs what is to be
 * said of it once: columns the schema does not know, columns that are not there. STATUS_INVALID: not a table of this
 * schema (no known column, or a duplicate one). Borrows path and settings. Free with input_free. */
MUST_USE enum status input_open(const char *path, const struct input_settings *settings, struct input **out,
                                struct error *err);
void input_free(struct input *input);

/* STATUS_OK with *more false at the end. Anything else (reading failed) is final. */
MUST_USE enum status input_next(struct input *input, struct input_row *row, bool *more, struct error *err);

/* What a file of rejects begins with: the header line of a CSV. SPAN_NULL: nothing. Lives as long as the input. */
struct span input_header(const struct input *input);

/* "people.csv", "stdin": for messages. */
const char *input_name(const struct input *input);

/* Lines of a file, for a progress bar: every row has one, a CSV's header too. 0 where that cannot be known (a pipe, a
 * compressed file, an array).
 */
uint64_t input_count_lines(const char *path, const _Atomic bool *stop);

/* Appends `people.csv:17: column Salary (1): out_of_range: …`, without a line end. */
void input_fault_describe(const struct input *input, const struct input_row *row, const struct fault *fault,
                          struct buffer *out);
