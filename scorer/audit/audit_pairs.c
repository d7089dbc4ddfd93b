/* Pairing by key and value, and what erasures reach: see audit_pairs.h. Called by audit_ledger.c on the main thread.
 *
 * All of it is rare in a topic of today's scorer, whose records name their sources: lists that are sorted once suffice.
 */
#include "scorer/audit/audit_pairs.h"

#include <stdlib.h>

#include "base/memory.h"

struct source {
    uint64_t match;    /* hash of the value, or of the key where that is null */
    uint64_t employee; /* hash of the key; 0: none */
    int64_t offset;
    int32_t partition;
    bool null_value, paired;
};

struct erasure {
    uint64_t employee;
    int64_t offset; /* of the null value in the output topic */
    int64_t source_offset;
    int32_t partition, source_partition; /* source_partition -1: not known */
};

struct audit_pairs {
    struct audit_record *records, *noted;
    struct source *sources;
    struct erasure *erasures;
    size_t record_count, noted_count, source_count, erasure_count;
    size_t record_capacity, noted_capacity, source_capacity, erasure_capacity;
    bool sorted;                     /* the erasures */
    struct audit_receipts *receipts; /* borrowed; NULL: none */
};

struct audit_pairs *audit_pairs_new(void)
{
    return mem_zeroed(1, sizeof(struct audit_pairs));
}

void audit_pairs_use_receipts(struct audit_pairs *pairs, struct audit_receipts *receipts)
{
    pairs->receipts = receipts;
}

void audit_pairs_free(struct audit_pairs *pairs)
{
    if (!pairs)
        return;
    free(pairs->records);
    free(pairs->noted);
    free(pairs->sources);
    free(pairs->erasures);
    free(pairs);
}

void audit_pairs_add_record(struct audit_pairs *pairs, const struct audit_record *record)
{
    pairs->records = mem_grow(pairs->records, &pairs->record_capacity, pairs->record_count + 1, sizeof *pairs->records);
    pairs->records[pairs->record_count++] = *record;
}

void audit_pairs_add_source(struct audit_pairs *pairs, int32_t partition, int64_t offset, struct span key,
                            struct span value)
{
    uint64_t employee = audit_employee(pairs->receipts, key);
    pairs->sources = mem_grow(pairs->sources, &pairs->source_capacity, pairs->source_count + 1, sizeof *pairs->sources);
    pairs->sources[pairs->source_count++] = (struct source){
        .match = value.data ? audit_hash(0, value) : employee,
        .employee = employee,
        .offset = offset,
        .partition = partition,
        .null_value = !value.data,
    };
}

