/* The attributes record written into reserved room: shared by event_encoder.c and prediction.c. */
#pragma once

#include "avro/write.h"
#include "events/schema_private.h"

/* A text that was encoded at load: so many bytes may be read of it, so that most are copied without a call. */
enum { ENCODED_ROOM = 32 };

/* Takes its own bytes and, for a while, ENCODED_ROOM. */
static inline char *put_encoded(char *at, struct span encoded)
{
    memcpy(at, encoded.data, ENCODED_ROOM);
    if (encoded.bytes > ENCODED_ROOM)
        memcpy(at, encoded.data, encoded.bytes);
    return at + encoded.bytes;
}

size_t attributes_bound(const struct schema_parts *parts, const struct cell *cells); /* bytes it takes at most */
char *attributes_put(const struct schema_parts *parts, const struct cell *cells, char *at);

/* The same where the bytes may be there already: `encoded`, or SPAN_NULL. */
static inline size_t attributes_bound_of(const struct schema_parts *parts, struct span encoded,
                                         const struct cell *cells)
{
    return encoded.data ? encoded.bytes : attributes_bound(parts, cells);
}

static inline char *attributes_put_of(const struct schema_parts *parts, struct span encoded, const struct cell *cells,
                                      char *at)
{
    return encoded.data ? avro_put_raw(at, encoded) : attributes_put(parts, cells, at);
}
