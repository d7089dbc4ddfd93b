/* Where a tree splits a number. */
#pragma once

/* Half-way between two neighbouring values, and a float that distinguishes them: x <= threshold goes left. */
static inline float threshold_between(float low, float high)
{
    float middle = (float)((double)low / 2 + (double)high / 2);
    return middle >= low && middle < high ? middle : low;
}
