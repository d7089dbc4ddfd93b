/* Requests to erase, by employee: see erasures.h. Of each employee and partition the last request is kept: a request
 * covers all before it. */
#include "producer/erasures.h"

#include <stdlib.h>

#include "base/memory.h"

struct erasure {
    struct erasure *next; /* of the same employee, in another partition */
    struct erasure_place last;
    size_t id_bytes;
    char id[];
};

enum { SLOTS_FIRST = 64 };

static uint64_t id_hash(struct span id)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < id.bytes; i++)
        value = (value ^ (uint8_t)id.data[i]) * UINT64_C(0x100000001b3);
    return value;
}

static size_t slot_of(struct erasure *const *slots, size_t slot_count, struct span id)
{
    size_t slot = id_hash(id) & (slot_count - 1);
    while (slots[slot] && !span_equal((struct span){slots[slot]->id, slots[slot]->id_bytes}, id))
        slot = (slot + 1) & (slot_count - 1);
    return slot;
}

static void grow_slots(struct erasures *erasures)
{
    if (erasures->slot_count && erasures->count * 4 < erasures->slot_count * 3)
        return;
    size_t count = erasures->slot_count ? erasures->slot_count << 1 : SLOTS_FIRST;
    struct erasure **slots = mem_zeroed(count, sizeof *slots);
    for (size_t s = 0; s < erasures->slot_count; s++) {
        struct erasure *erasure = erasures->slots[s];
        if (erasure)
            slots[slot_of(slots, count, (struct span){erasure->id, erasure->id_bytes})] = erasure;
    }
    free(erasures->slots);
    erasures->slots = slots;
    erasures->slot_count = count;
}

static void raise(struct erasure_place *last, struct erasure_place request)
{
    if (request.offset > last->offset)
        last->offset = request.offset;
    if (request.time_ms > last->time_ms)
        last->time_ms = request.time_ms;
}

static void note_latest(struct erasures *erasures, struct erasure_place request)
{
    for (size_t p = 0; p < erasures->partition_count; p++)
        if (erasures->latest[p].partition == request.partition) {
            raise(&erasures->latest[p], request);
            return;
        }
    erasures->latest = mem_resize(erasures->latest, erasures->partition_count + 1, sizeof *erasures->latest);
    erasures->latest[erasures->partition_count++] = request;
}

void erasures_add(struct erasures *erasures, struct span id, struct erasure_place request)
{
    note_latest(erasures, request);
    grow_slots(erasures);
    size_t slot = slot_of(erasures->slots, erasures->slot_count, id);
    for (struct erasure *erasure = erasures->slots[slot]; erasure; erasure = erasure->next)
        if (erasure->last.partition == request.partition) {
            raise(&erasure->last, request);
            return;
        }
    struct erasure *added = (struct erasure *)mem_zeroed(1, sizeof *added + id.bytes);
    added->next = erasures->slots[slot];
    added->last = request;
    added->id_bytes = id.bytes;
    memcpy(added->id, id.data, id.bytes);
    erasures->count += !erasures->slots[slot];
    erasures->slots[slot] = added;
}

static bool place_follows(const struct erasure_place *request, struct erasure_place event)
{
    bool comparable = request->partition >= 0 && request->partition == event.partition;
    return comparable ? request->offset > event.offset : request->time_ms >= event.time_ms;
}

bool erasures_follow(const struct erasures *erasures, struct span id, struct erasure_place event)
{
    if (!id.data) {
        for (size_t p = 0; p < erasures->partition_count; p++)
            if (place_follows(&erasures->latest[p], event))
                return true;
        return false;
    }
    const struct erasure *erasure =
        erasures->slot_count ? erasures->slots[slot_of(erasures->slots, erasures->slot_count, id)] : NULL;
    for (; erasure; erasure = erasure->next)
        if (place_follows(&erasure->last, event))
            return true;
    return false;
}

void erasures_free(struct erasures *erasures)
{
    for (size_t s = 0; s < erasures->slot_count; s++)
        for (struct erasure *next, *erasure = erasures->slots[s]; erasure; erasure = next) {
            next = erasure->next;
            free(erasure);
        }
    free(erasures->slots);
    free(erasures->latest);
    *erasures = (struct erasures){0};
}
