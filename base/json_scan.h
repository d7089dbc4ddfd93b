/* The usual parts of JSON passed over at a pointer, without a reader's state: json_reader.c is made of them, and who
 * reads many members keeps the position in a register.
 *
 * Each returns the position behind what it names, NULL where something else stands there or the end is near: what that
 * is, json_reader.h's calls find out from the same position. Nothing at `end` or beyond is read. */
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/bytes.h"

enum { JSON_DIGITS_MAX = 9 };

/* A bit at the top of each byte that ends a run of plain ones: a quote, a backslash, a control character. Bytes above
 * the lowest such bit may have one by mistake. */
static inline uint64_t json_stops_of(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x80 * ones;
    uint64_t quote = word ^ '"' * ones, backslash = word ^ '\\' * ones;
    return (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((word - 0x20 * ones) & ~word)) & tops;
}

#ifdef __SSE2__
/* Of sixteen bytes: a bit for each stop; *high: a bit for each byte beyond ASCII. */
static inline unsigned json_stops_at(const uint8_t *at, unsigned *high)
{
    const __m128i text = _mm_loadu_si128((const __m128i *)at), control = _mm_set1_epi8(0x1f);
    const __m128i quotes = _mm_cmpeq_epi8(text, _mm_set1_epi8('"'));
    const __m128i backslashes = _mm_cmpeq_epi8(text, _mm_set1_epi8('\\'));
    const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(text, control), text);
    *high = (unsigned)_mm_movemask_epi8(text);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls));
}
#endif

/* To the next quote, backslash or control character, or the end; never NULL. *beyond: not 0 where what lies between is
 * not all ASCII. */
static inline const uint8_t *json_skip_plain(const uint8_t *at, const uint8_t *end, uint64_t *beyond)
{
    uint64_t word, seen = 0;
#ifdef __SSE2__
    for (unsigned high, stops; end - at >= 16; at += 16, seen |= high)
        if ((stops = json_stops_at(at, &high)) != 0) {
            unsigned plain = (unsigned)__builtin_ctz(stops);
            *beyond = seen | (high & ((1u << plain) - 1));
            return at + plain;
        }
#endif
    for (; end - at >= 8; at += 8, seen |= word & 0x8080808080808080u) {
        memcpy(&word, at, 8);
        uint64_t stops = json_stops_of(word);
        if (stops) {
            unsigned bits = (unsigned)__builtin_ctzll(stops) - 7;
            *beyond = seen | (word & 0x8080808080808080u & ((UINT64_C(1) << bits) - 1));
            return at + bits / 8;
        }
    }
    for (; at < end && *at != '"' && *at != '\\' && *at >= 0x20; at++)
        seen |= *at & 0x80;
    *beyond = seen;
    return at;
}

/* A member's name and its colon, where it is this one, written without escapes: given in quotes with the colon, and
 * with eight bytes that may be read. `first`: of its object, so that no comma stands before it. */
static inline const uint8_t *json_scan_name(const uint8_t *at, const uint8_t *end, bool first, struct span quoted)
{
    const size_t reach = quoted.bytes < 8 ? 8 : quoted.bytes, last = reach - 8;
    uint64_t here, there, differ = 0;
    if ((size_t)(end - at) < reach + 2 || (!first && *at++ != ','))
        return NULL;
    at += *at == ' ';
    for (size_t done = 0; done < last; done += 8) {
        memcpy(&here, at + done, 8);
        memcpy(&there, quoted.data + done, 8);
        differ |= here ^ there;
    }
    memcpy(&here, at + last, 8);
    memcpy(&there, quoted.data + last, 8);
    differ |= (here ^ there) << 8 * (reach - quoted.bytes);
    return differ ? NULL : at + quoted.bytes;
}

/* A number of a few digits, with another member or the object's end right behind it. */
static inline const uint8_t *json_scan_digits(const uint8_t *at, const uint8_t *end, double *out)
{
    if (end - at < 3)
        return NULL;
    at += *at == ' ';
    const uint8_t *const start = at, *const most = end - at > JSON_DIGITS_MAX ? at + JSON_DIGITS_MAX : end - 1;
    uint32_t number = 0;
    for (uint32_t digit; at < most && (digit = (uint32_t)*at - '0') <= 9; at++)
        number = number * 10 + digit;
    if (at == start || (*at != ',' && *at != '}') || (*start == '0' && at - start > 1))
        return NULL;
    *out = number;
    return at;
}

/* A text of ASCII without escapes. */
static inline const uint8_t *json_scan_text(const uint8_t *at, const uint8_t *end, struct span *out)
{
    uint64_t beyond;
    if (end - at < 3)
        return NULL;
    at += *at == ' ';
    if (*at++ != '"')
        return NULL;
    const uint8_t *close = json_skip_plain(at, end, &beyond);
    if (beyond || close == end || *close != '"')
        return NULL;
    *out = (struct span){(const char *)at, (size_t)(close - at)};
    return close + 1;
}
