/* A pool that lives for one call: see parallel.h. A thread that cannot be started leaves its share to the others. */
#include "trainer/parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"

struct pool {
    void (*job)(void *context, size_t number);
    void *context;
    size_t count;
    _Atomic size_t next;
};

static void *parallel_work(void *argument)
{
    struct pool *pool = argument;
    for (size_t number; (number = atomic_fetch_add(&pool->next, 1)) < pool->count;)
        pool->job(pool->context, number);
    return NULL;
}

void parallel_run(size_t threads, size_t count, void (*job)(void *context, size_t number), void *context)
{
    struct pool pool = {.job = job, .context = context, .count = count};
    size_t wanted = threads < count ? threads : count, started = 0;
    pthread_t *handles = mem_zeroed(wanted + 1, sizeof *handles);
    while (started + 1 < wanted && pthread_create(&handles[started], NULL, parallel_work, &pool) == 0)
        started++;
    parallel_work(&pool);
    for (size_t t = 0; t < started; t++)
        pthread_join(handles[t], NULL);
    free(handles);
}
