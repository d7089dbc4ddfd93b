/* Bytes: a span borrows them, a cursor reads them without ever passing the end, a buffer writes them.
 * All three are plain data, open for speed; nothing else in the project walks a pointer over untrusted input. */
#pragma once

#include <assert.h>
#include <endian.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes. data == NULL means absent (Kafka's and SQL's null), which differs from empty. */
struct span {
    const char *data;
    size_t bytes;
};

#define SPAN_NULL ((struct span){NULL, 0})
#define SPAN_LITERAL(text) ((struct span){(text), sizeof(text) - 1})

static inline struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

/* A read position. Each read returns false and leaves the position where it is if the bytes do not suffice. */
struct cursor {
    const uint8_t *at, *end;
};

static inline struct cursor cursor_of(struct span span)
{
    const uint8_t *data = (const uint8_t *)span.data;
    return (struct cursor){data, data ? data + span.bytes : data};
}

static inline size_t cursor_left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static inline bool cursor_u8(struct cursor *cursor, uint8_t *out)
{
    if (cursor->at == cursor->end)
        return false;
    *out = *cursor->at++;
    return true;
}

static inline bool cursor_span(struct cursor *cursor, size_t bytes, struct span *out)
{
    if (cursor_left(cursor) < bytes)
        return false;
    *out = (struct span){(const char *)cursor->at, bytes};
    cursor->at += bytes;
    return true;
}

static inline bool cursor_u32_be(struct cursor *cursor, uint32_t *out)
{
    struct span raw;
    if (!cursor_span(cursor, 4, &raw))
        return false;
    memcpy(out, raw.data, 4);
    *out = be32toh(*out);
    return true;
}

/* A growing byte string, reused from batch to batch. Zero-initialised is empty. */
struct buffer {
    char *data;
    size_t bytes, capacity;
};

void buffer_free(struct buffer *buffer);
void buffer_grow(struct buffer *buffer, size_t more); /* makes room for at least `more` further bytes */

static inline void buffer_clear(struct buffer *buffer)
{
    buffer->bytes = 0;
}

/* Room for `more` bytes at the end; the caller writes them and adds to buffer->bytes. */
static inline char *buffer_reserve(struct buffer *buffer, size_t more)
{
    if (!buffer->data || buffer->capacity - buffer->bytes < more)
        buffer_grow(buffer, more);
    return buffer->data + buffer->bytes;
}

/* What was written into that room ends at `end`. */
static inline void buffer_end_at(struct buffer *buffer, const char *end)
{
    buffer->bytes = (size_t)(end - buffer->data);
    assert(buffer->bytes <= buffer->capacity);
}

static inline void buffer_add(struct buffer *buffer, const void *data, size_t bytes)
{
    char *at = buffer_reserve(buffer, bytes);
    if (bytes)
        memcpy(at, data, bytes);
    buffer->bytes += bytes;
}

static inline void buffer_add_u8(struct buffer *buffer, uint8_t value)
{
    *buffer_reserve(buffer, 1) = (char)value;
    buffer->bytes += 1;
}

static inline void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

static inline struct span buffer_span(const struct buffer *buffer)
{
    return (struct span){buffer->data ? buffer->data : "", buffer->bytes};
}

void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes a text one line of UTF-8, in place: control characters become blanks, those at its end go, and a byte that
 * belongs to no character (a foreign text, or one that was cut) or to one that reorders a text becomes a question
 * mark. */
void text_flatten(char *text);
/* A copy of that, for a terminal; yours to free. */
char *text_flat(const char *text);
/* vsnprintf, then text_flatten: what messages are made with. */
void text_vprint(char *text, size_t bytes, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
