/* The sink's PostgreSQL session: connecting, sending, waiting with a deadline, and what each failure means.
 *
 * Thread: the store's (the sink's loop, or `check`) for everything but sink_connection_hurry; not thread-safe. What
 * blocks: all that returns a status, sink_connection_pipeline_leave and sink_connection_rollback; none of it beyond the
 * exchange's deadline, because libpq is in non-blocking mode (only a host name is looked up by libpq itself, without a
 * limit). Ownership: sink_store owns the connection, the connection owns libpq's handle and closes it as soon as it
 * fails; a result that is handed out is the caller's to PQclear. It tries nothing again by itself.
 *
 * Statements are sent by the caller on sink_connection_handle, and answered here. An exchange is what has one deadline
 * in common: mostly a statement or a pipeline with its answers, or connecting. What an error's status means: see
 * sink_store.h. With libpq's types, so for sink_store.c alone. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"

enum { SINK_TEXT_FORMAT = 0, SINK_BINARY_FORMAT = 1 };

enum sink_exchange {
    SINK_EXCHANGE_WORK, /* within the limit, which is doubled for each one that ran out of time: backoff */
    SINK_EXCHANGE_PING, /* at most 5 s, and without backoff */
};

struct sink_connection;

/* Connects nothing. STATUS_INVALID: `conninfo` is no connection string. One in a file is asked for at each session. */
MUST_USE enum status sink_connection_new(struct secret conninfo, struct sink_connection **out, struct error *err);
void sink_connection_free(struct sink_connection *connection);

/* Every exchange ends within limit_us. Forgets the backoff. */
void sink_connection_limit(struct sink_connection *connection, int64_t limit_us);
/* From now on all exchanges together end within limit_us, the one under way included. From any thread. */
void sink_connection_hurry(struct sink_connection *connection, int64_t limit_us);
/* After a commit: the limit is again what it was set to. */
void sink_connection_reset_backoff(struct sink_connection *connection);

/* Starts an exchange: connects again, and has the server give up by itself after the limit. Closed after a failure. */
MUST_USE enum status sink_connection_open(struct sink_connection *connection, enum sink_exchange exchange,
                                          struct error *err);
void sink_connection_close(struct sink_connection *connection);
bool sink_connection_is_open(const struct sink_connection *connection);
/* Open, and libpq has not seen it break since. */
bool sink_connection_is_usable(const struct sink_connection *connection);
/* For PQsend… and the like; borrowed, and NULL when closed. */
PGconn *sink_connection_handle(const struct sink_connection *connection);

/* Starts an exchange on an open connection: the deadline is reckoned from now, and the last SQLSTATE forgotten. */
void sink_connection_start(struct sink_connection *connection, enum sink_exchange exchange);
/* SQLSTATE of the last failure, or "": the connection itself failed, or no answer came. */
const char *sink_connection_sqlstate(const struct sink_connection *connection);
/* What libpq refused to send: closes, and returns the status. */
MUST_USE enum status sink_connection_fail_send(struct sink_connection *connection, struct error *err);

/* Reads all that a plain statement answers, or up to the start of a COPY; `keep`, unless NULL, gets the first result
 * of `wanted` status. `doing` is for messages. */
MUST_USE enum status sink_connection_drain(struct sink_connection *connection, const char *doing, ExecStatusType wanted,
                                           PGresult **keep, struct error *err);
/* Sends a statement that returns rows, and reads them. */
MUST_USE enum status sink_connection_query(struct sink_connection *connection, const char *doing, const char *sql,
                                           int count, const char *const *values, PGresult **out, struct error *err);
/* Sends data within COPY. */
MUST_USE enum status sink_connection_copy(struct sink_connection *connection, const char *data, size_t bytes,
                                          struct error *err);

/* Reads one pipelined statement's result and the NULL after it. */
MUST_USE enum status sink_connection_pipeline_result(struct sink_connection *connection, const char *doing,
                                                     ExecStatusType wanted, PGresult **keep, struct error *err);
/* Reads up to the sync point, after a failure too, so that the connection can be used again; else closes it. */
void sink_connection_pipeline_leave(struct sink_connection *connection);

/* An exchange of its own: ends what transaction there is, or closes. The SQLSTATE of the failure before it stays. */
void sink_connection_rollback(struct sink_connection *connection);
