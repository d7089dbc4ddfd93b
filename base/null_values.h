/* The texts that stand for "no value" in a table: NA, NULL, #N/A, … */
#pragma once

#include "base/bytes.h"

enum { NULL_VALUES_MAX = 32 };

/* Plain data; the texts are borrowed. Zero-initialised: only the empty text. */
struct null_values {
    struct span items[NULL_VALUES_MAX];
    size_t count;
    uint64_t first_bytes[4]; /* which bytes an item begins with: most cells are passed by it */
};

/* "NA,NULL,-" (NULL: none), which is borrowed. False: more than NULL_VALUES_MAX. */
bool null_values_parse(const char *list, struct null_values *out);
bool null_values_have_slow(const struct null_values *values, struct span text);

/* Is it one of them, or empty? In exactly that spelling. */
static inline bool null_values_have(const struct null_values *values, struct span text)
{
    if (!text.bytes)
        return true;
    unsigned first = (unsigned char)text.data[0];
    return (values->first_bytes[first / 64] >> (first % 64) & 1) && null_values_have_slow(values, text);
}
