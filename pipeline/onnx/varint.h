/* Integers as protobuf writes them: seven bits a byte, the lowest first. Inside of this folder. */
#pragma once

#include "base/bytes.h"

/* False: cut off, or more than 64 bits. */
static inline bool varint_read(struct cursor *cursor, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = 0;
        if (!cursor_u8(cursor, &byte))
            return false;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

static inline void varint_add(struct buffer *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buffer_add_u8(out, (uint8_t)(value | 0x80));
    buffer_add_u8(out, (uint8_t)value);
}
