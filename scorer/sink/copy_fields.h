/* PostgreSQL's binary forms, appended to a buffer: fields and rows of COPY BINARY. Inline, for speed; sink_rows.c and
 * the bench use them. Numbers are big-endian; a field is its length and its bytes, length -1 is null. */
#pragma once

#include "base/bytes.h"

/* PostgreSQL's own numbers of its types; they never change. */
enum {
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_FLOAT8 = 701,
    OID_TIMESTAMPTZ = 1184,
    OID_JSONB = 3802
};

static inline void add_u32(struct buffer *out, uint32_t value)
{
    value = __builtin_bswap32(value);
    buffer_add(out, &value, sizeof value);
}

static inline void add_u64(struct buffer *out, uint64_t value)
{
    value = __builtin_bswap64(value);
    buffer_add(out, &value, sizeof value);
}

static inline void row_start(struct buffer *out, unsigned columns)
{
    uint16_t count = __builtin_bswap16((uint16_t)columns);
    buffer_add(out, &count, sizeof count);
}

static inline void field_null(struct buffer *out)
{
    add_u32(out, UINT32_MAX);
}

static inline void field_bytes(struct buffer *out, struct span value)
{
    add_u32(out, value.data ? (uint32_t)value.bytes : UINT32_MAX); /* all ones: null */
    if (value.data)
        buffer_add(out, value.data, value.bytes);
}

static inline void field_text(struct buffer *out, const char *text)
{
    field_bytes(out, text ? span_of(text) : SPAN_NULL);
}

static inline void field_int4(struct buffer *out, int32_t value)
{
    add_u32(out, 4);
    add_u32(out, (uint32_t)value);
}

static inline void field_int8(struct buffer *out, int64_t value)
{
    add_u32(out, 8);
    add_u64(out, (uint64_t)value);
}

/* Null where the number is negative or too large: it is somebody else's. */
static inline void field_int4_or_null(struct buffer *out, int64_t value)
{
    if (value >= 0 && value <= INT32_MAX)
        field_int4(out, (int32_t)value);
    else
        field_null(out);
}

static inline void field_int8_or_null(struct buffer *out, int64_t value)
{
    if (value >= 0)
        field_int8(out, value);
    else
        field_null(out);
}

static inline void field_float8(struct buffer *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_u32(out, 8);
    add_u64(out, bits);
}

/* PostgreSQL counts from 2000 and ends in the year 294276. What does not fit an int64 on the way there is sent as a
 * time far outside, which it refuses; the ends of the range are avoided, because they mean infinity. */
static inline void field_time(struct buffer *out, int64_t us_since_1970)
{
    int64_t us;
    if (__builtin_sub_overflow(us_since_1970, INT64_C(10957) * INT64_C(86400000000), &us) || us == INT64_MAX)
        us = INT64_MIN + 1;
    field_int8(out, us);
}

static inline void field_time_ms(struct buffer *out, int64_t ms_since_1970)
{
    int64_t us;
    if (__builtin_mul_overflow(ms_since_1970, INT64_C(1000), &us))
        us = INT64_MIN;
    field_time(out, us);
}

/* Codecs of our records (events/record_codec.h) as columns: their type here and how a value becomes a field. */
enum {
    OID_OF_text = OID_TEXT,
    OID_OF_optional_text = OID_TEXT,
    OID_OF_int = OID_INT4,
    OID_OF_long = OID_INT8,
    OID_OF_double = OID_FLOAT8,
    OID_OF_time_ms = OID_TIMESTAMPTZ,
    OID_OF_time_us = OID_TIMESTAMPTZ,
};
#define field_of_text field_bytes
#define field_of_optional_text field_bytes
#define field_of_int field_int4
#define field_of_long field_int8
#define field_of_double field_float8
#define field_of_time_ms field_time_ms
#define field_of_time_us field_time

/* A field of a finished row, which starts at `row`. */
static inline struct span row_field(const char *row, size_t column)
{
    uint32_t bytes;
    const char *at = row + sizeof(uint16_t);
    for (size_t c = 0;; c++) {
        memcpy(&bytes, at, sizeof bytes);
        bytes = __builtin_bswap32(bytes);
        at += sizeof bytes;
        if (c == column)
            return bytes == UINT32_MAX ? SPAN_NULL : (struct span){at, bytes};
        at += bytes == UINT32_MAX ? 0 : bytes;
    }
}

/* jsonb is a length, the version byte 1 and text: the text is written in place and the length filled in after it. */
static inline size_t jsonb_start(struct buffer *out)
{
    size_t at = out->bytes;
    add_u32(out, 0);
    buffer_add_u8(out, 1);
    return at;
}

static inline void jsonb_end(struct buffer *out, size_t at)
{
    uint32_t bytes = __builtin_bswap32((uint32_t)(out->bytes - at - 4));
    memcpy(out->data + at, &bytes, sizeof bytes);
}
