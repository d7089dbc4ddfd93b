/* Events waiting to be sent: see outbox.h. Filled by the main thread, emptied by the sender's. */
#include "producer/outbox.h"

#include <stdlib.h>

#include "base/memory.h"

void outbox_add(struct outbox *outbox, struct span key, struct span value, int32_t partition, uintptr_t tag,
                const struct resume_position *after)
{
    outbox->events = mem_grow(outbox->events, &outbox->capacity, outbox->count + 1, sizeof *outbox->events);
    struct outbox_event *event = &outbox->events[outbox->count++];
    *event = (struct outbox_event){.key_at = outbox->bytes.bytes,
                                   .value_at = outbox->bytes.bytes + key.bytes,
                                   .key_bytes = (uint32_t)key.bytes,
                                   .value_bytes = (uint32_t)value.bytes,
                                   .has_key = key.data != NULL,
                                   .tag = tag,
                                   .after = *after,
                                   .offset = -1,
                                   .wanted = partition};
    buffer_add(&outbox->bytes, key.data, key.bytes);
    buffer_add(&outbox->bytes, value.data, value.bytes);
    outbox_pass(outbox, after);
}

void outbox_pass(struct outbox *outbox, const struct resume_position *after)
{
    outbox->after = *after;
    outbox->moved = true;
}

void outbox_clear(struct outbox *outbox)
{
    buffer_clear(&outbox->bytes);
    outbox->count = 0;
    outbox->moved = false;
}

void outbox_free(struct outbox *outbox)
{
    buffer_free(&outbox->bytes);
    free(outbox->events);
    *outbox = (struct outbox){0};
}
