/* Counting distinct values: see value_counts.h. Open addressing; called for every cell of a table, on the program's
 * only thread. */
#include "trainer/report/value_counts.h"

#include <math.h>
#include <stdlib.h>

static uint64_t hash_bytes(const void *data, size_t bytes)
{
    const unsigned char *at = data;
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t b = 0; b < bytes; b++)
        hash = (hash ^ at[b]) * 1099511628211u;
    return hash ^ hash >> 29;
}

static uint64_t hash_entry(const struct value_count *entry)
{
    if (entry->text.data)
        return hash_bytes(entry->text.data, entry->text.bytes);
    return hash_bytes(&entry->number, sizeof entry->number);
}

static void rebuild(struct value_counts *values)
{
    values->slot_count = values->slot_count ? values->slot_count * 4 : 64;
    free(values->slots);
    values->slots = mem_zeroed(values->slot_count, sizeof *values->slots);
    for (size_t e = 0; e < values->count; e++) {
        size_t slot = hash_entry(&values->entries[e]) & (values->slot_count - 1);
        while (values->slots[slot])
            slot = (slot + 1) & (values->slot_count - 1);
        values->slots[slot] = (uint32_t)e + 1;
    }
}

static bool is_same(const struct value_count *a, const struct value_count *b)
{
    return a->text.data ? span_equal(a->text, b->text) : a->number == b->number;
}

static uint32_t value_counts_add(struct value_counts *values, struct value_count value, int class)
{
    if (values->count * 2 >= values->slot_count)
        rebuild(values);
    values->total++;
    size_t slot = hash_entry(&value) & (values->slot_count - 1);
    for (; values->slots[slot]; slot = (slot + 1) & (values->slot_count - 1)) {
        struct value_count *entry = &values->entries[values->slots[slot] - 1];
        if (is_same(&value, entry)) {
            entry->counts[class]++;
            return entry->place;
        }
    }
    if (values->count == VALUE_COUNTS_MOST) {
        values->beyond++;
        return VALUE_BEYOND;
    }
    values->entries = mem_grow(values->entries, &values->capacity, values->count + 1, sizeof *values->entries);
    if (value.text.data)
        value.text.data = arena_text(&values->texts, value.text.data, value.text.bytes);
    value.counts[class] = 1;
    value.place = (uint32_t)values->count;
    values->entries[values->count++] = value;
    values->slots[slot] = (uint32_t)values->count;
    return value.place;
}

uint32_t value_counts_add_number(struct value_counts *values, double number, int class)
{
    return value_counts_add(values, (struct value_count){.number = number + 0.0}, class); /* −0.0 is 0.0 */
}

uint32_t value_counts_add_text(struct value_counts *values, struct span text, int class)
{
    return value_counts_add(values, (struct value_count){.text = {text.data ? text.data : "", text.bytes}}, class);
}

int value_count_compare(const struct value_count *left, const struct value_count *right)
{
    if (!left->text.data)
        return (left->number > right->number) - (left->number < right->number);
    size_t shared = left->text.bytes < right->text.bytes ? left->text.bytes : right->text.bytes;
    int order = memcmp(left->text.data, right->text.data, shared);
    return order ? order : (left->text.bytes > right->text.bytes) - (left->text.bytes < right->text.bytes);
}

static int value_counts_compare_entries(const void *a, const void *b)
{
    return value_count_compare(a, b);
}

static int value_counts_compare_counts(const void *a, const void *b)
{
    const struct value_count *left = a, *right = b;
    size_t here = value_count_total(left), there = value_count_total(right);
    return here != there ? (here < there) - (here > there)
                         : (left->place > right->place) - (left->place < right->place);
}

static void sort_entries(struct value_counts *values, int (*order)(const void *, const void *))
{
    if (values->count)
        qsort(values->entries, values->count, sizeof *values->entries, order);
    free(values->slots);
    values->slots = NULL;
    values->slot_count = 0;
}

void value_counts_sort(struct value_counts *values)
{
    sort_entries(values, value_counts_compare_entries);
}

void value_counts_sort_by_count(struct value_counts *values)
{
    sort_entries(values, value_counts_compare_counts);
}

static double value_counts_number_at(const struct value_counts *values, size_t place)
{
    size_t seen = 0, e = 0;
    for (; e + 1 < values->count; e++) {
        seen += value_count_total(&values->entries[e]);
        if (place < seen)
            break;
    }
    return values->entries[e].number;
}

double value_counts_quantile(const struct value_counts *values, double share)
{
    size_t known = values->total - values->beyond;
    if (known == 0)
        return NAN;
    double place = share * (double)(known - 1), whole = floor(place);
    double low = value_counts_number_at(values, (size_t)whole),
           high = value_counts_number_at(values, (size_t)ceil(place));
    return low + (high - low) * (place - whole);
}

void value_counts_free(struct value_counts *values)
{
    free(values->entries);
    free(values->slots);
    arena_free(&values->texts);
    *values = (struct value_counts){0};
}
