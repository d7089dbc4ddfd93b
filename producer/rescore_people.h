/* Whom the state topic has a current record of: the last record of each employee and partition, in bounded memory
 * (about 60 bytes and the id). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct rescore_person {
    size_t id_at; /* in ids */
    uint32_t id_bytes;
    int32_t partition;
    int64_t offset, occurred_at_ms; /* of the record */
    bool present, wanted;
};

/* Plain data; zero-initialise. */
struct rescore_people {
    struct rescore_person *items;
    size_t count, capacity;
    struct buffer ids;
    uint32_t *slots; /* 1 + place among the items, by the hash; a power of two of them */
    size_t slot_count;
};

void rescore_people_free(struct rescore_people *people);

/* A record, in the order of the partition: it takes the place of what was known. present false: there is none any more,
 * or the employee has left; wanted: it is to be scored again. */
void rescore_people_note(struct rescore_people *people, struct span id, const struct rescore_person *record);

static inline struct span rescore_person_id(const struct rescore_people *people, const struct rescore_person *person)
{
    return (struct span){people->ids.data + person->id_at, person->id_bytes};
}
