/* Which letters of a partition have been replayed: all below an offset, and ranges above it. Kept as the replay group's
 * committed offset and its metadata, so that filters may take letters in any order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { DLQ_REPLAYED_BYTES = 4000 }; /* brokers take 4096 bytes of metadata by default */

struct dlq_range {
    int64_t start, end; /* end is not included */
};

/* Plain data; zero-initialised: nothing was replayed. Free with dlq_replayed_free. */
struct dlq_replayed {
    int64_t base; /* everything below was replayed */
    struct dlq_range *ranges;
    size_t count, capacity;
    int64_t next; /* one past the last letter read: between two letters there are none */
    bool changed; /* since the last commit */
};

void dlq_replayed_free(struct dlq_replayed *replayed);
/* False where the text is none of ours: then only base counts. */
bool dlq_replayed_read(struct dlq_replayed *replayed, int64_t base, const char *text, size_t bytes);
void dlq_replayed_write(const struct dlq_replayed *replayed,
                        struct buffer *out); /* "2+5,10+1" and NUL: gaps and lengths */

/* The log starts at `low` now: what is gone is not kept. */
void dlq_replayed_raise(struct dlq_replayed *replayed, int64_t low);

bool dlq_replayed_have(const struct dlq_replayed *replayed, int64_t offset);
/* Letters come in order. add takes the one at hand. False: the ranges would not fit any more, nothing was added. */
bool dlq_replayed_add(struct dlq_replayed *replayed, int64_t offset);
void dlq_replayed_pass(struct dlq_replayed *replayed,
                       int64_t offset); /* the letter at hand is done with, added or not */
