/* Event ids: see event_id.h. Called for each row; allocates nothing. */
#include "producer/event_id.h"

#include "base/sha256.h"

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

static uint64_t bits_of_hex(const char *hex)
{
    uint64_t bits = 0;
    for (int i = 0; i < 16; i++)
        bits = bits << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return bits;
}

void event_id_of_text(struct span text, char out[EVENT_ID_BYTES])
{
    char hex[SHA256_HEX_BYTES];
    sha256_hex(text, hex);
    event_id_of_bits(bits_of_hex(hex), bits_of_hex(hex + 16), out);
}
