/* The list of connections and which one is closed for a new one: see connections.h. The server's threads add, remove
 * and mark; its keeper ends slow ones. A connection is ended by shutdown(2) alone: the HTTP library then sees its end
 * and closes it. */
#include "scorer/http/connections.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/memory.h"
#include "scorer/http/access_control.h"

struct connection {
    struct connection *next, **before;
    uint64_t address;
    int socket;
    bool ended;
    _Atomic int64_t since_us; /* steady clock: its start, or its last complete request */
    atomic_bool working;
};

struct connections {
    pthread_mutex_t mutex; /* guards the list */
    struct connection *first;
};

struct connections *connections_new(void)
{
    struct connections *connections = mem_zeroed(1, sizeof *connections);
    pthread_mutex_init(&connections->mutex, NULL);
    return connections;
}

void connections_free(struct connections *connections)
{
    if (!connections)
        return;
    pthread_mutex_destroy(&connections->mutex);
    free(connections);
}

static void end(struct connection *connection)
{
    connection->ended = true;
    shutdown(connection->socket, SHUT_RDWR);
}

/* address 0: of any. *count is how many have not been ended; the one to close for a new one, or NULL. */
static struct connection *find_longest(const struct connections *connections, uint64_t address, size_t *count)
{
    struct connection *longest = NULL;
    *count = 0;
    for (struct connection *each = connections->first; each; each = each->next) {
        if (each->ended || (address && each->address != address))
            continue;
        ++*count;
        if (!each->working && (!longest || each->since_us < longest->since_us))
            longest = each;
    }
    return longest;
}

static void make_room(struct connections *connections, uint64_t address)
{
    size_t count;
    struct connection *longest = find_longest(connections, address, &count);
    if (count < CONNECTIONS_EACH)
        longest = find_longest(connections, 0, &count);
    else
        count = CONNECTIONS_MOST;
    if (longest && count >= CONNECTIONS_MOST)
        end(longest);
}

struct connection *connections_add(struct connections *connections, int socket, const struct sockaddr *address,
                                   int64_t now_us)
{
    struct connection *connection = mem_zeroed(1, sizeof *connection);
    connection->socket = socket;
    connection->address = address ? access_control_address_key(address) : 1;
    connection->since_us = now_us;
    pthread_mutex_lock(&connections->mutex);
    make_room(connections, connection->address);
    connection->next = connections->first;
    connection->before = &connections->first;
    if (connection->next)
        connection->next->before = &connection->next;
    connections->first = connection;
    pthread_mutex_unlock(&connections->mutex);
    return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
    pthread_mutex_lock(&connections->mutex);
    *connection->before = connection->next;
    if (connection->next)
        connection->next->before = connection->before;
    pthread_mutex_unlock(&connections->mutex);
    free(connection);
}

void connections_end_slow(struct connections *connections, int64_t now_us, int64_t limit_us)
{
    pthread_mutex_lock(&connections->mutex);
    for (struct connection *each = connections->first; each; each = each->next)
        if (!each->ended && now_us - each->since_us > limit_us)
            end(each);
    pthread_mutex_unlock(&connections->mutex);
}

void connection_work(struct connection *connection)
{
    connection->working = true;
}

void connection_rest(struct connection *connection, int64_t now_us)
{
    connection->since_us = now_us;
    connection->working = false;
}

bool connection_left(const struct connection *connection)
{
    struct pollfd look = {.fd = connection->socket, .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0;
}
