/* The clients' connections of one port, so that no client keeps the others out: slow ones are ended, and where there
 * are too many, the one that has been without a request under way for longest is closed. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    CONNECTIONS_MOST = 512,
    CONNECTIONS_EACH = 256,  /* of one address */
    CONNECTIONS_SPARE = 128, /* being ended while others are let in */
};

struct connections;
struct connection;

struct connections *connections_new(void);
void connections_free(struct connections *connections);

/* One that was accepted; another may be ended for it. Steady clock. */
struct connection *connections_add(struct connections *connections, int socket, const struct sockaddr *address,
                                   int64_t now_us);
void connections_remove(struct connections *connections, struct connection *connection);
/* Ends those whose request, or whose silence, has lasted longer than limit_us. */
void connections_end_slow(struct connections *connections, int64_t now_us, int64_t limit_us);

/* A complete request is worked at: it does not make room for others. */
void connection_work(struct connection *connection);
/* Its request is over. */
void connection_rest(struct connection *connection, int64_t now_us);
/* Whether the client has closed its side, or the connection was ended. */
bool connection_left(const struct connection *connection);
