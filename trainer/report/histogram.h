/* A column's distribution in few bars: for drawings and as the reference that drift is measured against. */
#pragma once

#include "base/row.h"
#include "trainer/report/value_counts.h"

enum { HISTOGRAM_MOST = 12, HISTOGRAM_LABEL_BYTES = 64 };

struct bar {
    double low, high; /* of numbers: low <= value < high, the last bar with high itself; equal: this value alone */
    char label[HISTOGRAM_LABEL_BYTES]; /* category, value or lower end; one line of UTF-8 */
    size_t counts[VALUE_CLASSES];
};

struct histogram {
    struct bar *bars; /* histogram_clear */
    size_t count;
    size_t total; /* values in bars */
};

/* Nominal: one bar for each of the schema's values (with none, too), and "other" where there are others. Numbers: one
 * bar a value where the values are few and whole, else up to HISTOGRAM_MOST bars of equal width with round ends. The
 * values is sorted. */
void histogram_make(const struct column *column, const struct value_counts *values, struct histogram *out);
void histogram_clear(struct histogram *histogram);

static inline size_t bar_count(const struct bar *bar)
{
    return bar->counts[VALUE_NEGATIVE] + bar->counts[VALUE_POSITIVE] + bar->counts[VALUE_UNLABELLED];
}
size_t histogram_highest(const struct histogram *histogram); /* the largest bar_count */
