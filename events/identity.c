/* Ids and times: see identity.h. Any thread; allocates nothing. Texts of faults never hold an id. */
#include "events/identity.h"

#include <time.h>

#include "avro/read.h"
#include "events/fault.h"

enum { TIME_TEXT_BYTES = 32 };

/* The code point at `at`, of text that is UTF-8. */
static uint32_t code_point(const uint8_t *at, size_t *bytes)
{
    if (*at < 0x80) {
        *bytes = 1;
        return *at;
    }
    *bytes = *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    uint32_t point = *at & (0xffu >> (*bytes + 1));
    for (size_t i = 1; i < *bytes; i++)
        point = point << 6 | (at[i] & 0x3f);
    return point;
}

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

static bool is_bidirectional(uint32_t point)
{
    return point == 0x61c || point == 0x200e || point == 0x200f || (point >= 0x202a && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069);
}

const char *id_flaw_slow(struct span text)
{
    size_t points = 0;
    if (text.bytes == 0)
        return "is empty";
    if (text.bytes > ID_BYTES_MAX)
        return "is longer than 256 characters";
    if (!utf8_is_valid(text))
        return "is not UTF-8";
    for (size_t at = 0, bytes; at < text.bytes; at += bytes, points++) {
        uint32_t point = code_point((const uint8_t *)text.data + at, &bytes);
        if (is_control(point))
            return "has control characters";
        if (is_bidirectional(point))
            return "has characters that turn the direction of writing";
    }
    return points > ID_CHARACTERS_MAX ? "is longer than 256 characters" : NULL;
}

static enum event_code id_check(struct span id, int32_t column, struct fault *fault)
{
    const char *flaw = id_flaw(id);
    return flaw ? fault_set_field(fault, EVENT_BAD_ID, column, envelope_field_name(column), "%s", flaw) : EVENT_OK;
}

static void identity_time_text(int64_t ms, char text[TIME_TEXT_BYTES])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || strftime(text, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        *text = '\0';
}

static enum event_code time_refuse(int64_t occurred_at_ms, int64_t latest_ms, struct fault *fault)
{
    char latest[TIME_TEXT_BYTES];
    if (occurred_at_ms == OCCURRED_AT_NO_UNIT)
        return fault_set_field(
            fault, EVENT_WRONG_TYPE, FAULT_OCCURRED_AT, "occurred_at",
            "a number without a unit: give its type a logicalType (timestamp-millis, date, …) or set TIME_UNIT");
    if (occurred_at_ms < OCCURRED_AT_FIRST_MS)
        return fault_set_field(fault, EVENT_OUT_OF_RANGE, FAULT_OCCURRED_AT, "occurred_at", "before 1900-01-01");
    identity_time_text(latest_ms, latest);
    return fault_set_field(fault, EVENT_OUT_OF_RANGE, FAULT_OCCURRED_AT, "occurred_at",
                           "after %s, the latest that this machine's clock and MAX_FUTURE allow", latest);
}

enum event_code occurred_at_check(int64_t occurred_at_ms, int64_t latest_ms, struct fault *fault)
{
    if (occurred_at_ms >= OCCURRED_AT_FIRST_MS && occurred_at_ms <= latest_ms)
        return EVENT_OK;
    return time_refuse(occurred_at_ms, latest_ms, fault);
}

enum event_code identity_check(const struct event *event, int64_t latest_ms, struct fault *fault)
{
    enum event_code code = id_check(event->event_id, FAULT_EVENT_ID, fault);
    if (code == EVENT_OK)
        code = id_check(event->employee_id, FAULT_EMPLOYEE_ID, fault);
    return code == EVENT_OK ? occurred_at_check(event->occurred_at_ms, latest_ms, fault) : code;
}
