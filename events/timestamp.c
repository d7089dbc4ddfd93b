/* Reading timestamps: see timestamp.h. Called for each row that brings its own time; any thread. */
#include "events/timestamp.h"

/* Leaves the position where it is if there are fewer digits. */
static inline bool take_digits(struct cursor *at, size_t count, int *out)
{
    int value = 0;
    if (cursor_left(at) < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)at->at[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + (int)digit;
    }
    at->at += count;
    *out = value;
    return true;
}

static inline bool take_either(struct cursor *at, uint8_t one, uint8_t other)
{
    if (at->at == at->end || (*at->at != one && *at->at != other))
        return false;
    at->at++;
    return true;
}

static inline bool take_char(struct cursor *at, uint8_t byte)
{
    return take_either(at, byte, byte);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar: years are counted from March, so that leap days come last.
 */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct cursor *at, int64_t *days)
{
    int year, month, day;
    if (!take_digits(at, 4, &year) || !take_char(at, '-') || !take_digits(at, 2, &month) || !take_char(at, '-') ||
        !take_digits(at, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *days = days_of(year, month, day);
    return true;
}

/* Digits after the decimal point: milliseconds, further digits are cut. */
static bool take_fraction(struct cursor *at, int64_t *ms)
{
    int digit, scale = 100;
    if (!take_digits(at, 1, &digit))
        return false;
    do {
        *ms += (int64_t)digit * scale;
        scale /= 10;
    } while (take_digits(at, 1, &digit));
    return true;
}

static bool digit_follows(const struct cursor *at)
{
    return at->at < at->end && *at->at >= '0' && *at->at <= '9';
}

static bool take_time(struct cursor *at, int64_t *ms)
{
    int hour, minute, second = 0;
    int64_t fraction = 0;
    if (!take_digits(at, 2, &hour) || !take_char(at, ':') || !take_digits(at, 2, &minute))
        return false;
    if (take_char(at, ':') &&
        (!take_digits(at, 2, &second) || (take_either(at, '.', ',') && !take_fraction(at, &fraction))))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *ms = ((hour * 60 + minute) * 60 + second) * (int64_t)1000 + fraction;
    return true;
}

static bool take_zone(struct cursor *at, int64_t *ms)
{
    int hour, minute = 0;
    *ms = 0;
    if (take_either(at, 'Z', 'z') || at->at == at->end)
        return true;
    bool west = *at->at == '-';
    if (!take_either(at, '+', '-') || !take_digits(at, 2, &hour))
        return false;
    bool colon = take_char(at, ':');
    if ((colon || digit_follows(at)) && !take_digits(at, 2, &minute))
        return false;
    if (hour > 23 || minute > 59)
        return false;
    *ms = (hour * 60 + minute) * (int64_t)(west ? -60000 : 60000);
    return true;
}

bool timestamp_is_number(struct span text)
{
    size_t sign = text.bytes && (text.data[0] == '-' || text.data[0] == '+');
    for (size_t i = sign; i < text.bytes; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.bytes > sign;
}

bool timestamp_parse_number(struct span text, enum time_unit unit, int64_t *out_ms)
{
    size_t sign = text.bytes && text.data[0] == '-';
    int64_t value = 0;
    if (!timestamp_is_number(text) || text.data[0] == '+' || text.bytes > sign + 18 ||
        (text.data[sign] == '0' && text.bytes > sign + 1))
        return false;
    for (size_t i = sign; i < text.bytes; i++)
        value = value * 10 + (text.data[i] - '0');
    *out_ms = time_unit_to_ms(unit, sign ? -value : value);
    return true;
}

bool timestamp_parse(struct span text, int64_t *out_ms)
{
    struct cursor at = cursor_of(text);
    int64_t days, time = 0, zone = 0;
    if (!take_date(&at, &days))
        return false;
    if ((take_either(&at, 'T', 't') || take_char(&at, ' ')) && (!take_time(&at, &time) || !take_zone(&at, &zone)))
        return false;
    if (cursor_left(&at))
        return false;
    *out_ms = days * 86400000 + time - zone;
    return true;
}

const char *timestamp_read(struct span text, enum time_unit unit, int64_t *out_ms)
{
    bool is_number = timestamp_is_number(text);
    if (is_number && unit == TIME_UNIT_NONE)
        return "a bare number has no unit: write ISO 8601 (2025-03-04, 2025-03-04T10:00:00Z), or give --time-unit "
               "(" TIME_UNIT_NAMES "), TIME_UNIT or the mapping's unit";
    if (!(is_number ? timestamp_parse_number(text, unit, out_ms) : timestamp_parse(text, out_ms)))
        return unit == TIME_UNIT_NONE
                   ? "not ISO 8601 (2025-03-04, 2025-03-04T10:00:00Z, 2025-03-04 10:00+01:00)"
                   : "not ISO 8601 (2025-03-04, 2025-03-04T10:00:00Z, 2025-03-04 10:00+01:00), nor an integer";
    return is_number && unit != TIME_UNIT_EXACT_MS && timestamp_is_of_1970(*out_ms)
               ? "a number that would be a time in 1970, so that it hardly counts in the given unit: write ISO 8601 "
                 "(2025-03-04)"
               : NULL;
}
