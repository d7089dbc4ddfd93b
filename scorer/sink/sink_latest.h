/* Of the predictions in a batch of the sink: which is each employee's newest. Its own rows are offsets into the table's
 * buffer, which grows meanwhile. */
#pragma once

#include "base/bytes.h"

struct sink_latest_row {
    size_t at, bytes;      /* in the table */
    size_t key, key_bytes; /* the employee id within it */
    int64_t occurred_at_ms, source_offset, scored_at_us;
    int64_t hired_offset; /* source offset of the last HIRED event of that time and partition; -1: none */
    int32_t source_partition;
};

/* Plain data; embedded in sink_rows.c. */
struct sink_latest {
    const struct buffer *table;
    struct sink_latest_row *rows;
    size_t count, capacity;
    uint32_t *slots;   /* hash table of rows: index + 1, 0 is free */
    size_t slot_count; /* a power of two, at least twice the capacity */
};

/* Borrows the table. */
void sink_latest_init(struct sink_latest *latest, const struct buffer *table);
void sink_latest_free(struct sink_latest *latest);

void sink_latest_note(struct sink_latest *latest, const struct sink_latest_row *seen);
/* What the employee had in this batch is erased with the rest; only what comes after may become the latest. */
void sink_latest_forget(struct sink_latest *latest, struct span employee_id);
/* By employee id. */
void sink_latest_sort(struct sink_latest *latest);
void sink_latest_clear(struct sink_latest *latest);
