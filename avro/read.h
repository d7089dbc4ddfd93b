/* Avro's primitives, read strictly: varints are at most 5 (int) or 10 (long) bytes and fit 32 or 64 bits, booleans are
 * 0 or 1, lengths are within the bytes that are left. Inline, for the executors of plans and the prediction decoder.
 *
 * Each returns false where the bytes are wrong or do not suffice; the position is then of no use.
 * `padded` collects whether any varint was longer than it had to be (legal, but not what our encoder writes). */
#pragma once

#include "base/bytes.h"
#include "base/utf8.h"

enum { AVRO_INT_BYTES = 5, AVRO_LONG_BYTES = 10 };

bool avro_read_varint_slow(struct cursor *in, unsigned max_bytes, uint64_t *out, bool *padded);

static inline int64_t avro_unzigzag(uint64_t raw)
{
    return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
}

static inline bool avro_read_long(struct cursor *in, int64_t *out, bool *padded)
{
    uint64_t raw;
    if (in->at != in->end && *in->at < 0x80)
        raw = *in->at++;
    else if (!avro_read_varint_slow(in, AVRO_LONG_BYTES, &raw, padded))
        return false;
    *out = avro_unzigzag(raw);
    return true;
}

static inline bool avro_read_int(struct cursor *in, int32_t *out, bool *padded)
{
    uint64_t raw;
    if (in->at != in->end && *in->at < 0x80)
        raw = *in->at++;
    else if (!avro_read_varint_slow(in, AVRO_INT_BYTES, &raw, padded))
        return false;
    *out = (int32_t)avro_unzigzag(raw);
    return true;
}

/* A union's branch, a long on the wire: from 0 to count - 1. */
static inline bool avro_read_branch(struct cursor *in, uint32_t count, uint32_t *out, bool *padded)
{
    int64_t index;
    if (!avro_read_long(in, &index, padded) || index < 0 || index >= (int64_t)count)
        return false;
    *out = (uint32_t)index;
    return true;
}

/* An enum's symbol, an int on the wire: from 0 to count - 1. */
static inline bool avro_read_symbol(struct cursor *in, uint32_t count, uint32_t *out, bool *padded)
{
    int32_t index;
    if (!avro_read_int(in, &index, padded) || index < 0 || (uint32_t)index >= count)
        return false;
    *out = (uint32_t)index;
    return true;
}

static inline bool avro_read_bool(struct cursor *in, bool *out)
{
    uint8_t byte;
    if (!cursor_u8(in, &byte) || byte > 1)
        return false;
    *out = byte;
    return true;
}

static inline bool avro_read_float(struct cursor *in, float *out)
{
    struct span raw;
    if (!cursor_span(in, sizeof *out, &raw))
        return false;
    memcpy(out, raw.data, sizeof *out); /* little-endian, as Avro's and as every machine this is built for */
    return true;
}

static inline bool avro_read_double(struct cursor *in, double *out)
{
    struct span raw;
    if (!cursor_span(in, sizeof *out, &raw))
        return false;
    memcpy(out, raw.data, sizeof *out);
    return true;
}

/* A length and as many bytes. */
static inline bool avro_read_bytes(struct cursor *in, struct span *out, bool *padded)
{
    int64_t bytes;
    return avro_read_long(in, &bytes, padded) && bytes >= 0 && cursor_span(in, (size_t)bytes, out);
}

static inline bool avro_read_text(struct cursor *in, struct span *out, bool *padded)
{
    return avro_read_bytes(in, out, padded) && utf8_is_valid(*out);
}
