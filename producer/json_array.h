/* One JSON array of any length, element by element: [{…}, {…}] as programs write it, on one line or on many. */
#pragma once

#include "base/byte_reader.h"

struct json_array_reader;

/* Is the next thing but blanks a `[`? Nothing is read. */
bool json_array_begins(struct byte_reader *bytes);

/* Borrows both. Free with json_array_reader_free. */
struct json_array_reader *json_array_reader_new(struct byte_reader *bytes, const char *name);
void json_array_reader_free(struct json_array_reader *array);

/* The next element's text as one line (line ends become blanks), of which `text` keeps the first `most` bytes; *bytes
 * is its length. Arrays that follow each other (joined files) are one. STATUS_INVALID, final: the array is not closed,
 * or something else follows it. */
MUST_USE enum status json_array_reader_next(struct json_array_reader *array, size_t most, struct buffer *text,
                                            size_t *bytes, bool *more, struct error *err);
size_t json_array_reader_line(const struct json_array_reader *array);    /* on which the element begins */
size_t json_array_reader_element(const struct json_array_reader *array); /* its number, from 1 */
