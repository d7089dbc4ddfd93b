/* Employees of the state topic: see rescore_people.h. Filled record by record while the topic is read. */
#include "producer/rescore_people.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { SLOTS_FIRST = 1024 };

static uint64_t hash_of(struct span id, int32_t partition)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325) ^ (uint32_t)partition; /* FNV-1a */
    for (size_t i = 0; i < id.bytes; i++)
        value = (value ^ (uint8_t)id.data[i]) * UINT64_C(0x100000001b3);
    return value ^ value >> 29;
}

static bool is_same(const struct rescore_people *people, const struct rescore_person *person, struct span id,
                    int32_t partition)
{
    return person->partition == partition && span_equal(rescore_person_id(people, person), id);
}

/* Where it is, or would be. */
static size_t slot_of(const struct rescore_people *people, struct span id, int32_t partition)
{
    size_t slot = hash_of(id, partition) & (people->slot_count - 1);
    while (people->slots[slot] && !is_same(people, &people->items[people->slots[slot] - 1], id, partition))
        slot = (slot + 1) & (people->slot_count - 1);
    return slot;
}

static void grow_slots(struct rescore_people *people)
{
    if (people->count * 4 < people->slot_count * 3)
        return;
    free(people->slots);
    people->slot_count = people->slot_count ? people->slot_count << 1 : SLOTS_FIRST;
    people->slots = mem_zeroed(people->slot_count, sizeof *people->slots);
    for (size_t i = 0; i < people->count; i++) {
        const struct rescore_person *person = &people->items[i];
        people->slots[slot_of(people, rescore_person_id(people, person), person->partition)] = (uint32_t)(i + 1);
    }
}

void rescore_people_note(struct rescore_people *people, struct span id, const struct rescore_person *record)
{
    grow_slots(people);
    size_t slot = slot_of(people, id, record->partition);
    if (!people->slots[slot]) {
        people->items = mem_grow(people->items, &people->capacity, people->count + 1, sizeof *people->items);
        people->items[people->count++] = (struct rescore_person){.id_at = people->ids.bytes};
        people->slots[slot] = (uint32_t)people->count;
        buffer_add(&people->ids, id.data, id.bytes);
    }
    struct rescore_person *person = &people->items[people->slots[slot] - 1];
    size_t id_at = person->id_at;
    *person = *record;
    person->id_at = id_at;
    person->id_bytes = (uint32_t)id.bytes;
}

void rescore_people_free(struct rescore_people *people)
{
    free(people->items);
    free(people->slots);
    buffer_free(&people->ids);
    *people = (struct rescore_people){0};
}
