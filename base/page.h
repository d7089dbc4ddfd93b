/* A page that stands alone: style within, nothing asked from outside, light and dark. */
#pragma once

#include "base/svg.h"

void page_begin(struct buffer *out, const char *title);
void page_end(struct buffer *out);
/* <name>escaped text</name> */
void page_element(struct buffer *out, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
/* <table> with a header row of these columns; the first and the last `texts` are text, the others numbers. */
void page_table_begin(struct buffer *out, const char *const *columns, size_t count, size_t texts);
void page_table_end(struct buffer *out);
