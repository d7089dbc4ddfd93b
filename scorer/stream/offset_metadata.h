/* The metadata of an offset that a score loop commits: which record was the last one before it, so that a start
 * recognises a log that has another one there (recreated, or truncated and written again), and whether current records
 * were committed with it. Text, as `kafka-consumer-groups --describe --offsets` may show it: "next=9 last=7 ms=70
 * state". Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OFFSET_METADATA_BYTES = 96, NO_RECORD = -1 };

/* A record that was handled, as it can be recognised: a log that has another one there is not the same log. Plain data.
 */
struct handled_record {
    int64_t offset; /* NO_RECORD: none known */
    int64_t timestamp_ms;
};

/* To be committed with the offset `next`. Empty where there is neither a record before it nor current records. */
void offset_metadata_write(int64_t next, const struct handled_record *last, bool current_records,
                           char out[OFFSET_METADATA_BYTES]);
/* The last record before the offset `committed`. Anything that offset_metadata_write has not written for this very
 * offset, and NULL, names none. */
struct handled_record offset_metadata_last(int64_t committed, const char *metadata, size_t bytes);
/* Whether current records were committed with the offset. NULL: no. */
bool offset_metadata_has_current_records(const char *metadata, size_t bytes);
