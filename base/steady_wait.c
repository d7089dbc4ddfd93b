/* See steady_wait.h. */
#include "base/steady_wait.h"

#include <time.h>

void steady_wait_init(pthread_mutex_t *mutex, pthread_cond_t *condition)
{
    pthread_condattr_t steady;
    pthread_mutex_init(mutex, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &steady);
    pthread_condattr_destroy(&steady);
}

bool steady_wait_until(pthread_mutex_t *mutex, pthread_cond_t *condition, int64_t until_us)
{
    const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    return pthread_cond_timedwait(condition, mutex, &until) == 0;
}
