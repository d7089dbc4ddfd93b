/* Waiting for a condition until a time of the steady clock, which no change of the day's time moves. Any thread. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Makes both; pthread_mutex_destroy and pthread_cond_destroy end them. */
void steady_wait_init(pthread_mutex_t *mutex, pthread_cond_t *condition);
/* The mutex is held, as of pthread_cond_timedwait; until_us: as clock_steady_us(&clock_system). False: that time is
 * there. */
bool steady_wait_until(pthread_mutex_t *mutex, pthread_cond_t *condition, int64_t until_us);
