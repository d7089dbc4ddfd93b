/* Text beyond ASCII: see utf8.h. Any thread. */
#include "base/utf8.h"

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Bytes of the well-formed character at `at` (RFC 3629's table), or 0. */
static size_t utf8_step(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t bytes = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (left < bytes)
        return 0;
    uint8_t low = 0x80, high = 0xbf;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < bytes; i++)
        if (!is_tail(at[i]))
            return 0;
    return bytes;
}

bool utf8_is_valid_slow(const char *data, size_t bytes)
{
    const uint8_t *at = (const uint8_t *)data;
    while (bytes) {
        size_t step = utf8_step(at, bytes);
        if (step == 0)
            return false;
        at += step;
        bytes -= step;
    }
    return true;
}
