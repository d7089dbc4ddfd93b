/* Varints of more than two bytes: see write.h. */
#include "avro/write.h"

static char *varint_put_each(char *at, uint64_t raw)
{
    for (; raw >= 0x80; raw >>= 7)
        *at++ = (char)(raw | 0x80);
    *at++ = (char)raw;
    return at;
}

/* Up to eight bytes without a loop, whose end a processor guesses wrong: groups of seven bits move apart, by 28, 14 and
 * 7 bits, to one in each byte. */
char *avro_put_varint_wide(char *at, uint64_t raw)
{
    if (raw >> 56)
        return varint_put_each(at, raw);
    unsigned bytes = (unsigned)(64 - __builtin_clzll(raw | 1) + 6) / 7;
    raw = (raw & 0x0fffffff) | (raw & 0xfffffff0000000) << 4;
    raw = (raw & 0x00003fff00003fff) | (raw & 0x0fffc0000fffc000) << 2;
    raw = (raw & 0x007f007f007f007f) | (raw & 0x3f803f803f803f80) << 1;
    raw |= 0x0080808080808080 >> (8 * (8 - bytes)); /* all but the last one go on */
    memcpy(at, &raw, sizeof raw);
    return at + bytes;
}
