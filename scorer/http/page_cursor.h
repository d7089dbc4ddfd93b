/* Where the next page begins, as text for clients: opaque, bound to the question it belongs to, and checked when it
 * comes back. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

enum { PAGE_CURSOR_BYTES_MOST = 8192 };

/* Hexadecimal digits of a digest of `question` and of the parts, added to `out`. */
void page_cursor_write(struct span question, const struct span *parts, size_t count, struct buffer *out);

/* The parts, in `texts`, which is cleared. False: not made by page_cursor_write for this question, or not so many
 * parts. */
bool page_cursor_read(const char *cursor, struct span question, struct span *parts, size_t count, struct buffer *texts);
