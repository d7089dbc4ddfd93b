/* Calls that do not return: see overdue.h. librdkafka's broker threads open and close sockets here, its callers begin
 * and end calls, and whoever looks shuts sockets down: under one mutex, so that a number is never another file's.
 * Nothing here waits or calls librdkafka but to set callbacks. */
#include "kafka/overdue.h"

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
    struct overdue *first;
    int64_t looked_us;
} list = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct overdue *overdue_find(const void *opaque)
{
    struct overdue *overdue = list.first;
    while (overdue && overdue->opaque != opaque)
        overdue = overdue->next;
    return overdue;
}

/* As librdkafka does by itself. */
static int open_socket(int domain, int type, int protocol, void *opaque)
{
    int number = socket(domain, type | SOCK_CLOEXEC, protocol);
    pthread_mutex_lock(&list.mutex);
    struct overdue *overdue = number >= 0 ? overdue_find(opaque) : NULL;
    if (overdue) {
        overdue->sockets = mem_grow(overdue->sockets, &overdue->capacity, overdue->count + 1, sizeof *overdue->sockets);
        overdue->sockets[overdue->count++] = number;
    }
    pthread_mutex_unlock(&list.mutex);
    return number;
}

static int close_socket(int number, void *opaque)
{
    pthread_mutex_lock(&list.mutex);
    struct overdue *overdue = overdue_find(opaque);
    for (size_t i = 0; overdue && i < overdue->count; i++)
        if (overdue->sockets[i] == number)
            overdue->sockets[i--] = overdue->sockets[--overdue->count];
    pthread_mutex_unlock(&list.mutex);
    return close(number);
}

void overdue_add(struct overdue *overdue, rd_kafka_conf_t *conf, void *opaque, const char *name)
{
    *overdue = (struct overdue){.opaque = opaque};
    snprintf(overdue->name, sizeof overdue->name, "%s", name);
    pthread_mutex_lock(&list.mutex);
    overdue->next = list.first;
    list.first = overdue;
    pthread_mutex_unlock(&list.mutex);
    rd_kafka_conf_set_socket_cb(conf, open_socket);
    rd_kafka_conf_set_closesocket_cb(conf, close_socket);
}

void overdue_remove(struct overdue *overdue)
{
    pthread_mutex_lock(&list.mutex);
    for (struct overdue **place = &list.first; *place; place = &(*place)->next)
        if (*place == overdue) {
            *place = overdue->next;
            break;
        }
    pthread_mutex_unlock(&list.mutex);
    free(overdue->sockets);
    *overdue = (struct overdue){0};
}

static void set_call(struct overdue *overdue, const char *call)
{
    pthread_mutex_lock(&list.mutex);
    overdue->call = call;
    overdue->excused_us = clock_steady_us(&clock_system);
    overdue->shut_us = 0;
    pthread_mutex_unlock(&list.mutex);
}

void overdue_begin(struct overdue *overdue, const char *call)
{
    set_call(overdue, call);
}

void overdue_end(struct overdue *overdue)
{
    set_call(overdue, NULL);
}

/* Under the mutex. */
static void shut_down(struct overdue *overdue, int64_t now_us)
{
    bool logged = overdue->shut_us;
    overdue->shut_us = now_us;
    for (size_t i = 0; i < overdue->count; i++)
        shutdown(overdue->sockets[i], SHUT_RDWR); /* one that has failed already is closed by its owner */
    if (!logged)
        log_warn("kafka", "%s: %s has not returned for %lld s although brokers answer; reconnecting", overdue->name,
                 overdue->call, (long long)((now_us - overdue->excused_us) / 1000000));
}

void overdue_look(bool up, int64_t now_us)
{
    pthread_mutex_lock(&list.mutex);
    bool excused = !up || now_us - list.looked_us > FROZEN_US;
    list.looked_us = now_us;
    for (struct overdue *overdue = list.first; overdue; overdue = overdue->next) {
        if (excused)
            overdue->excused_us = now_us;
        int64_t since_us = overdue->shut_us > overdue->excused_us ? overdue->shut_us : overdue->excused_us;
        if (overdue->call && now_us - since_us >= OVERDUE_US)
            shut_down(overdue, now_us);
    }
    pthread_mutex_unlock(&list.mutex);
}

int64_t overdue_longest_us(int64_t now_us)
{
    int64_t longest_us = 0;
    pthread_mutex_lock(&list.mutex);
    for (const struct overdue *overdue = list.first; overdue; overdue = overdue->next)
        if (overdue->call && now_us - overdue->excused_us > longest_us)
            longest_us = now_us - overdue->excused_us;
    pthread_mutex_unlock(&list.mutex);
    return longest_us;
}
