/* Avro's primitives written through a pointer into room that was reserved before: each returns the position after.
 * A varint may write anything into all of its AVRO_VARINT_MAX bytes, however few it takes. */
#pragma once

#include "base/bytes.h"

/* Bytes they take: a varint at most; an array of one block its count and its end. */
enum { AVRO_VARINT_MAX = 10, AVRO_BRANCH_BYTES = 1, AVRO_ARRAY_BYTES = AVRO_VARINT_MAX + 1 };

char *avro_put_varint_wide(char *at, uint64_t raw);

static inline char *avro_put_long(char *at, int64_t value)
{
    uint64_t raw = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    if (raw < 0x80) {
        *at = (char)raw;
        return at + 1;
    }
    if (raw < 0x4000) {
        uint16_t both = (uint16_t)(raw + (raw & 0x3f80)) | 0x80; /* the upper seven bits one place up */
        memcpy(at, &both, sizeof both);
        return at + sizeof both;
    }
    return avro_put_varint_wide(at, raw);
}

static inline char *avro_put_float(char *at, float value)
{
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static inline char *avro_put_double(char *at, double value)
{
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static inline char *avro_put_raw(char *at, struct span raw)
{
    if (raw.bytes)
        memcpy(at, raw.data, raw.bytes);
    return at + raw.bytes;
}

static inline char *avro_put_text(char *at, struct span text)
{
    return avro_put_raw(avro_put_long(at, (int64_t)text.bytes), text);
}

static inline void avro_add_long(struct buffer *out, int64_t value)
{
    buffer_end_at(out, avro_put_long(buffer_reserve(out, AVRO_VARINT_MAX), value));
}

static inline void avro_add_text(struct buffer *out, struct span text)
{
    avro_add_long(out, (int64_t)text.bytes);
    buffer_add(out, text.data, text.bytes);
}

/* The branch of a union of null and something. */
static inline char *avro_put_branch(char *at, bool present)
{
    *at = present ? 2 : 0;
    return at + AVRO_BRANCH_BYTES;
}

static inline char *avro_put_optional_text(char *at, struct span text)
{
    at = avro_put_branch(at, text.data != NULL);
    return text.data ? avro_put_text(at, text) : at;
}
