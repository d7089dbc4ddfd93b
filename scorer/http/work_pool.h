/* Threads that compute answers, so that the one that talks to clients is always free: for probes above all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct work_pool;

MUST_USE enum status work_pool_new(unsigned threads, size_t queue_most, struct work_pool **out, struct error *err);
void work_pool_free(struct work_pool *pool); /* after what is queued has been done; NULL is fine */

/* `body(job)` on one of the threads, in order. False: the queue is full. Any thread. */
MUST_USE bool work_pool_add(struct work_pool *pool, void (*body)(void *job), void *job);
