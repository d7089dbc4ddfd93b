/* The rare half of read.h: varints of several bytes. Any thread. */
#include "avro/read.h"

bool avro_read_varint_slow(struct cursor *in, unsigned max_bytes, uint64_t *out, bool *padded)
{
    uint64_t value = 0;
    const uint8_t last_bits =
        max_bytes == AVRO_INT_BYTES ? 0x0f : 0x01; /* what 32 or 64 bits leave for the last byte */
    for (unsigned n = 0; n < max_bytes; n++) {
        uint8_t byte;
        if (!cursor_u8(in, &byte))
            return false;
        value |= (uint64_t)(byte & 0x7f) << (7 * n);
        if (byte >= 0x80)
            continue;
        if (n == max_bytes - 1 && byte > last_bits)
            return false;
        if (byte == 0 && n > 0)
            *padded = true;
        *out = value;
        return true;
    }
    return false;
}
