/* libpq with deadlines: see sink_connection.h. Called by sink_store.c on the sink's thread.
 *
 * Every wait is a poll() of the socket up to the exchange's deadline, in pieces of 50 ms so that sink_connection_hurry
 * takes effect. A server that does not answer in time loses the connection, because nobody knows what of the
 * exchange it has done. It must never try anything again by itself: whether something happened is the caller's to find
 * out. */
#include "scorer/sink/sink_connection.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conninfo.h"
#include "base/memory.h"
#include "scorer/sink/sink_certificate.h"
#include "scorer/sink/sink_sqlstate.h"

static const char SQLSTATE_QUERY_CANCELED[] = "57014";
/* 20 s, doubled up to 160 s: below max.poll.interval.ms, after which the group would revoke our partitions. */
enum { DEFAULT_LIMIT_US = 20 * 1000 * 1000, DOUBLINGS_MOST = 3, PING_LIMIT_US = 5 * 1000 * 1000, GLANCE_MS = 50 };

struct sink_connection {
    struct secret conninfo; /* a text without file is ours */
    PGconn *handle;         /* NULL: closed */
    int64_t limit_us;
    unsigned doublings;          /* backoff: exchanges that ran out of time since the last commit; pings do not count */
    enum sink_exchange exchange; /* the one under way */
    int64_t allowed_us, deadline_us; /* of it; the steady clock's */
    _Atomic int64_t end_us;          /* of all of them, steady clock; 0: none yet. Another thread sets it */
    char sqlstate[6];
};

enum status sink_connection_new(struct secret conninfo, struct sink_connection **out, struct error *err)
{
    if (conninfo_check("DATABASE_URL", secret_text(conninfo), err) != STATUS_OK)
        return err->status;
    struct sink_connection *connection = mem_zeroed(1, sizeof *connection);
    connection->conninfo = conninfo;
    if (!conninfo.file)
        connection->conninfo.text = mem_text(conninfo.text);
    connection->limit_us = DEFAULT_LIMIT_US;
    *out = connection;
    return STATUS_OK;
}

void sink_connection_free(struct sink_connection *connection)
{
    if (!connection)
        return;
    sink_connection_close(connection);
    if (!connection->conninfo.file)
        free((char *)connection->conninfo.text);
    free(connection);
}

void sink_connection_limit(struct sink_connection *connection, int64_t limit_us)
{
    connection->limit_us = limit_us;
    connection->doublings = 0;
}

void sink_connection_hurry(struct sink_connection *connection, int64_t limit_us)
{
    connection->end_us = clock_steady_us(&clock_system) + limit_us;
}

void sink_connection_reset_backoff(struct sink_connection *connection)
{
    connection->doublings = 0;
}

void sink_connection_close(struct sink_connection *connection)
{
    PQfinish(connection->handle);
    connection->handle = NULL;
}

bool sink_connection_is_open(const struct sink_connection *connection)
{
    return connection->handle != NULL;
}

bool sink_connection_is_usable(const struct sink_connection *connection)
{
    return connection->handle && PQstatus(connection->handle) == CONNECTION_OK;
}

PGconn *sink_connection_handle(const struct sink_connection *connection)
{
    return connection->handle;
}

const char *sink_connection_sqlstate(const struct sink_connection *connection)
{
    return connection->sqlstate;
}

/* --- failures --- */

/* The first line says it; what libpq writes below it are guesses and repetitions. */
static void first_line(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(text, "\r\n"), text);
}

/* The connection itself failed: closes it. `code` may be "". */
static enum status fail_connection(struct sink_connection *connection, const char *code, const char *text,
                                   struct error *err)
{
    enum status status = *code ? sink_sqlstate_status(code) : STATUS_UNAVAILABLE;
    if (connection->handle && PQconnectionNeedsPassword(connection->handle))
        status = STATUS_DENIED;
    if (status == STATUS_INVALID)
        status = STATUS_UNAVAILABLE;
    char line[400];
    first_line(text, line, sizeof line);
    snprintf(connection->sqlstate, sizeof connection->sqlstate, "%s", code);
    sink_connection_close(connection);
    return error_set(err, status, "PostgreSQL: %s%s", line, sink_sqlstate_advice(code, status));
}

