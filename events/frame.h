/* Which schema a message's bytes were written with: the frame before the datum, or the header beside it.
 *
 * Confluent's forms: byte 0 and a 4-byte big-endian id, or byte 1 and a 16-byte GUID; either at the start of the value,
 * or as the value of the header FRAME_HEADER, the value being the bare datum then. */
#pragma once

#include "events/error_codes.h"
#include "avro/schema_key.h"

#define FRAME_HEADER "__value_schema_id"

enum { FRAME_BYTES = 5 }; /* as we write it: byte 0 and the id */

struct frame {
    struct schema_key key;
    struct span datum; /* borrows from the value */
};

/* `header`: the last FRAME_HEADER of the message, or SPAN_NULL; it wins over what the value starts with. */
enum event_code frame_read(struct span value, struct span header, struct frame *out, struct fault *fault);

/* Into FRAME_BYTES of reserved room; returns the position after. */
static inline char *frame_put(char *at, uint32_t schema_id)
{
    uint32_t id = htobe32(schema_id);
    *at = 0;
    memcpy(at + 1, &id, sizeof id);
    return at + FRAME_BYTES;
}
