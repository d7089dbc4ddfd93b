/* Text files of any encoding as UTF-8: found by the byte-order mark or by the zeros of UTF-16, or given by name. */
#pragma once

#include "base/byte_reader.h"

/* STATUS_INVALID: iconv does not know that name. */
MUST_USE enum status text_encoding_check(const char *encoding, struct error *err);

/* Puts a layer over *reader, which it takes, where its text is not UTF-8, and passes the byte-order mark. A mark
 * decides before `encoding` does (NULL: UTF-8, or UTF-16 where every other byte is zero); *found is the encoding's
 * name. What is no character of that encoding becomes a byte that UTF-8 has not, so that the row with it is refused. */
MUST_USE enum status text_encoding_decode(struct byte_reader **reader, const char *encoding, const char **found,
                                          struct error *err);
