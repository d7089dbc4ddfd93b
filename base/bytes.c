/* The growing side of bytes.h. */
#include "base/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_grow(struct buffer *buffer, size_t more)
{
    assert(more <= SIZE_MAX / 4 && buffer->bytes <= SIZE_MAX / 4);
    size_t need = buffer->bytes + more, capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < need)
        capacity *= 2;
    buffer->data = mem_resize(buffer->data, capacity, 1);
    buffer->capacity = capacity;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    assert(bytes >= 0);
    vsnprintf(buffer_reserve(buffer, (size_t)bytes + 1), (size_t)bytes + 1, format, again);
    buffer->bytes += (size_t)bytes;
    va_end(again);
    va_end(args);
}

/* Bytes of the UTF-8 character at `text` (NUL-terminated), or 0 where there is none: RFC 3629, table of section 4. */
static size_t character_bytes(const unsigned char *text)
{
    unsigned char first = text[0], low = 0x80, high = 0xBF;
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    size_t bytes = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : low;
    high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : high;
    for (size_t i = 1; i < bytes; i++, low = 0x80, high = 0xBF)
        if (text[i] < low || text[i] > high)
            return 0;
    return bytes;
}

/* What a terminal obeys: a control of C1 (U+0080 to U+009F). */
static bool is_c1_control(const unsigned char *character)
{
    return character[0] == 0xC2 && character[1] < 0xA0;
}

/* What shows a text in another order, or ends a line of it elsewhere: U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066
 * to U+2069. */
static bool turns_writing(const unsigned char *character)
{
    if (character[0] != 0xE2)
        return character[0] == 0xD8 && character[1] == 0x9C;
    return (character[1] == 0x80 && character[2] >= 0xA8 && character[2] <= 0xAE) ||
           (character[1] == 0x80 && (character[2] == 0x8E || character[2] == 0x8F)) ||
           (character[1] == 0x81 && character[2] >= 0xA6 && character[2] <= 0xA9);
}

char *text_flat(const char *text)
{
    char *copy = mem_text(text);
    text_flatten(copy);
    return copy;
}

void text_flatten(char *text)
{
    char *end = text;
    for (char *at = text; *at;) {
        size_t bytes = character_bytes((unsigned char *)at);
        if (bytes == 0)
            *at = '?';
        else if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
        else if (is_c1_control((unsigned char *)at))
            memset(at, ' ', bytes);
        else if (turns_writing((unsigned char *)at))
            memset(at, '?', bytes);
        if (*at != ' ')
            end = at + (bytes ? bytes : 1);
        at += bytes ? bytes : 1;
    }
    *end = '\0';
}

void text_vprint(char *text, size_t bytes, const char *format, va_list args)
{
    vsnprintf(text, bytes, format, args);
    text_flatten(text);
}
