/* Reading CSV as it is published: RFC 4180 quoting, any of the usual delimiters and line ends, byte-order marks
 * wherever files were joined, padding, streaming. Used by the trainer and the producer, so that both see the same rows.
 */
#pragma once

#include "base/byte_reader.h"

struct csv;

/* One record. The fields live until the next call of csv_next. */
struct csv_record {
    const struct span *fields; /* unquoted, without padding; an empty field has bytes == 0 */
    size_t field_count;
    size_t line;     /* physical line on which the record starts; the file's first line is 1 */
    struct span raw; /* the record's bytes as they stand in the file, without the line end */
};

/* Borrows the reader, whose text is UTF-8, and `name` (for messages). delimiter 0: found from the file's beginning, or
 * given there by a line "sep=;". Free with csv_free. Rows of a pipe are handed out as they come. */
struct csv *csv_new(struct byte_reader *reader, const char *name, char delimiter);
void csv_free(struct csv *csv);

/* STATUS_OK with *more false at the end of the file. Blank lines are skipped. A bad record is refused and the next call
 * goes on after it; record->line and ->raw say where it was. STATUS_INVALID: NUL bytes, an unclosed quote, or text
 * after a closing quote (of the latter two only the first physical line is skipped, so that a stray quote costs one
 * line). STATUS_LIMIT: over 1 MiB (raw may be its beginning only). STATUS_IO: reading failed; final. */
MUST_USE enum status csv_next(struct csv *csv, struct csv_record *record, bool *more, struct error *err);

/* Known after the first csv_next. */
char csv_delimiter(const struct csv *csv);
/* Logs what is not as usual: another delimiter than the comma, other line ends. After the first csv_next. */
void csv_log_dialect(const struct csv *csv, const char *where);
