/* Counting distinct values: see tally.h. Open addressing; called for every cell of a table, on the program's only
 * thread. */
#include "trainer/report/tally.h"

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

static uint64_t hash_entry(const struct tally_entry *entry)
{
    if (entry->text.data)
        return hash_bytes(entry->text.data, entry->text.bytes);
    return hash_bytes(&entry->number, sizeof entry->number);
}

static void rebuild(struct tally *tally)
{
    tally->slot_count = tally->slot_count ? tally->slot_count * 4 : 64;
    free(tally->slots);
    tally->slots = mem_zeroed(tally->slot_count, sizeof *tally->slots);
    for (size_t e = 0; e < tally->count; e++) {
        size_t slot = hash_entry(&tally->entries[e]) & (tally->slot_count - 1);
        while (tally->slots[slot])
            slot = (slot + 1) & (tally->slot_count - 1);
        tally->slots[slot] = (uint32_t)e + 1;
    }
}

static bool is_same(const struct tally_entry *a, const struct tally_entry *b)
{
    return a->text.data ? span_equal(a->text, b->text) : a->number == b->number;
}

static void tally_add(struct tally *tally, struct tally_entry value, int class)
{
    if (tally->count * 2 >= tally->slot_count)
        rebuild(tally);
    tally->total++;
    size_t slot = hash_entry(&value) & (tally->slot_count - 1);
    for (; tally->slots[slot]; slot = (slot + 1) & (tally->slot_count - 1)) {
        struct tally_entry *entry = &tally->entries[tally->slots[slot] - 1];
        if (is_same(&value, entry)) {
            entry->counts[class]++;
            return;
        }
    }
    if (tally->count == TALLY_MOST) {
        tally->beyond++;
        return;
    }
    tally->entries = mem_grow(tally->entries, &tally->capacity, tally->count + 1, sizeof *tally->entries);
    if (value.text.data)
        value.text.data = arena_text(&tally->texts, value.text.data, value.text.bytes);
    value.counts[class] = 1;
    tally->entries[tally->count++] = value;
    tally->slots[slot] = (uint32_t)tally->count;
}

void tally_add_number(struct tally *tally, double number, int class)
{
    tally_add(tally, (struct tally_entry){.number = number + 0.0}, class); /* −0.0 is 0.0 */
}

void tally_add_text(struct tally *tally, struct span text, int class)
{
    tally_add(tally, (struct tally_entry){.text = {text.data ? text.data : "", text.bytes}}, class);
}

static int tally_compare_entries(const void *a, const void *b)
{
    const struct tally_entry *left = a, *right = b;
    if (!left->text.data)
        return (left->number > right->number) - (left->number < right->number);
    size_t shared = left->text.bytes < right->text.bytes ? left->text.bytes : right->text.bytes;
    int order = memcmp(left->text.data, right->text.data, shared);
    return order ? order : (left->text.bytes > right->text.bytes) - (left->text.bytes < right->text.bytes);
}

void tally_sort(struct tally *tally)
{
    if (tally->count)
        qsort(tally->entries, tally->count, sizeof *tally->entries, tally_compare_entries);
    free(tally->slots);
    tally->slots = NULL;
    tally->slot_count = 0;
}

static double tally_number_at(const struct tally *tally, size_t place)
{
    size_t seen = 0, e = 0;
    for (; e + 1 < tally->count; e++) {
        seen += tally_entry_count(&tally->entries[e]);
        if (place < seen)
            break;
    }
    return tally->entries[e].number;
}

double tally_quantile(const struct tally *tally, double share)
{
    size_t known = tally->total - tally->beyond;
    if (known == 0)
        return NAN;
    double place = share * (double)(known - 1), whole = floor(place);
    double low = tally_number_at(tally, (size_t)whole), high = tally_number_at(tally, (size_t)ceil(place));
    return low + (high - low) * (place - whole);
}

void tally_free(struct tally *tally)
{
    free(tally->entries);
    free(tally->slots);
    arena_free(&tally->texts);
    *tally = (struct tally){0};
}
