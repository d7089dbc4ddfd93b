/* Rows that are not sent: reported on standard error, kept in a file that can be fixed and fed again.
 *
 * The rejects file has the CSV's header and the rows as they were; FILE.txt next to it says what is wrong with each.
 * Both are made at the first reject, readable by their owner alone. The report on standard error is cut after
 * REJECTS_SHOWN lines of each code; the files never are. */
#pragma once

#include <stdio.h>
#include <sys/types.h>

#include "base/progress.h"
#include "producer/input.h"

enum { REJECTS_SHOWN = 20 };

/* Rows by their first fault: rows = Σ by_code. Plain data, kept over several files. */
struct reject_totals {
    uint64_t rows;
    uint64_t by_code[EVENT_CODE_COUNT];
};

/* Files that rejects must not replace: the run's inputs, and rejects of its other inputs. Plain data; zero-initialise.
 */
struct rejects_taken {
    struct rejects_file {
        dev_t device;
        ino_t number;
    } * items;
    size_t count;
};

/* An input. What is no regular file, or is not there, is passed over. */
void rejects_taken_add(struct rejects_taken *taken, const char *path);
bool rejects_taken_has(const struct rejects_taken *taken, const char *path);
void rejects_taken_free(struct rejects_taken *taken);

/* Where the rejects of an input go: `given`, or, if that is NULL, INPUT.rejects (stdin.rejects). NUL-terminated. */
void rejects_path(const char *input_name, const char *given, struct buffer *out);

struct rejects;

/* `path` NULL: next to the input; where that cannot be written, NAME.rejects in the working directory. `progress` may
 * be NULL; its line is hidden before one of ours. Borrows everything. */
struct rejects *rejects_new(const struct input *input, const char *path, FILE *report, struct progress *progress,
                            struct reject_totals *totals, struct rejects_taken *taken);

/* False: it cannot be kept and is not counted; rejects_close says why. Rows before it that were still buffered may be
 * missing from the file, too. */
MUST_USE bool rejects_add(struct rejects *rejects, const struct input_row *row);

/* Says how much was not shown, where the rejects are, and what to do with them (`whole`: the input was read to its
 * end). STATUS_IO if they could not all be written. Frees. */
MUST_USE enum status rejects_close(struct rejects *rejects, bool whole, struct error *err);