void audit_pairs_add_erasure(struct audit_pairs *pairs, uint64_t employee, int32_t partition, int64_t offset)
{
    pairs->erasures =
        mem_grow(pairs->erasures, &pairs->erasure_capacity, pairs->erasure_count + 1, sizeof *pairs->erasures);
    pairs->erasures[pairs->erasure_count++] =
        (struct erasure){.employee = employee, .offset = offset, .partition = partition, .source_partition = -1};
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int by_employee(const void *a, const void *b)
{
    const struct erasure *left = a, *right = b;
    return COMPARE(left->employee, right->employee);
}

static int by_source_match(const void *a, const void *b)
{
    const struct source *left = a, *right = b;
    int order = COMPARE(left->match, right->match);
    order = order ? order : COMPARE(left->null_value, right->null_value);
    order = order ? order : COMPARE(left->partition, right->partition);
    return order ? order : COMPARE(left->offset, right->offset);
}

static bool is_erasure(const struct audit_record *record)
{
    return record->end == AUDIT_ERASURE;
}

static int by_record_match(const void *a, const void *b)
{
    const struct audit_record *left = a, *right = b;
    int order = COMPARE(left->match, right->match);
    order = order ? order : COMPARE(is_erasure(left), is_erasure(right));
    order = order ? order : COMPARE(left->partition, right->partition);
    return order ? order : COMPARE(left->offset, right->offset);
}

static void sort(void *list, size_t count, size_t size, int (*by)(const void *, const void *))
{
    if (count)
        qsort(list, count, size, by);
}

/* The erasures of an employee: the first of them, and how many. */
static struct erasure *erasures_of(struct audit_pairs *pairs, uint64_t employee, size_t *count)
{
    const struct erasure wanted = {.employee = employee};
    if (!pairs->sorted)
        sort(pairs->erasures, pairs->erasure_count, sizeof *pairs->erasures, by_employee);
    pairs->sorted = true;
    *count = 0;
    if (!pairs->erasure_count || !employee)
        return NULL;
    struct erasure *end = pairs->erasures + pairs->erasure_count,
                   *first = bsearch(&wanted, pairs->erasures, pairs->erasure_count, sizeof wanted, by_employee);
    while (first && first > pairs->erasures && first[-1].employee == employee)
        first--;
    while (first && first + *count < end && first[*count].employee == employee)
        ++*count;
    return first;
}

static void note_source(struct audit_pairs *pairs, const struct audit_record *record)
{
    size_t count;
    struct erasure *erasures = erasures_of(pairs, record->employee, &count);
    for (size_t e = 0; e < count; e++) {
        if (erasures[e].partition != record->partition || erasures[e].offset != record->offset)
            continue;
        erasures[e].source_partition = record->source_partition;
        erasures[e].source_offset = record->source_offset;
    }
}

void audit_pairs_note_employee(struct audit_pairs *pairs, const struct audit_record *record)
{
    size_t count;
    if (!pairs->erasure_count || !erasures_of(pairs, record->employee, &count))
        return;
    if (is_erasure(record)) {
        if (record->source == AUDIT_SOURCE_KNOWN)
            note_source(pairs, record);
        return;
    }
    pairs->noted = mem_grow(pairs->noted, &pairs->noted_capacity, pairs->noted_count + 1, sizeof *pairs->noted);
    pairs->noted[pairs->noted_count++] = *record;
}

static int pair_order(const struct audit_record *record, const struct source *source)
{
    int order = COMPARE(record->match, source->match);
    return order ? order : COMPARE(is_erasure(record), source->null_value);
}

void audit_pairs_match(struct audit_pairs *pairs, void (*on_pair)(void *, const struct audit_record *),
                       void (*on_single)(void *, const struct audit_record *), void *context)
{
    size_t s = 0;
    sort(pairs->records, pairs->record_count, sizeof *pairs->records, by_record_match);
    sort(pairs->sources, pairs->source_count, sizeof *pairs->sources, by_source_match);
    for (size_t r = 0; r < pairs->record_count; r++) {
        struct audit_record *record = &pairs->records[r];
        while (s < pairs->source_count && pair_order(record, &pairs->sources[s]) > 0)
            s++;
        if (s == pairs->source_count || pair_order(record, &pairs->sources[s])) {
            on_single(context, record);
            continue;
        }
        record->source_partition = pairs->sources[s].partition;
        record->source_offset = pairs->sources[s].offset;
        pairs->sources[s++].paired = true;
        on_pair(context, record);
        note_source(pairs, record);
    }
}

/* An erasure reaches what came before it; where the order is not known, everything. */
static bool reaches(const struct erasure *erasure, const struct audit_record *record)
{
    if (record->topic == SINK_TOPIC_OUTPUT && erasure->partition == record->partition)
        return record->offset < erasure->offset;
    if (record->source == AUDIT_SOURCE_KNOWN && erasure->source_partition == record->source_partition)
        return record->source_offset < erasure->source_offset;
    return true;
}

void audit_pairs_erasable(struct audit_pairs *pairs, void (*on_erasable)(void *, const struct audit_record *),
                          void *context)
{
    for (size_t n = 0; n < pairs->noted_count; n++) {
        size_t count;
        const struct erasure *erasures = erasures_of(pairs, pairs->noted[n].employee, &count);
        for (size_t e = 0; e < count; e++) {
            if (!reaches(&erasures[e], &pairs->noted[n]))
                continue;
            on_erasable(context, &pairs->noted[n]);
            break;
        }
    }
}

void audit_pairs_erased_sources(struct audit_pairs *pairs, void (*on_erased)(void *, int32_t, int64_t), void *context)
{
    for (size_t s = 0; s < pairs->source_count; s++) {
        const struct source *source = &pairs->sources[s];
        size_t count;
        const struct erasure *erasures = source->paired ? NULL : erasures_of(pairs, source->employee, &count);
        for (size_t e = 0; erasures && e < count; e++) {
            if (erasures[e].source_partition == source->partition && erasures[e].source_offset < source->offset)
                continue;
            on_erased(context, source->partition, source->offset);
            break;
        }
    }
}
