/* Which bytes PostgreSQL takes as text: valid UTF-8 without NUL. */
#pragma once

#include "base/bytes.h"

/* Bytes of the valid UTF-8 character at `at` (never NUL, which PostgreSQL's text has no place for), or 0. */
size_t sink_text_length(const unsigned char *at, size_t left);
bool sink_text_is_valid(struct span bytes);
/* The same text with a question mark for every byte that is none: the span itself, or `scratch`, overwritten. */
struct span sink_text_valid(struct span bytes, struct buffer *scratch);
