/* Writing CSV (RFC 4180) that spreadsheets read as what it is. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

/* A comma before it unless it is the first of its line. A text that a spreadsheet would take for a formula gets a ' in
 * front; so does what should be a number and is none. SPAN_NULL: an empty cell. */
void csv_add_cell(struct buffer *out, struct span text, bool is_first, bool takes_number);
void csv_end_line(struct buffer *out);
