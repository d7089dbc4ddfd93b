/* Writing single JSON values into a buffer; documents: json_writer.h. (Reading goes through jansson, in the module that
 * needs it.) */
#pragma once

#include "base/bytes.h"
#include "base/row.h"

/* Whether a text from a server may be read into a tree, where a list of two bytes takes a hundred: false beyond 250,000
 * lists and objects, or 2,000,000 values. */
bool json_fits_tree(struct span text);

/* A quoted string; control characters, quotes and backslashes escaped. The bytes must be UTF-8. */
void json_add_text(struct buffer *out, struct span text);

/* Full precision: 17 significant digits, or the integer itself where the value is whole and below 2^53.
 * Not finite: the strings "NaN", "Infinity", "-Infinity". −0.0 is written -0.0. */
void json_add_double(struct buffer *out, double number);
void json_add_int(struct buffer *out, int64_t number);
void json_add_uint(struct buffer *out, uint64_t number);

/* The column's text or number; null where it is missing. */
void json_add_cell(struct buffer *out, const struct column *column, const struct cell *cell);
/* {"COLUMN":41,"ANOTHER":null,…}: one row under its columns' names, null where missing; without what a
 * partial event does not list. */
void json_add_row(struct buffer *out, const struct column *columns, size_t column_count, const struct cell *cells);
