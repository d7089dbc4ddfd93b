/* Sets of replayed offsets: see dlq_replayed.h. Pure; used by the replay on its one thread. */
#include "producer/dlq_replayed.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"

enum { RANGE_TEXT_MAX = 42 };

void dlq_replayed_free(struct dlq_replayed *replayed)
{
    free(replayed->ranges);
    *replayed = (struct dlq_replayed){0};
}

static void range_insert(struct dlq_replayed *replayed, size_t at, struct dlq_range range)
{
    replayed->ranges = mem_grow(replayed->ranges, &replayed->capacity, replayed->count + 1, sizeof *replayed->ranges);
    memmove(&replayed->ranges[at + 1], &replayed->ranges[at], (replayed->count - at) * sizeof *replayed->ranges);
    replayed->ranges[at] = range;
    replayed->count++;
}

static void ranges_drop(struct dlq_replayed *replayed, size_t at, size_t count)
{
    if (!count)
        return;
    memmove(&replayed->ranges[at], &replayed->ranges[at + count],
            (replayed->count - at - count) * sizeof *replayed->ranges);
    replayed->count -= count;
}

/* The first range whose end is at or after `offset`. */
static size_t range_from(const struct dlq_replayed *replayed, int64_t offset)
{
    size_t low = 0, high = replayed->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (replayed->ranges[middle].end < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Unites start … end with the ranges it touches, and those at the base with the base. */
static void unite(struct dlq_replayed *replayed, int64_t start, int64_t end)
{
    size_t at = range_from(replayed, start), last = at;
    for (; last < replayed->count && replayed->ranges[last].start <= end; last++) {
        start = replayed->ranges[last].start < start ? replayed->ranges[last].start : start;
        end = replayed->ranges[last].end > end ? replayed->ranges[last].end : end;
    }
    ranges_drop(replayed, at, last - at);
    if (start <= replayed->base)
        replayed->base = end > replayed->base ? end : replayed->base;
    else
        range_insert(replayed, at, (struct dlq_range){start, end});
}

static bool replayed_read_number(const char **at, const char *end, char before, int64_t *out)
{
    const char *from = *at;
    int64_t number = 0;
    if (before && (from == end || *from++ != before))
        return false;
    const char *digits = from;
    for (; from < end && *from >= '0' && *from <= '9'; from++)
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *from - '0', &number))
            return false;
    *at = from;
    *out = number;
    return from > digits;
}

bool dlq_replayed_read(struct dlq_replayed *replayed, int64_t base, const char *text, size_t bytes)
{
    const char *at = text, *end = text + bytes;
    int64_t gap, length, from = base;
    replayed->base = replayed->next = base;
    replayed->count = 0;
    while (at < end) {
        if (!replayed_read_number(&at, end, at == text ? 0 : ',', &gap) ||
            !replayed_read_number(&at, end, '+', &length) || !length || __builtin_add_overflow(from, gap, &from) ||
            __builtin_add_overflow(from, length, &length)) {
            replayed->count = 0;
            return false;
        }
        range_insert(replayed, replayed->count, (struct dlq_range){from, length});
        from = length;
    }
    return true;
}

void dlq_replayed_write(const struct dlq_replayed *replayed, struct buffer *out)
{
    int64_t from = replayed->base;
    buffer_clear(out);
    for (size_t r = 0; r < replayed->count; r++) {
        const struct dlq_range *range = &replayed->ranges[r];
        buffer_printf(out, "%s%" PRId64 "+%" PRId64, r ? "," : "", range->start - from, range->end - range->start);
        from = range->end;
    }
    buffer_add_u8(out, 0);
}

bool dlq_replayed_have(const struct dlq_replayed *replayed, int64_t offset)
{
    size_t at = range_from(replayed, offset + 1);
    return offset < replayed->base || (at < replayed->count && replayed->ranges[at].start <= offset);
}

/* Whether start … end fits into the text. What touches a range lengthens one number at most; what touches the base
 * lengthens nothing: so a full set gets emptier when what lies between them is replayed. */
static bool fits(const struct dlq_replayed *replayed, int64_t start, int64_t end)
{
    struct buffer text = {0};
    size_t at = range_from(replayed, start);
    if (start <= replayed->base || (replayed->count + 1) * RANGE_TEXT_MAX <= DLQ_REPLAYED_BYTES)
        return true;
    bool touches = at < replayed->count && replayed->ranges[at].start <= end;
    dlq_replayed_write(replayed, &text);
    size_t bytes = text.bytes + (touches ? RANGE_TEXT_MAX / 2 : RANGE_TEXT_MAX);
    buffer_free(&text);
    return bytes <= DLQ_REPLAYED_BYTES;
}

/* There are no letters between the one before and this one, so the gap counts as replayed as well: transactions leave
 * such gaps, and ranges would break at each. */
bool dlq_replayed_add(struct dlq_replayed *replayed, int64_t offset)
{
    int64_t start = replayed->next < offset ? replayed->next : offset;
    if (!fits(replayed, start, offset + 1))
        return false;
    unite(replayed, start, offset + 1);
    replayed->changed = true;
    return true;
}

void dlq_replayed_raise(struct dlq_replayed *replayed, int64_t low)
{
    if (low > replayed->base)
        unite(replayed, replayed->base, low);
}

void dlq_replayed_pass(struct dlq_replayed *replayed, int64_t offset)
{
    replayed->next = offset + 1;
}
