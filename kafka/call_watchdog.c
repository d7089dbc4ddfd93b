/* Calls that do not return: see call_watchdog.h. librdkafka's broker threads open and close sockets here, its callers
 * begin and end calls, and whoever looks shuts sockets down: under one mutex, so that a number is never another file's.
 * Nothing here waits or calls librdkafka but to set callbacks. */
#include "kafka/call_watchdog.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum { FROZEN_US = 5000000 }; /* looks come every second or oftener */

static struct {
    pthread_mutex_t mutex;
    struct call_watchdog *first;
    int64_t looked_us;
} list = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct call_watchdog *call_watchdog_find(const void *opaque)
{
    struct call_watchdog *watchdog = list.first;
    while (watchdog && watchdog->opaque != opaque)
        watchdog = watchdog->next;
    return watchdog;
}

/* As librdkafka does by itself. */
static int open_socket(int domain, int type, int protocol, void *opaque)
{
    int number = socket(domain, type | SOCK_CLOEXEC, protocol);
    pthread_mutex_lock(&list.mutex);
    struct call_watchdog *watchdog = number >= 0 ? call_watchdog_find(opaque) : NULL;
    if (watchdog) {
        watchdog->sockets =
            mem_grow(watchdog->sockets, &watchdog->capacity, watchdog->count + 1, sizeof *watchdog->sockets);
        watchdog->sockets[watchdog->count++] = number;
    }
    pthread_mutex_unlock(&list.mutex);
    return number;
}

static int close_socket(int number, void *opaque)
{
    pthread_mutex_lock(&list.mutex);
    struct call_watchdog *watchdog = call_watchdog_find(opaque);
    for (size_t i = 0; watchdog && i < watchdog->count; i++)
        if (watchdog->sockets[i] == number)
            watchdog->sockets[i--] = watchdog->sockets[--watchdog->count];
    pthread_mutex_unlock(&list.mutex);
    return close(number);
}

void call_watchdog_add(struct call_watchdog *watchdog, rd_kafka_conf_t *conf, void *opaque, const char *name)
{
    *watchdog = (struct call_watchdog){.opaque = opaque};
    snprintf(watchdog->name, sizeof watchdog->name, "%s", name);
    pthread_mutex_lock(&list.mutex);
    watchdog->next = list.first;
    list.first = watchdog;
    pthread_mutex_unlock(&list.mutex);
    rd_kafka_conf_set_socket_cb(conf, open_socket);
    rd_kafka_conf_set_closesocket_cb(conf, close_socket);
}

void call_watchdog_remove(struct call_watchdog *watchdog)
{
    pthread_mutex_lock(&list.mutex);
    for (struct call_watchdog **place = &list.first; *place; place = &(*place)->next)
        if (*place == watchdog) {
            *place = watchdog->next;
            break;
        }
    pthread_mutex_unlock(&list.mutex);
    free(watchdog->sockets);
    *watchdog = (struct call_watchdog){0};
}

static void set_call(struct call_watchdog *watchdog, const char *call)
{
    pthread_mutex_lock(&list.mutex);
    watchdog->call = call;
    watchdog->excused_us = clock_steady_us(&clock_system);
    watchdog->shut_us = 0;
    pthread_mutex_unlock(&list.mutex);
}

void call_watchdog_begin(struct call_watchdog *watchdog, const char *call)
{
    set_call(watchdog, call);
}

void call_watchdog_end(struct call_watchdog *watchdog)
{
    set_call(watchdog, NULL);
}

/* Under the mutex. */
static void shut_down(struct call_watchdog *watchdog, int64_t now_us)
{
    bool logged = watchdog->shut_us;
    watchdog->shut_us = now_us;
    for (size_t i = 0; i < watchdog->count; i++)
        shutdown(watchdog->sockets[i], SHUT_RDWR); /* one that has failed already is closed by its owner */
    if (!logged)
        log_warn("kafka", "%s: %s has not returned for %lld s although brokers answer; reconnecting", watchdog->name,
                 watchdog->call, (long long)((now_us - watchdog->excused_us) / 1000000));
}

void call_watchdog_check(bool up, int64_t now_us)
{
    pthread_mutex_lock(&list.mutex);
    bool excused = !up || now_us - list.looked_us > FROZEN_US;
    list.looked_us = now_us;
    for (struct call_watchdog *watchdog = list.first; watchdog; watchdog = watchdog->next) {
        if (excused)
            watchdog->excused_us = now_us;
        int64_t since_us = watchdog->shut_us > watchdog->excused_us ? watchdog->shut_us : watchdog->excused_us;
        if (watchdog->call && now_us - since_us >= CALL_WATCHDOG_US)
            shut_down(watchdog, now_us);
    }
    pthread_mutex_unlock(&list.mutex);
}

int64_t call_watchdog_longest_us(int64_t now_us)
{
    int64_t longest_us = 0;
    pthread_mutex_lock(&list.mutex);
    for (const struct call_watchdog *watchdog = list.first; watchdog; watchdog = watchdog->next)
        if (watchdog->call && now_us - watchdog->excused_us > longest_us)
            longest_us = now_us - watchdog->excused_us;
    pthread_mutex_unlock(&list.mutex);
    return longest_us;
}
