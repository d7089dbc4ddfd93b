/* Distinct values of one column with how often each occurs, by class: all that a description needs, in memory that the
 * number of distinct values bounds, not the number of rows. */
#ifndef TRAINER_REPORT_TALLY_H
#define TRAINER_REPORT_TALLY_H

#include "base/bytes.h"
#include "base/memory.h"

enum { TALLY_NEGATIVE, TALLY_POSITIVE, TALLY_UNLABELLED, TALLY_CLASSES };
enum { TALLY_MOST = 1 << 20 };

struct tally_entry {
    double number;    /* where text.data is NULL */
    struct span text; /* owned by the tally */
    size_t counts[TALLY_CLASSES];
};

/* Zero-initialised is empty; tally_free. Plain data. */
struct tally {
    struct tally_entry *entries;
    size_t count, capacity;
    uint32_t *slots; /* index + 1, 0: free; a power of two of them */
    size_t slot_count;
    size_t total, beyond; /* values seen; of them those that found TALLY_MOST others there before */
    struct arena texts;
};

void tally_add_number(struct tally *tally, double number, int class);
void tally_add_text(struct tally *tally, struct span text, int class);
void tally_free(struct tally *tally);

/* Ascending: numbers by value, texts by bytes. Nothing may be added afterwards. */
void tally_sort(struct tally *tally);

static inline size_t tally_entry_count(const struct tally_entry *entry)
{
    return entry->counts[TALLY_NEGATIVE] + entry->counts[TALLY_POSITIVE] + entry->counts[TALLY_UNLABELLED];
}

/* Of a sorted tally of numbers: the value below which the share lies, as numpy interpolates. NaN where it is empty. */
double tally_quantile(const struct tally *tally, double share);

#endif