static int64_t limit_now_us(const struct sink_connection *connection)
{
    return connection->limit_us << connection->doublings;
}

/* A server that is only slow must get a batch done some day. One that does not even let us in, or does not answer a
 * ping, is unavailable. */
static void back_off(struct sink_connection *connection)
{
    if (connection->exchange == SINK_EXCHANGE_WORK && PQstatus(connection->handle) == CONNECTION_OK &&
        connection->doublings < DOUBLINGS_MOST)
        connection->doublings++;
}

static enum status fail_timeout(struct sink_connection *connection, const char *doing, struct error *err)
{
    char text[128];
    int64_t waited_us = clock_steady_us(&clock_system) - connection->deadline_us + connection->allowed_us;
    snprintf(text, sizeof text, "no answer within %.1f s while %s", (double)waited_us / 1e6, doing);
    back_off(connection);
    return fail_connection(connection, "", text, err);
}

/* A statement failed. Only its primary message is logged: details may quote the row. */
static enum status fail_result(struct sink_connection *connection, const PGresult *result, const char *doing,
                               struct error *err)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!code || PQstatus(connection->handle) == CONNECTION_BAD)
        return fail_connection(connection, code ? code : "", message ? message : PQresultErrorMessage(result), err);
    snprintf(connection->sqlstate, sizeof connection->sqlstate, "%s", code);
    char line[300];
    first_line(message ? message : "no message", line, sizeof line);
    enum status status = sink_sqlstate_status(code);
    if (!strcmp(code, SQLSTATE_QUERY_CANCELED)) { /* by statement_timeout, which a new session sets again */
        back_off(connection);
        return fail_connection(connection, code, line, err);
    }
    return error_set(err, status, "PostgreSQL: %s: %s (SQLSTATE %s)%s", doing, line, code,
                     sink_sqlstate_advice(code, status));
}

enum status sink_connection_fail_send(struct sink_connection *connection, struct error *err)
{
    return fail_connection(connection, "", PQerrorMessage(connection->handle), err);
}

/* --- waiting --- */

static int64_t allowed_now_us(const struct sink_connection *connection, enum sink_exchange exchange)
{
    if (exchange == SINK_EXCHANGE_WORK)
        return limit_now_us(connection);
    return connection->limit_us < PING_LIMIT_US ? connection->limit_us : PING_LIMIT_US;
}

void sink_connection_start(struct sink_connection *connection, enum sink_exchange exchange)
{
    connection->exchange = exchange;
    connection->allowed_us = allowed_now_us(connection, exchange);
    connection->deadline_us = clock_steady_us(&clock_system) + connection->allowed_us;
    connection->sqlstate[0] = 0;
}

/* Waits for the socket; false when the deadline has passed. */
static bool wait_socket(struct sink_connection *connection, short events)
{
    for (;;) {
        int64_t end_us = connection->end_us && connection->end_us < connection->deadline_us ? connection->end_us
                                                                                            : connection->deadline_us;
        int64_t left_ms = (end_us - clock_steady_us(&clock_system) + 999) / 1000;
        if (left_ms <= 0)
            return false;
        struct pollfd fd = {.fd = PQsocket(connection->handle), .events = events};
        int ready = poll(&fd, 1, left_ms < GLANCE_MS ? (int)left_ms : GLANCE_MS);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true; /* errors show when libpq reads or writes */
    }
}

static enum status flush_connection(struct sink_connection *connection, const char *doing, struct error *err)
{
    int pending;
    while ((pending = PQflush(connection->handle)) == 1) {
        if (!wait_socket(connection, POLLIN | POLLOUT))
            return fail_timeout(connection, doing, err);
        if (!PQconsumeInput(connection->handle))
            break;
    }
    if (pending < 0 || PQstatus(connection->handle) == CONNECTION_BAD)
        return fail_connection(connection, "", PQerrorMessage(connection->handle), err);
    return STATUS_OK;
}

/* The next result; *out is NULL where libpq says that the statement has no more. */
static enum status next_result(struct sink_connection *connection, const char *doing, PGresult **out, struct error *err)
{
    if (flush_connection(connection, doing, err) != STATUS_OK)
        return err->status;
    while (PQisBusy(connection->handle)) {
        if (!wait_socket(connection, POLLIN))
            return fail_timeout(connection, doing, err);
        if (!PQconsumeInput(connection->handle))
            return fail_connection(connection, "", PQerrorMessage(connection->handle), err);
    }
    *out = PQgetResult(connection->handle);
    return STATUS_OK;
}

