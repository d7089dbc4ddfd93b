/* Sets of replayed offsets: see dlq_marks.h. Pure; used by the replay on its one thread. */
#include "producer/dlq_marks.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"

enum { RANGE_TEXT_MAX = 42 };

void dlq_marks_free(struct dlq_marks *marks)
{
    free(marks->ranges);
    *marks = (struct dlq_marks){0};
}

static void range_insert(struct dlq_marks *marks, size_t at, struct dlq_range range)
{
    marks->ranges = mem_grow(marks->ranges, &marks->capacity, marks->count + 1, sizeof *marks->ranges);
    memmove(&marks->ranges[at + 1], &marks->ranges[at], (marks->count - at) * sizeof *marks->ranges);
    marks->ranges[at] = range;
    marks->count++;
}

static void ranges_drop(struct dlq_marks *marks, size_t at, size_t count)
{
    if (!count)
        return;
    memmove(&marks->ranges[at], &marks->ranges[at + count], (marks->count - at - count) * sizeof *marks->ranges);
    marks->count -= count;
}

/* The first range whose end is at or after `offset`. */
static size_t range_from(const struct dlq_marks *marks, int64_t offset)
{
    size_t low = 0, high = marks->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (marks->ranges[middle].end < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Unites start … end with the ranges it touches, and those at the base with the base. */
static void unite(struct dlq_marks *marks, int64_t start, int64_t end)
{
    size_t at = range_from(marks, start), last = at;
    for (; last < marks->count && marks->ranges[last].start <= end; last++) {
        start = marks->ranges[last].start < start ? marks->ranges[last].start : start;
        end = marks->ranges[last].end > end ? marks->ranges[last].end : end;
    }
    ranges_drop(marks, at, last - at);
    if (start <= marks->base)
        marks->base = end > marks->base ? end : marks->base;
    else
        range_insert(marks, at, (struct dlq_range){start, end});
}

static bool marks_read_number(const char **at, const char *end, char before, int64_t *out)
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

bool dlq_marks_read(struct dlq_marks *marks, int64_t base, const char *text, size_t bytes)
{
    const char *at = text, *end = text + bytes;
    int64_t gap, length, from = base;
    marks->base = marks->next = base;
    marks->count = 0;
    while (at < end) {
        if (!marks_read_number(&at, end, at == text ? 0 : ',', &gap) || !marks_read_number(&at, end, '+', &length) ||
            !length || __builtin_add_overflow(from, gap, &from) || __builtin_add_overflow(from, length, &length)) {
            marks->count = 0;
            return false;
        }
        range_insert(marks, marks->count, (struct dlq_range){from, length});
        from = length;
    }
    return true;
}

void dlq_marks_write(const struct dlq_marks *marks, struct buffer *out)
{
    int64_t from = marks->base;
    buffer_clear(out);
    for (size_t r = 0; r < marks->count; r++) {
        const struct dlq_range *range = &marks->ranges[r];
        buffer_printf(out, "%s%" PRId64 "+%" PRId64, r ? "," : "", range->start - from, range->end - range->start);
        from = range->end;
    }
    buffer_add_u8(out, 0);
}

bool dlq_marks_have(const struct dlq_marks *marks, int64_t offset)
{
    size_t at = range_from(marks, offset + 1);
    return offset < marks->base || (at < marks->count && marks->ranges[at].start <= offset);
}

/* Whether start … end fits into the text. What touches a range lengthens one number at most; what touches the base
 * lengthens nothing: so full marks get emptier when what lies between them is replayed. */
static bool fits(const struct dlq_marks *marks, int64_t start, int64_t end)
{
    struct buffer text = {0};
    size_t at = range_from(marks, start);
    if (start <= marks->base || (marks->count + 1) * RANGE_TEXT_MAX <= DLQ_MARKS_BYTES)
        return true;
    bool touches = at < marks->count && marks->ranges[at].start <= end;
    dlq_marks_write(marks, &text);
    size_t bytes = text.bytes + (touches ? RANGE_TEXT_MAX / 2 : RANGE_TEXT_MAX);
    buffer_free(&text);
    return bytes <= DLQ_MARKS_BYTES;
}

/* There are no letters between the one before and this one, so the gap is marked as well: transactions leave such
 * gaps, and ranges would break at each. */
bool dlq_marks_add(struct dlq_marks *marks, int64_t offset)
{
    int64_t start = marks->next < offset ? marks->next : offset;
    if (!fits(marks, start, offset + 1))
        return false;
    unite(marks, start, offset + 1);
    marks->changed = true;
    return true;
}

void dlq_marks_raise(struct dlq_marks *marks, int64_t low)
{
    if (low > marks->base)
        unite(marks, marks->base, low);
}

void dlq_marks_pass(struct dlq_marks *marks, int64_t offset)
{
    marks->next = offset + 1;
}
