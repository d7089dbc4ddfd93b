/* See crc32.h. Any thread. */
#include "base/crc32.h"

#include <zlib.h>

enum { STEP = 1 << 30 };

uint32_t crc32_of(struct span bytes)
{
    uLong crc = crc32(0, NULL, 0);
    for (size_t at = 0; at < bytes.bytes; at += STEP) {
        size_t left = bytes.bytes - at;
        crc = crc32(crc, (const Bytef *)bytes.data + at, (uInt)(left < STEP ? left : STEP));
    }
    return (uint32_t)crc;
}