/* --- results --- */

enum status sink_connection_drain(struct sink_connection *connection, const char *doing, ExecStatusType wanted,
                                  PGresult **keep, struct error *err)
{
    enum status status = STATUS_OK;
    for (;;) {
        PGresult *result = NULL;
        enum status ended = next_result(connection, doing, &result, err);
        if (ended)
            status = ended;
        if (!result)
            break;
        ExecStatusType got = PQresultStatus(result);
        bool ends = got == PGRES_COPY_IN;
        if (got != wanted && status == STATUS_OK)
            status = fail_result(connection, result, doing, err);
        if (got == wanted && keep && !*keep)
            *keep = result;
        else
            PQclear(result);
        if (ends || !connection->handle)
            break;
    }
    if (status != STATUS_OK && keep) {
        PQclear(*keep);
        *keep = NULL;
    }
    return status;
}

enum status sink_connection_query(struct sink_connection *connection, const char *doing, const char *sql, int count,
                                  const char *const *values, PGresult **out, struct error *err)
{
    if (!PQsendQueryParams(connection->handle, sql, count, NULL, values, NULL, NULL, SINK_TEXT_FORMAT))
        return sink_connection_fail_send(connection, err);
    PGresult *result = NULL;
    if (sink_connection_drain(connection, doing, PGRES_TUPLES_OK, &result, err) != STATUS_OK)
        return err->status;
    *out = result;
    return STATUS_OK;
}

enum status sink_connection_copy(struct sink_connection *connection, const char *data, size_t bytes, struct error *err)
{
    int put;
    while ((put = PQputCopyData(connection->handle, data, (int)bytes)) == 0) {
        if (!wait_socket(connection, POLLIN | POLLOUT))
            return fail_timeout(connection, "copying rows", err);
        if (!PQconsumeInput(connection->handle))
            break;
    }
    if (put <= 0)
        return fail_connection(connection, "", PQerrorMessage(connection->handle), err);
    return STATUS_OK;
}

enum status sink_connection_pipeline_result(struct sink_connection *connection, const char *doing,
                                            ExecStatusType wanted, PGresult **keep, struct error *err)
{
    PGresult *result, *end;
    if (next_result(connection, doing, &result, err) != STATUS_OK)
        return err->status;
    if (!result)
        return fail_connection(connection, "", "the server's answers do not match what was asked", err);
    enum status status = STATUS_OK;
    if (PQresultStatus(result) != wanted)
        status = fail_result(connection, result, doing, err);
    if (status == STATUS_OK && keep)
        *keep = result;
    else
        PQclear(result);
    if (!connection->handle || wanted == PGRES_PIPELINE_SYNC)
        return status;
    struct error ended;
    if (next_result(connection, doing, &end, &ended) != STATUS_OK)
        return status != STATUS_OK ? status : error_set(err, ended.status, "%s", ended.text);
    PQclear(end);
    return status;
}

void sink_connection_pipeline_leave(struct sink_connection *connection)
{
    PGresult *result;
    int nulls = 0;
    while (connection->handle && nulls < 8) {
        if (next_result(connection, "leaving a pipeline", &result, ERROR_IGNORED) != STATUS_OK)
            return;
        nulls = result ? 0 : nulls + 1;
        bool sync = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        PQclear(result);
        if (sync)
            break;
    }
    if (connection->handle && !PQexitPipelineMode(connection->handle))
        sink_connection_close(connection);
}

void sink_connection_rollback(struct sink_connection *connection)
{
    if (!connection->handle)
        return;
    PGTransactionStatusType state = PQtransactionStatus(connection->handle);
    if (PQstatus(connection->handle) == CONNECTION_OK && state == PQTRANS_IDLE)
        return;
    char sqlstate[sizeof connection->sqlstate];
    memcpy(sqlstate, connection->sqlstate, sizeof sqlstate);
    sink_connection_start(connection, SINK_EXCHANGE_WORK);
    if ((state != PQTRANS_INTRANS && state != PQTRANS_INERROR) || !PQsendQuery(connection->handle, "ROLLBACK") ||
        sink_connection_drain(connection, "rolling back", PGRES_COMMAND_OK, NULL, ERROR_IGNORED) != STATUS_OK)
        sink_connection_close(connection);
    memcpy(connection->sqlstate, sqlstate, sizeof sqlstate);
}

