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

void text_flatten(char *text)
{
    char *end = text;
    for (char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
        if (*at != ' ')
            end = at + 1;
    }
    *end = '\0';
}
