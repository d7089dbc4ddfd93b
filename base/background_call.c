/* A thread that makes one call at a time: see background_call.h. The thread waits for a call, makes it, and waits for
 * the next; it ends when asked to, after the call. */
#include "base/background_call.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct background_call {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    void (*call)(void *context); /* the one to make, or being made; NULL: none. Guarded, like what follows */
    void *context;
    bool ending;
    _Atomic bool runs; /* call is not NULL */
};

static void *make_calls(void *argument)
{
    struct background_call *background = argument;
    pthread_mutex_lock(&background->mutex);
    for (;;) {
        while (!background->call && !background->ending)
            pthread_cond_wait(&background->changed, &background->mutex);
        if (!background->call)
            break;
        pthread_mutex_unlock(&background->mutex);
        background->call(background->context);
        pthread_mutex_lock(&background->mutex);
        background->call = NULL;
        atomic_store(&background->runs, false);
        pthread_cond_broadcast(&background->changed);
    }
    pthread_mutex_unlock(&background->mutex);
    return NULL;
}

enum status background_call_new(struct background_call **out, struct error *err)
{
    struct background_call *background = mem_zeroed(1, sizeof *background);
    pthread_mutex_init(&background->mutex, NULL);
    pthread_cond_init(&background->changed, NULL);
    int code = pthread_create(&background->thread, NULL, make_calls, background);
    if (code) {
        pthread_cond_destroy(&background->changed);
        pthread_mutex_destroy(&background->mutex);
        free(background);
        return error_set(err, STATUS_LIMIT, "cannot start a thread: %s", strerror(code));
    }
    *out = background;
    return STATUS_OK;
}

void background_call_free(struct background_call *background)
{
    if (!background)
        return;
    pthread_mutex_lock(&background->mutex);
    background->ending = true;
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->mutex);
    pthread_join(background->thread, NULL);
    pthread_cond_destroy(&background->changed);
    pthread_mutex_destroy(&background->mutex);
    free(background);
}

void background_call_start(struct background_call *background, void (*call)(void *context), void *context)
{
    pthread_mutex_lock(&background->mutex);
    assert(!background->call && !background->ending);
    background->call = call;
    background->context = context;
    atomic_store(&background->runs, true);
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->mutex);
}

bool background_call_runs(const struct background_call *background)
{
    return atomic_load(&background->runs);
}

void background_call_wait(struct background_call *background)
{
    pthread_mutex_lock(&background->mutex);
    while (background->call)
        pthread_cond_wait(&background->changed, &background->mutex);
    pthread_mutex_unlock(&background->mutex);
}
