/* A bounded queue and the threads that empty it: see work_pool.h. Made, used and freed by server.c. */
#include "scorer/http/work_pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"

struct work {
    void (*body)(void *job);
    void *job;
};

struct work_pool {
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct work *queue; /* a ring */
    size_t most, first, count;
    bool closing;
    unsigned started;
    pthread_t threads[];
};

/* False: there will be none any more. */
static bool take(struct work_pool *pool, struct work *out)
{
    pthread_mutex_lock(&pool->mutex);
    while (!pool->count && !pool->closing)
        pthread_cond_wait(&pool->changed, &pool->mutex);
    bool has = pool->count > 0;
    if (has) {
        *out = pool->queue[pool->first];
        pool->first = (pool->first + 1) % pool->most;
        pool->count--;
    }
    pthread_mutex_unlock(&pool->mutex);
    return has;
}

static void *run(void *argument)
{
    struct work work;
    while (take(argument, &work))
        work.body(work.job);
    return NULL;
}

enum status work_pool_new(unsigned threads, size_t queue_most, struct work_pool **out, struct error *err)
{
    struct work_pool *pool = mem_zeroed(1, sizeof *pool + threads * sizeof *pool->threads);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->queue = mem_zeroed(queue_most, sizeof *pool->queue);
    pool->most = queue_most;
    while (pool->started < threads && !pthread_create(&pool->threads[pool->started], NULL, run, pool))
        pool->started++;
    if (pool->started < threads) {
        work_pool_free(pool);
        return error_set(err, STATUS_UNAVAILABLE, "http: cannot start a thread; raise the limit of threads");
    }
    *out = pool;
    return STATUS_OK;
}

void work_pool_free(struct work_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->closing = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->started; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->queue);
    free(pool);
}

bool work_pool_add(struct work_pool *pool, void (*body)(void *job), void *job)
{
    pthread_mutex_lock(&pool->mutex);
    bool room = pool->count < pool->most;
    if (room) {
        pool->queue[(pool->first + pool->count) % pool->most] = (struct work){body, job};
        pool->count++;
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->mutex);
    return room;
}
