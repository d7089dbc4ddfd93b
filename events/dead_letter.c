/* Names and texts of dead letters' headers: see dead_letter.h. Any thread; allocates nothing. */
#include "events/dead_letter.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAGIC_ID = 0, MAGIC_GUID = 1, GUID_BYTES = 16 };

const char *dead_letter_header_name(enum dead_letter_header header)
{
    static const char *const names[DEAD_LETTER_HEADER_COUNT] = {
#define HEADER_NAME(id, name, ...) [DEAD_LETTER_##id] = name,
        DEAD_LETTER_HEADER_TABLE(HEADER_NAME)
#undef HEADER_NAME
    };
    assert((unsigned)header < DEAD_LETTER_HEADER_COUNT);
    return names[header];
}

bool dead_letter_header_stays(enum dead_letter_header header)
{
    return header == DEAD_LETTER_ATTEMPT || header == DEAD_LETTER_FIRST_FAILED_AT || header == DEAD_LETTER_REPLAY_COUNT;
}

bool dead_letter_schema_id(struct span value, char out[static DEAD_LETTER_ID_BYTES])
{
    struct cursor cursor = cursor_of(value);
    struct span guid;
    uint8_t magic;
    uint32_t id;
    if (!cursor_u8(&cursor, &magic))
        return false;
    if (magic == MAGIC_ID && cursor_u32_be(&cursor, &id)) {
        snprintf(out, DEAD_LETTER_ID_BYTES, "%" PRIu32, id);
        return true;
    }
    if (magic != MAGIC_GUID || !cursor_span(&cursor, GUID_BYTES, &guid))
        return false;
    char *at = out;
    for (size_t i = 0; i < GUID_BYTES; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        at += sprintf(at, dash ? "-%02x" : "%02x", (unsigned char)guid.data[i]);
    }
    return true;
}

int64_t dead_letter_number(struct span value, int64_t otherwise)
{
    char digits[24], *end;
    if (!value.data || !value.bytes || value.bytes >= sizeof digits)
        return otherwise;
    memcpy(digits, value.data, value.bytes);
    digits[value.bytes] = 0;
    long long number = strtoll(digits, &end, 10);
    return *end || number < 0 ? otherwise : number;
}

void dead_letter_time(int64_t real_us, char out[static DEAD_LETTER_TIME_BYTES])
{
    time_t seconds = (time_t)(real_us / 1000000);
    struct tm parts;
    char whole[24] = "";
    if (gmtime_r(&seconds, &parts))
        strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out, DEAD_LETTER_TIME_BYTES, "%s.%03dZ", whole, (int)(real_us / 1000 % 1000));
}
