/* A schema's name on the wire: an id, or a GUID. */
#pragma once

#include "base/bytes.h"

enum { FRAME_GUID_BYTES = 16, SCHEMA_KEY_TEXT_BYTES = 48 };

/* Plain data; make them with schema_key_of_id or frame_read alone, so that equal keys are equal in every byte. */
struct schema_key {
    uint32_t id; /* 0 where it is a GUID */
    uint32_t is_guid;
    uint8_t guid[FRAME_GUID_BYTES];
};

static inline struct schema_key schema_key_of_id(uint32_t id)
{
    return (struct schema_key){.id = id};
}

static inline bool schema_key_equal(const struct schema_key *a, const struct schema_key *b)
{
    return a->id == b->id && a->is_guid == b->is_guid && memcmp(a->guid, b->guid, sizeof a->guid) == 0;
}

/* "7", or "8d3e…-…" in the usual form of GUIDs. */
void schema_key_text(const struct schema_key *key, char text[SCHEMA_KEY_TEXT_BYTES]);
