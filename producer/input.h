/* One input file as rows: CSV or JSON Lines, judged against the schema before anything is sent.
 *
 * Every line of the file ends as a row: a good one (fault_count == 0, `event` complete) or one with its faults. */
#ifndef PRODUCER_INPUT_H
#define PRODUCER_INPUT_H

#include "base/clock.h"
#include "base/status.h"
#include "events/error_codes.h"
#include "events/event.h"
#include "events/schema.h"
#include "events/time_unit.h"

struct input;

enum { INPUT_FAULTS_MAX = 64 };

/* How rows are read: plain data, borrowed from the caller. */
struct input_settings {
    const struct schema *schema;
    const struct clock_source *clock; /* occurred_at where the row brings none */
    const char *format;               /* "csv", "jsonl", or NULL: by the file's name, then by its first byte */
    int32_t event_type;               /* where the row brings none */
    enum time_unit time_unit;         /* of bare numbers in occurred_at; TIME_UNIT_NONE: they are refused */
    int64_t max_future_us;            /* how far after now occurred_at may lie */
    bool validate;                    /* false: only what cannot be encoded is a fault */
};

/* Plain data. Everything it points at lives until the next input_next. */
struct input_row {
    size_t line;        /* physical line, the file's first is 1 */
    struct span raw;    /* the row's bytes as they stand in the file, without the line end */
    struct event event; /* complete if fault_count == 0 */
    size_t fault_count;
    struct fault faults[INPUT_FAULTS_MAX];
};

/* `path` "-" is standard input. Opens the file, reads a CSV's header and logs what it says once: columns the schema
 * does not know, columns that are not there. STATUS_INVALID: not a table of this schema (no known column, one named
 * twice). Borrows path and settings. Free with input_free. */
MUST_USE enum status input_open(const char *path, const struct input_settings *settings, struct input **out,
                                struct error *err);
void input_free(struct input *input);

/* STATUS_OK with *more false at the end. Anything else (reading failed) is final. */
MUST_USE enum status input_next(struct input *input, struct input_row *row, bool *more, struct error *err);

/* The header line of a CSV as it stands in the file; SPAN_NULL for JSON Lines. Lives as long as the input. */
struct span input_header(const struct input *input);

/* "people.csv", "stdin": for messages. */
const char *input_name(const struct input *input);

/* Lines of a file, for a progress bar: every row has one, a CSV's header too. 0 where that cannot be known (a pipe). */
uint64_t input_count_lines(const char *path);

/* Appends `people.csv:17: column Salary (1): out_of_range: …`, without a line end. */
void input_fault_describe(const struct input *input, const struct input_row *row, const struct fault *fault,
                          struct buffer *out);

#endif
