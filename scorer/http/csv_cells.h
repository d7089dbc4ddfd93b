/* CSV as an answer over HTTP. */
#pragma once

#include "base/csv_write.h"

/* The Content-Type of an answer. */
#define CSV_TYPE "text/csv; charset=utf-8; header=present"

struct database_rows;

/* Whether an Accept header (NULL: none) names text/csv, and JSON with a lower q, or later with the same. */
bool csv_is_wanted(const char *accept);
/* The columns' values, from this field of the row on; a comma before each but the first of a line. */
void csv_add_values(struct buffer *out, const struct csv_column *columns, size_t count, bool is_first,
                    const struct database_rows *rows, size_t row, size_t field);
