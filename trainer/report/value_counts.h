/* Distinct values of one column with how often each occurs, by class: all that a description needs, in memory that the
 * number of distinct values bounds, not the number of rows. */
#pragma once

#include "base/bytes.h"
#include "base/memory.h"

enum { VALUE_NEGATIVE, VALUE_POSITIVE, VALUE_UNLABELLED, VALUE_CLASSES };
enum { VALUE_COUNTS_MOST = 1 << 20 };
#define VALUE_BEYOND UINT32_MAX /* the number of a value that is not kept */

struct value_count {
    double number;    /* where text.data is NULL */
    struct span text; /* owned by the values */
    size_t counts[VALUE_CLASSES];
    uint32_t place; /* what value_counts_add_… returned for it */
};

/* Zero-initialised is empty; value_counts_free. Plain data. */
struct value_counts {
    struct value_count *entries;
    size_t count, capacity;
    uint32_t *slots; /* index + 1, 0: free; a power of two of them */
    size_t slot_count;
    size_t total, beyond; /* values seen; of them those that found VALUE_COUNTS_MOST others there before */
    struct arena texts;
};

/* The value's number: values in the order in which they came. VALUE_BEYOND: not kept. */
uint32_t value_counts_add_number(struct value_counts *values, double number, int class);
uint32_t value_counts_add_text(struct value_counts *values, struct span text, int class);
void value_counts_free(struct value_counts *values);

/* Below, at or above 0, as `left` stands before, at or behind `right`: numbers by value, texts by bytes. */
int value_count_compare(const struct value_count *left, const struct value_count *right);
/* Ascending by that. Nothing may be added afterwards. */
void value_counts_sort(struct value_counts *values);

/* The same, the most frequent first; equally frequent ones as they came. */
void value_counts_sort_by_count(struct value_counts *values);

static inline size_t value_count_total(const struct value_count *entry)
{
    return entry->counts[VALUE_NEGATIVE] + entry->counts[VALUE_POSITIVE] + entry->counts[VALUE_UNLABELLED];
}

/* Of a sorted values of numbers: the value below which the share lies, as numpy interpolates. NaN where it is empty. */
double value_counts_quantile(const struct value_counts *values, double share);
