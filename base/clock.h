/* Time as a callback struct, so that tests own the clock. */
#pragma once

#include <stdint.h>

/* Plain data. Both return microseconds: `real` since 1970-01-01 UTC, `steady` since an arbitrary start. */
struct clock_source {
    int64_t (*real_us)(void *context);
    int64_t (*steady_us)(void *context);
    void *context;
};

extern const struct clock_source clock_system;

static inline int64_t clock_real_us(const struct clock_source *clock)
{
    return clock->real_us(clock->context);
}

static inline int64_t clock_steady_us(const struct clock_source *clock)
{
    return clock->steady_us(clock->context);
}

/* Milliseconds since 1970-01-01 UTC, as events and MLflow count. */
static inline int64_t clock_real_ms(const struct clock_source *clock)
{
    return clock_real_us(clock) / 1000;
}
