/* libpq's functions: what is sent goes to the simulated PostgreSQL (database.c), and its results come back from there.
 * A connection that is lost shows it only where something is sent or read. */
#include "tests/sim/database.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { FIRST_FD = 100000 };

/* --- connections --- */

static void notice(PGconn *connection)
{
    connection->bad = true;
    connection->state = PQTRANS_UNKNOWN;
}

/* Whether what is sent fails at once; else that shows when the answer is read. */
static bool send_fails(PGconn *connection)
{
    if (connection->lost && chance_one_in(2))
        notice(connection);
    return connection->bad;
}

PQconninfoOption *PQconninfoParse(const char *text, char **message)
{
    (void)text, (void)message;
    return mem_zeroed(1, sizeof(PQconninfoOption));
}

void PQconninfoFree(PQconninfoOption *options)
{
    free(options);
}

PQconninfoOption *PQconninfo(PGconn *connection)
{
    (void)connection;
    return mem_zeroed(1, sizeof(PQconninfoOption));
}

PGconn *PQconnectStartParams(const char *const *names, const char *const *values, int expand)
{
    static int fds = FIRST_FD;
    (void)names, (void)values, (void)expand;
    database_make();
    sim_point("connect");
    PGconn *connection = mem_zeroed(1, sizeof *connection);
    connection->proc = proc_current();
    connection->fd = fds++;
    connection->next = connections;
    connections = connection;
    return connection;
}

PostgresPollingStatusType PQconnectPoll(PGconn *connection)
{
    if (!database_up()) {
        notice(connection);
        return PGRES_POLLING_FAILED;
    }
    connection->connected = true;
    connection->state = PQTRANS_IDLE;
    return PGRES_POLLING_OK;
}

void PQfinish(PGconn *connection)
{
    if (!connection)
        return;
    connection_cut(connection);
    connection->finished = true; /* kept: what was sent before may still be run */
}

int PQsslInUse(PGconn *connection)
{
    (void)connection;
    return 0;
}

void *PQsslStruct(PGconn *connection, const char *name)
{
    (void)connection, (void)name;
    return NULL;
}

ConnStatusType PQstatus(const PGconn *connection)
{
    return !connection || connection->bad ? CONNECTION_BAD : connection->connected ? CONNECTION_OK : CONNECTION_STARTED;
}

PGTransactionStatusType PQtransactionStatus(const PGconn *connection)
{
    return connection->statement_count ? PQTRANS_ACTIVE : connection->state;
}

int PQconnectionNeedsPassword(const PGconn *connection)
{
    (void)connection;
    return 0;
}

char *PQerrorMessage(const PGconn *connection)
{
    (void)connection;
    return (char *)"sim: server closed the connection unexpectedly";
}

PGVerbosity PQsetErrorVerbosity(PGconn *connection, PGVerbosity verbosity)
{
    (void)connection, (void)verbosity;
    return PQERRORS_DEFAULT;
}

PQnoticeReceiver PQsetNoticeReceiver(PGconn *connection, PQnoticeReceiver call, void *context)
{
    (void)connection, (void)call, (void)context;
    return NULL;
}

int PQsetnonblocking(PGconn *connection, int on)
{
    (void)connection, (void)on;
    return 0;
}

int PQserverVersion(const PGconn *connection)
{
    (void)connection;
    return 150000;
}

int PQsocket(const PGconn *connection)
{
    return connection->fd;
}

static PGconn *connection_of(int fd)
{
    for (PGconn *connection = connections; connection; connection = connection->next)
        if (connection->fd == fd)
            return connection;
    unmodelled("poll of a socket that is not the database's");
}

/* The linker puts it in poll's place (sim.mk). */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)count;
    PGconn *connection = connection_of(fds->fd);
    int64_t deadline = sim_now() + (int64_t)timeout_ms * MS;
    sim_point("waiting for the database");
    if (!connection->connected) {
        sim_sleep(chance_between(300, 3 * MS));
        return 1;
    }
    while (!connection->lost && !connection->result_count && sim_now() < deadline)
        sim_wait(deadline);
    return connection->lost || connection->result_count;
}

int PQflush(PGconn *connection)
{
    (void)connection;
    return 0;
}

int PQconsumeInput(PGconn *connection)
{
    if (connection->lost && !connection->result_count)
        notice(connection);
    return !connection->bad;
}

int PQisBusy(PGconn *connection)
{
    return !connection->result_count && (connection->lost || connection->statement_count);
}

/* --- results --- */

PGresult *PQgetResult(PGconn *connection)
{
    if (!connection->result_count)
        return NULL;
    PGresult *result = connection->results[0];
    memmove(connection->results, connection->results + 1, (size_t)--connection->result_count * sizeof(PGresult *));
    return result;
}

ExecStatusType PQresultStatus(const PGresult *result)
{
    return result->status;
}

char *PQresultErrorField(const PGresult *result, int field)
{
    if (!result->code[0])
        return NULL;
    return field == PG_DIAG_SQLSTATE          ? (char *)result->code
           : field == PG_DIAG_MESSAGE_PRIMARY ? (char *)result->message
                                              : NULL;
}

char *PQresultErrorMessage(const PGresult *result)
{
    return (char *)result->message;
}

char *PQcmdStatus(PGresult *result)
{
    return result->command;
}

int PQntuples(const PGresult *result)
{
    return result->rows;
}

char *PQgetvalue(const PGresult *result, int row, int column)
{
    return result->values[row * result->columns + column];
}

int PQgetisnull(const PGresult *result, int row, int column)
{
    return !PQgetvalue(result, row, column);
}

void PQclear(PGresult *result)
{
    for (int i = 0; result && i < result->rows * result->columns; i++)
        free(result->values[i]);
    free(result);
}

/* --- statements --- */

static int send_statement(PGconn *connection, enum statement_kind kind, const char *sql, int count,
                          const char *const *values)
{
    sim_point(sql);
    if (!connection || send_fails(connection))
        return 0;
    if (connection->lost)
        return 1;
    if (connection->statement_count == STATEMENTS_MOST || count > 8)
        unmodelled("so many statements or values");
    struct statement *statement = &connection->statements[connection->statement_count++];
    *statement = (struct statement){.kind = kind, .sql = mem_text(sql)};
    for (int i = 0; i < count && kind != OTHER; i++)
        statement->values[i] = mem_text(values[i]);
    connection_work(connection);
    return 1;
}

int PQsendQueryParams(PGconn *connection, const char *sql, int count, const Oid *types, const char *const *values,
                      const int *lengths, const int *formats, int format)
{
    (void)types, (void)lengths, (void)formats, (void)format;
    return send_statement(connection, statement_kind_of(sql), sql, count, values);
}

int PQsendQuery(PGconn *connection, const char *sql)
{
    return send_statement(connection, statement_kind_of(sql), sql, 0, NULL);
}

int PQenterPipelineMode(PGconn *connection)
{
    if (!connection)
        return 0;
    connection->pipeline = true;
    return 1;
}

int PQexitPipelineMode(PGconn *connection)
{
    connection->pipeline = false;
    return 1;
}

int PQpipelineSync(PGconn *connection)
{
    return send_statement(connection, SYNC, "sync", 0, NULL);
}

int PQputCopyData(PGconn *connection, const char *data, int bytes)
{
    if (!connection || send_fails(connection))
        return -1;
    buffer_add(&connection->copy, data, (size_t)bytes);
    return 1;
}

int PQputCopyEnd(PGconn *connection, const char *message)
{
    (void)message;
    return send_statement(connection, COPY_END, "copy ends", 0, NULL) ? 1 : -1;
}
