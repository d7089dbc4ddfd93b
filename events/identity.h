/* Whose event it is, and when: what every door asks of ids and of occurred_at, whatever carries them. */
#pragma once

#include "base/bytes.h"
#include "events/error_codes.h"
#include "events/event.h"

enum {
    ID_CHARACTERS_MAX = 256,
    ID_BYTES_MAX = 4 * ID_CHARACTERS_MAX,
};

/* 1900-01-01 UTC: nothing that an employee's record reports happened before. */
#define OCCURRED_AT_FIRST_MS INT64_C(-2208988800000)
/* Stands in event.occurred_at_ms where the bytes hold a number without a unit. */
#define OCCURRED_AT_NO_UNIT INT64_MIN

/* What keeps a text from being an employee_id or event_id ("is empty", "has control characters", …); NULL: nothing. An
 * id is 1 to 256 code points of UTF-8 without control characters and bidirectional controls. */
const char *id_flaw_slow(struct span text);

/* ASCII without control characters, up to 256 of them: words of eight, the last of which overlaps the one before. */
static inline bool id_is_plain(struct span text)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x80 * ones;
    const char *at = text.data, *end = text.data + text.bytes;
    uint64_t word, odd = 0;
    if (text.bytes - 1 >= ID_CHARACTERS_MAX)
        return false;
    if (text.bytes < 8) {
        for (word = 0x2020202020202020u; at < end; at++)
            word = word << 8 | (uint8_t)*at;
        return ((word | (word + ones) | (word - 0x20 * ones)) & tops) == 0;
    }
    for (; end - at > 8; at += 8) {
        memcpy(&word, at, 8);
        odd |= word | (word + ones) | (word - 0x20 * ones);
    }
    memcpy(&word, end - 8, 8);
    odd |= word | (word + ones) | (word - 0x20 * ones);
    return (odd & tops) == 0;
}

static inline const char *id_flaw(struct span text)
{
    return id_is_plain(text) ? NULL : id_flaw_slow(text);
}

/* EVENT_OK, or out_of_range (wrong_type for OCCURRED_AT_NO_UNIT) with FAULT_OCCURRED_AT. latest_ms: now and what may
 * lie ahead of it. */
enum event_code occurred_at_check(int64_t occurred_at_ms, int64_t latest_ms, struct fault *fault);

/* Both ids and occurred_at of a decoded event. The hot path. */
enum event_code identity_check(const struct event *event, int64_t latest_ms, struct fault *fault);
