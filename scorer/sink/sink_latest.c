/* The newest prediction of each employee: see sink_latest.h. Called by sink_rows.c on the sink's thread; after warm-up
 * nothing here allocates. */
#include "scorer/sink/sink_latest.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static uint64_t hash(struct span text)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < text.bytes; i++)
        value = (value ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    return value ^ value >> 29;
}

static struct span key_of(const struct sink_latest *latest, const struct sink_latest_row *row)
{
    return (struct span){latest->table->data + row->key, row->key_bytes};
}

static uint32_t *slot_of(struct sink_latest *latest, struct span employee_id)
{
    size_t mask = latest->slot_count - 1;
    for (size_t s = hash(employee_id) & mask;; s = (s + 1) & mask) {
        uint32_t index = latest->slots[s];
        if (!index || span_equal(key_of(latest, &latest->rows[index - 1]), employee_id))
            return &latest->slots[s];
    }
}

static void index_rows(struct sink_latest *latest)
{
    memset(latest->slots, 0, latest->slot_count * sizeof *latest->slots);
    for (size_t i = 0; i < latest->count; i++)
        *slot_of(latest, key_of(latest, &latest->rows[i])) = (uint32_t)i + 1;
}

static void grow(struct sink_latest *latest)
{
    latest->capacity = latest->capacity ? latest->capacity * 2 : 1024;
    latest->rows = mem_resize(latest->rows, latest->capacity, sizeof *latest->rows);
    latest->slot_count = latest->capacity * 2;
    free(latest->slots);
    latest->slots = mem_zeroed(latest->slot_count, sizeof *latest->slots);
    index_rows(latest);
}

/* Offsets of two partitions say nothing: where a topic has grown, an employee's later events may be in another one. */
static bool newer(const struct sink_latest_row *a, const struct sink_latest_row *b)
{
    if (a->occurred_at_ms != b->occurred_at_ms)
        return a->occurred_at_ms > b->occurred_at_ms;
    return a->source_partition == b->source_partition ? a->source_offset > b->source_offset
                                                      : a->scored_at_us > b->scored_at_us;
}

void sink_latest_note(struct sink_latest *latest, const struct sink_latest_row *seen)
{
    if (latest->count == latest->capacity)
        grow(latest);
    uint32_t *slot = slot_of(latest, key_of(latest, seen));
    if (!*slot) {
        latest->rows[latest->count++] = *seen;
        *slot = (uint32_t)latest->count;
    } else if (newer(seen, &latest->rows[*slot - 1])) {
        struct sink_latest_row *kept = &latest->rows[*slot - 1], before = *kept;
        *kept = *seen;
        if (seen->hired_offset < 0 && before.occurred_at_ms == seen->occurred_at_ms &&
            before.source_partition == seen->source_partition)
            kept->hired_offset = before.hired_offset;
    }
}

void sink_latest_forget(struct sink_latest *latest, struct span employee_id)
{
    uint32_t index = *slot_of(latest, employee_id);
    if (!index)
        return;
    latest->rows[index - 1] = latest->rows[--latest->count];
    index_rows(latest);
}

void sink_latest_clear(struct sink_latest *latest)
{
    latest->count = 0;
    memset(latest->slots, 0, latest->slot_count * sizeof *latest->slots);
}

static int by_key(const void *a, const void *b, void *context)
{
    struct span left = key_of(context, a), right = key_of(context, b);
    int order = memcmp(left.data, right.data, left.bytes < right.bytes ? left.bytes : right.bytes);
    return order ? order : (left.bytes > right.bytes) - (left.bytes < right.bytes);
}

void sink_latest_sort(struct sink_latest *latest)
{
    qsort_r(latest->rows, latest->count, sizeof *latest->rows, by_key, latest);
    index_rows(latest);
}

void sink_latest_init(struct sink_latest *latest, const struct buffer *table)
{
    *latest = (struct sink_latest){.table = table};
    grow(latest);
}

void sink_latest_free(struct sink_latest *latest)
{
    free(latest->rows);
    free(latest->slots);
}
