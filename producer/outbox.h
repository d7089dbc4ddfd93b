/* Events encoded and waiting to be sent, in order, each with the position of the input that it completes: what one
 * transaction of backfill holds. Kept until the transaction is committed, so that one that is rolled back is sent
 * again. Plain data, one owner at a time; zero-initialise it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "producer/resume_position.h"

enum { OUTBOX_EVENTS = 20000, OUTBOX_BYTES = 8 << 20 };

struct outbox_event {
    size_t key_at, value_at; /* in bytes */
    uint32_t key_bytes, value_bytes;
    bool has_key;
    uintptr_t tag;
    struct resume_position after;
    const char *refused; /* why it never can be delivered; NULL: it can */
    int64_t offset;      /* where it came to lie, if reports of success are asked for */
    int32_t partition;
    int32_t wanted; /* the partition it is to go to; -1: its key's */
};

struct outbox {
    struct buffer bytes;
    struct outbox_event *events;
    size_t count, capacity;
    struct resume_position after; /* of all rows so far: rejected ones may follow the last event */
    bool moved;                   /* after has not been committed */
};

static inline bool outbox_is_full(const struct outbox *outbox)
{
    return outbox->count >= OUTBOX_EVENTS || outbox->bytes.bytes >= OUTBOX_BYTES;
}

/* `partition` −1: the key's. `after`: the position once this event counts. */
void outbox_add(struct outbox *outbox, struct span key, struct span value, int32_t partition, uintptr_t tag,
                const struct resume_position *after);
void outbox_pass(struct outbox *outbox, const struct resume_position *after); /* a row without an event */
void outbox_clear(struct outbox *outbox);                                     /* keeps its memory, and the position */
void outbox_free(struct outbox *outbox);

static inline struct span outbox_key(const struct outbox *outbox, const struct outbox_event *event)
{
    return event->has_key ? (struct span){outbox->bytes.data + event->key_at, event->key_bytes} : SPAN_NULL;
}

static inline struct span outbox_value(const struct outbox *outbox, const struct outbox_event *event)
{
    return (struct span){outbox->bytes.data + event->value_at, event->value_bytes};
}
