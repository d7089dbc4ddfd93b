/* Cursors: see page_cursor.h. Each part has its length before it; a digest in front binds all to the question. It is no
 * signature: whoever makes one of his own asks for another place of the same list. */
#include "scorer/http/page_cursor.h"

#include <endian.h>

#include "base/hex_digit.h"
#include "base/sha256.h"
#include "base/utf8.h"

enum { DIGEST_CHARACTERS = 16 };

static void add_parts(const struct span *parts, size_t count, struct buffer *out)
{
    for (size_t p = 0; p < count; p++) {
        uint32_t bytes = htobe32((uint32_t)parts[p].bytes);
        buffer_add(out, &bytes, sizeof bytes);
        buffer_add(out, parts[p].data, parts[p].bytes);
    }
}

/* Of the question and the parts as they are written. */
static void digest_of(struct span question, struct span parts, char out[SHA256_HEX_BYTES])
{
    struct buffer all = {0};
    add_parts(&question, 1, &all);
    buffer_add(&all, parts.data, parts.bytes);
    sha256_hex(buffer_span(&all), out);
    buffer_free(&all);
}

void page_cursor_write(struct span question, const struct span *parts, size_t count, struct buffer *out)
{
    char digest[SHA256_HEX_BYTES];
    struct buffer bytes = {0};
    add_parts(parts, count, &bytes);
    digest_of(question, buffer_span(&bytes), digest);
    buffer_add(out, digest, DIGEST_CHARACTERS);
    for (size_t b = 0; b < bytes.bytes; b++)
        buffer_printf(out, "%02x", (unsigned)(uint8_t)bytes.data[b]);
    buffer_free(&bytes);
}

static bool read_digits(const char *digits, struct buffer *out)
{
    buffer_clear(out);
    for (; *digits; digits += 2) {
        int high = hex_digit(digits[0]), low = high < 0 ? -1 : hex_digit(digits[1]);
        if (low < 0)
            return false;
        buffer_add_u8(out, (uint8_t)(high << 4 | low));
    }
    return true;
}

bool page_cursor_read(const char *cursor, struct span question, struct span *parts, size_t count, struct buffer *texts)
{
    char digest[SHA256_HEX_BYTES];
    if (strnlen(cursor, PAGE_CURSOR_BYTES_MOST) == PAGE_CURSOR_BYTES_MOST || strlen(cursor) < DIGEST_CHARACTERS ||
        !read_digits(cursor + DIGEST_CHARACTERS, texts))
        return false;
    digest_of(question, buffer_span(texts), digest);
    if (strncmp(digest, cursor, DIGEST_CHARACTERS) != 0)
        return false;
    struct cursor at = cursor_of(buffer_span(texts));
    for (size_t p = 0; p < count; p++) {
        uint32_t bytes;
        if (!cursor_u32_be(&at, &bytes) || !cursor_span(&at, bytes, &parts[p]) || !utf8_is_valid(parts[p]) ||
            memchr(parts[p].data, '\0', parts[p].bytes))
            return false;
    }
    return cursor_left(&at) == 0;
}