/* --- connecting --- */

static enum status fail_connect(struct sink_connection *connection, struct error *err)
{
    char code[6], text[400];
    snprintf(text, sizeof text, "%s", PQerrorMessage(connection->handle));
    sink_sqlstate_find(text, code);
    char *location = strstr(text, "\nLOCATION:");
    if (location)
        *location = 0;
    if (strstr(text, "certificate verify failed"))
        snprintf(text, sizeof text, "%s", sink_certificate_flaw(secret_text(connection->conninfo)));
    else if (strstr(text, "alert unknown ca") || strstr(text, "alert certificate"))
        snprintf(text, sizeof text, "the server does not trust our certificate, sslcert of DATABASE_URL: %s",
                 strstr(text, "expired")   ? "it has expired; renew sslcert and sslkey"
                 : strstr(text, "revoked") ? "it was revoked; replace sslcert and sslkey"
                 : strstr(text, "required")
                     ? "there is none; set sslcert and sslkey"
                     : "it is signed by nobody whom the server trusts; replace sslcert and sslkey");
    return fail_connection(connection, code, text, err);
}

static enum status connect_poll(struct sink_connection *connection, struct error *err)
{
    PostgresPollingStatusType polled = PGRES_POLLING_WRITING;
    while (polled != PGRES_POLLING_OK) {
        if (!wait_socket(connection, polled == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            return fail_timeout(connection, "connecting", err);
        polled = PQconnectPoll(connection->handle);
        if (polled == PGRES_POLLING_FAILED)
            return fail_connect(connection, err);
    }
    return STATUS_OK;
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context, (void)result;
}

static enum status connect_start(struct sink_connection *connection, struct error *err)
{
    const char *conninfo = secret_text(connection->conninfo);
    if (conninfo_check("DATABASE_URL", conninfo, err) != STATUS_OK) /* of a file that was read again */
        return err->status = STATUS_DENIED;
    const char *const keywords[] = {"fallback_application_name", "dbname", "client_encoding", NULL};
    const char *const values[] = {"attrition-sink", conninfo, "UTF8", NULL};
    connection->handle = PQconnectStartParams(keywords, values, 1);
    if (!connection->handle)
        return error_set(err, STATUS_UNAVAILABLE, "PostgreSQL: no memory for a connection");
    PQsetErrorVerbosity(connection->handle, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(connection->handle, ignore_notice, NULL);
    if (PQstatus(connection->handle) == CONNECTION_BAD)
        return fail_connect(connection, err);
    if (connect_poll(connection, err) != STATUS_OK)
        return err->status;
    return PQsetnonblocking(connection->handle, 1) ? sink_connection_fail_send(connection, err) : STATUS_OK;
}

/* The server gives up by itself too, so that a lock is not held for a client that has left. Memory: a batch's newest
 * rows are unpacked and sorted by the upsert; with the default of 4 MB that would go through temporary files. */
static enum status set_limits(struct sink_connection *connection, struct error *err)
{
    char ms[24];
    snprintf(ms, sizeof ms, "%" PRId64, limit_now_us(connection) / 1000);
    const char *const values[] = {ms};
    PGresult *result;
    if (sink_connection_query(
            connection, "setting limits",
            "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $1, false), "
            "set_config('idle_in_transaction_session_timeout', $1, false), set_config('work_mem', '64MB', false)",
            1, values, &result, err) != STATUS_OK)
        return err->status;
    PQclear(result);
    return STATUS_OK;
}

enum status sink_connection_open(struct sink_connection *connection, enum sink_exchange exchange, struct error *err)
{
    sink_connection_close(connection);
    sink_connection_start(connection, exchange);
    if (connect_start(connection, err) != STATUS_OK || set_limits(connection, err) != STATUS_OK) {
        sink_connection_close(connection);
        return err->status;
    }
    return STATUS_OK;
}
