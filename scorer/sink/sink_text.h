/* Which bytes PostgreSQL takes as text: valid UTF-8 without NUL. */
#pragma once

#include "base/bytes.h"

bool sink_text_is_valid(struct span bytes);
/* The same text with a question mark for every byte that is none: the span itself, or `scratch`, overwritten. */
struct span sink_text_valid(struct span bytes, struct buffer *scratch);
