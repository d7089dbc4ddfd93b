/* Event ids: see event_id.h. Called for each row. */
#include "producer/event_id.h"

#include <endian.h>

/* Writes bytes in hexadecimal, with the version and variant bits where RFC 9562 has them. */
void event_id_of_bits(uint64_t high, uint64_t low, char out[EVENT_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    high = (high & ~(uint64_t)0xf000) | 0x8000;
    low = (low & ~((uint64_t)3 << 62)) | (uint64_t)1 << 63;
    char *at = out;
    for (int digit = 0; digit < 32; digit++) {
        uint64_t half = digit < 16 ? high : low;
        *at++ = digits[half >> (60 - 4 * (digit & 15)) & 15];
        if (digit == 7 || digit == 11 || digit == 15 || digit == 19)
            *at++ = '-';
    }
    *at = '\0';
}

void event_id_of_text(struct sha256 *sha256, struct span text, char out[EVENT_ID_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    uint64_t halves[2];
    sha256_digest(sha256, text, digest);
    memcpy(halves, digest, sizeof halves);
    event_id_of_bits(be64toh(halves[0]), be64toh(halves[1]), out);
}
