/* What a CSV leaves open: which delimiter and which line ends, found from its beginning. */
#pragma once

#include "base/bytes.h"

struct csv_dialect {
    char delimiter; /* one of CSV_DELIMITERS, or any other that was given; 0: to be found */
    char line_end;  /* '\n' (a CR before it belongs to it) or '\r' */
};

#define CSV_DELIMITERS ",;\t|"

/* Fills what is 0 in `dialect` from the file's first bytes (`ended`: they are all). Returns how many bytes to pass:
 * those of a first line "sep=;", which gives the delimiter unless one was given. */
size_t csv_dialect_find(struct span head, bool ended, struct csv_dialect *dialect);

/* Without the blanks at its ends, those without width among them. */
struct span csv_trim_slow(struct span text);
static inline bool csv_may_be_blank(char c)
{
    return (unsigned char)c <= ' ' || (unsigned char)c >= 0x80;
}
static inline struct span csv_trim(struct span text)
{
    bool padded = text.bytes && (csv_may_be_blank(text.data[0]) || csv_may_be_blank(text.data[text.bytes - 1]));
    return padded ? csv_trim_slow(text) : text;
}
