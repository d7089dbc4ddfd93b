/* Writing CSV (RFC 4180) that spreadsheets read as what it is. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

/* A column of an answer that comes from the database. Plain data. */
struct csv_column {
    const char *name, *sql;
    bool takes_number;
};

/* A comma before it unless it is the first of its line. A text that a spreadsheet would take for a formula gets a ' in
 * front; so does what should be a number and is none. SPAN_NULL: an empty cell. */
void csv_add_cell(struct buffer *out, struct span text, bool is_first, bool takes_number);
void csv_end_line(struct buffer *out);
/* Of the columns: their SQL, with ", " before each; their names, with a comma before each but the first of a line. */
void csv_add_sql(struct buffer *sql, const struct csv_column *columns, size_t count);
void csv_add_names(struct buffer *out, const struct csv_column *columns, size_t count, bool is_first);
