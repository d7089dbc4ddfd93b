/* UTF-8 as PostgreSQL takes it: see sink_text.h. Pure; called by sink_rows.c and sink_headers.c on the sink's thread.
 */
#include "scorer/sink/sink_text.h"

/* Bytes of the valid UTF-8 character at `at` (never NUL, which PostgreSQL's text has no place for), or 0. */
static size_t sink_text_length(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char low, high, second_low, second_high, bytes;
    } forms[] = {{0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if (*at < forms[f].low || *at > forms[f].high)
            continue;
        if (forms[f].bytes > left ||
            (forms[f].bytes > 1 && (at[1] < forms[f].second_low || at[1] > forms[f].second_high)))
            return 0;
        for (size_t i = 2; i < forms[f].bytes; i++)
            if ((at[i] & 0xc0) != 0x80)
                return 0;
        return forms[f].bytes;
    }
    return 0;
}

bool sink_text_is_valid(struct span bytes)
{
    for (size_t i = 0, n; i < bytes.bytes; i += n)
        if (!(n = sink_text_length((const unsigned char *)bytes.data + i, bytes.bytes - i)))
            return false;
    return true;
}

struct span sink_text_valid(struct span bytes, struct buffer *scratch)
{
    if (!bytes.data || sink_text_is_valid(bytes))
        return bytes;
    buffer_clear(scratch);
    for (size_t i = 0; i < bytes.bytes;) {
        size_t n = sink_text_length((const unsigned char *)bytes.data + i, bytes.bytes - i);
        buffer_add(scratch, n ? bytes.data + i : "?", n ? n : 1);
        i += n ? n : 1;
    }
    return buffer_span(scratch);
}
