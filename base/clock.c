/* The system's clocks behind clock.h. */
#include "base/clock.h"

#include <time.h>

static int64_t clock_read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t real_us(void *context)
{
    (void)context;
    return clock_read_us(CLOCK_REALTIME);
}

static int64_t steady_us(void *context)
{
    (void)context;
    return clock_read_us(CLOCK_MONOTONIC);
}

const struct clock_source clock_system = {real_us, steady_us, NULL};
