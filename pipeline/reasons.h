/* Keeping the largest reasons of a row: what linear models and trees share. */
#pragma once

#include <math.h>

#include "base/row.h"

static inline bool reason_before(const struct reason *a, const struct reason *b)
{
    double left = fabs(a->contribution), right = fabs(b->contribution);
    return left > right || (left == right && a->column < b->column);
}

/* Puts one into the `count` (≤ most) sorted ones, largest magnitude first, ties in schema order; returns their number.
 */
static inline uint32_t reason_place(struct reason *reasons, uint32_t count, uint32_t most, struct reason reason)
{
    if (count == most && !reason_before(&reason, &reasons[most - 1]))
        return count;
    uint32_t at = count < most ? count++ : most - 1;
    for (; at > 0 && reason_before(&reason, &reasons[at - 1]); at--)
        reasons[at] = reasons[at - 1];
    reasons[at] = reason;
    return count;
}
