/* Which schema a message's bytes were written with: the frame before the datum, or the header beside it.
 *
 * Confluent's forms: byte 0 and a 4-byte big-endian id, or byte 1 and a 16-byte GUID; either at the start of the value,
 * or as the value of the header FRAME_HEADER, the value being the bare datum then. */
#ifndef EVENTS_FRAME_H
#define EVENTS_FRAME_H

#include "base/bytes.h"
#include "events/error_codes.h"

#define FRAME_HEADER "__value_schema_id"

enum { FRAME_GUID_BYTES = 16, SCHEMA_KEY_TEXT_BYTES = 48 };

/* A schema's name on the wire. Plain data; make them with schema_key_of_id or frame_read alone, so that equal keys are
 * equal in every byte. */
struct schema_key {
    uint32_t id; /* 0 where it is a GUID */
    uint32_t is_guid;
    uint8_t guid[FRAME_GUID_BYTES];
};

struct frame {
    struct schema_key key;
    struct span datum; /* borrows from the value */
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

/* `header`: the last FRAME_HEADER of the message, or SPAN_NULL; it wins over what the value starts with. */
enum event_code frame_read(struct span value, struct span header, struct frame *out, struct fault *fault);

#endif
