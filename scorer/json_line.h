/* A line of JSON as programs write it, made readable for a strict JSON parser. */
#pragma once

#include "base/bytes.h"

/* Replaces out's content by the line, where values that JSON has no number for become texts that json_row.h knows: bare
 * NaN, Infinity and −Infinity (Python writes them) and numbers beyond a double's range; integers beyond 64 bits
 * get an exponent, so that they are read as doubles. Everything else stays byte for byte, sound JSON or not. *id: the
 * raw value of the outermost object's member "id" if that is a scalar, else SPAN_NULL; borrowed from out. */
void json_line_prepare(struct span line, struct buffer *out, struct span *id);
