/* Independent jobs on several threads: the caller's works along; all are joined before the call returns. */
#pragma once

#include <stddef.h>

/* Runs job(context, n) for each n below count, in any order and on any thread; threads >= 1. */
void parallel_run(size_t threads, size_t count, void (*job)(void *context, size_t number), void *context);
