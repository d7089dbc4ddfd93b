/* Whether bytes are UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing beyond U+10FFFF). */
#pragma once

#include "base/bytes.h"

bool utf8_is_valid_slow(const char *data, size_t bytes);

/* UTF-8, ASCII by words of eight; the last word overlaps the one before. */
static inline bool utf8_is_valid(struct span text)
{
    uint64_t word, high = 0;
    const char *at = text.data, *end = text.data + text.bytes;
    if (text.bytes >= 8) {
        for (; end - at > 8; at += 8) {
            memcpy(&word, at, 8);
            high |= word;
        }
        memcpy(&word, end - 8, 8);
        high |= word;
    } else {
        for (; at < end; at++)
            high |= (uint8_t)*at;
    }
    return !(high & 0x8080808080808080u) || utf8_is_valid_slow(text.data, text.bytes);
}
