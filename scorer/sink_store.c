/* PostgreSQL for the sink: see sink_store.h. Called by sink_batch.c and sink.c on the sink's thread.
 *
 * libpq in non-blocking mode, so that no server, however silent, holds the thread beyond the limit: the loop above must
 * come back to Kafka. What goes out and back per transaction: begin and offsets in one trip, one per COPY, upsert and
 * COMMIT in one. It must never try anything again by itself: whether something happened is the caller's to find out. */
#include "scorer/sink_store.h"

#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/memory.h"
#include "scorer/sink_sqlstate.h"

enum { TEXT_FORMAT = 0, BINARY_FORMAT = 1, ARRAYS = 6 };
static const char SQLSTATE_QUERY_CANCELED[] = "57014";
/* 20 s, doubled up to 160 s: below max.poll.interval.ms, after which the group would take our partitions away. */
enum { DEFAULT_LIMIT_US = 20 * 1000 * 1000, DOUBLINGS_MOST = 3, PING_LIMIT_US = 5 * 1000 * 1000, GLANCE_MS = 50 };

struct sink_store {
    char *conninfo, *cluster_id, *group_id;
    PGconn *connection; /* NULL: closed */
    int64_t limit_us;
    uint64_t sessions;  /* connections that were made */
    unsigned doublings; /* backoff: exchanges that ran out of time since the last commit; pings do not count */
    bool pings;         /* the exchange under way is one */
    int64_t allowed_us, deadline_us; /* of the exchange under way; the steady clock's */
    _Atomic int64_t end_us;          /* of all of them, steady clock; 0: not told. Another thread sets it */
    uint32_t row_type, row_array_type;
    char sqlstate[6];
    struct buffer
        arrays[ARRAYS]; /* array literals, reused: topics, partitions, stored, next, last_offset, last_digest */
};

enum status sink_store_new(const char *conninfo, const char *group_id, struct sink_store **out, struct error *err)
{
    /* libpq's own words may quote the string, password and all. */
    PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
    if (!parsed)
        return error_set(err, STATUS_INVALID,
                         "DATABASE_URL is no connection string: write postgresql://user@host:5432/database or host=… "
                         "dbname=…, and escape special characters in a password as %%XX");
    PQconninfoFree(parsed);
    struct sink_store *store = mem_zeroed(1, sizeof *store);
    store->conninfo = mem_text(conninfo);
    store->cluster_id = mem_text("");
    store->group_id = mem_text(group_id);
    store->limit_us = DEFAULT_LIMIT_US;
    *out = store;
    return STATUS_OK;
}

void sink_store_free(struct sink_store *store)
{
    if (!store)
        return;
    sink_store_close(store);
    for (size_t a = 0; a < ARRAYS; a++)
        buffer_free(&store->arrays[a]);
    free(store->conninfo);
    free(store->cluster_id);
    free(store->group_id);
    free(store);
}

void sink_store_cluster(struct sink_store *store, const char *cluster_id)
{
    free(store->cluster_id);
    store->cluster_id = mem_text(cluster_id);
}

void sink_store_limit(struct sink_store *store, int64_t limit_us)
{
    store->limit_us = limit_us;
    store->doublings = 0;
}

void sink_store_hurry(struct sink_store *store, int64_t limit_us)
{
    store->end_us = clock_steady_us(&clock_system) + limit_us;
}

bool sink_store_is_open(const struct sink_store *store)
{
    return store->connection != NULL;
}

void sink_store_close(struct sink_store *store)
{
    PQfinish(store->connection);
    store->connection = NULL;
}

const char *sink_store_sqlstate(const struct sink_store *store)
{
    return store->sqlstate;
}

uint32_t sink_store_row_type(const struct sink_store *store)
{
    return store->row_type;
}

/* --- failures --- */

/* The first line says it; what libpq writes below it are guesses and repetitions. */
static void first_line(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(text, "\r\n"), text);
}

/* The connection itself failed: closes it. `code` may be "". */
static enum status fail_connection(struct sink_store *store, const char *code, const char *text, struct error *err)
{
    enum status status = *code ? sink_sqlstate_status(code) : STATUS_UNAVAILABLE;
    if (store->connection && PQconnectionNeedsPassword(store->connection))
        status = STATUS_DENIED;
    if (status == STATUS_INVALID)
        status = STATUS_UNAVAILABLE;
    char line[400];
    first_line(text, line, sizeof line);
    snprintf(store->sqlstate, sizeof store->sqlstate, "%s", code);
    sink_store_close(store);
    return error_set(err, status, "PostgreSQL: %s%s", line, sink_sqlstate_advice(status));
}

static int64_t limit_now_us(const struct sink_store *store)
{
    return store->limit_us << store->doublings;
}

/* A server that is only slow must get a batch done some day. One that does not even let us in, or does not answer a
 * ping, is unavailable. */
static void back_off(struct sink_store *store)
{
    if (!store->pings && PQstatus(store->connection) == CONNECTION_OK && store->doublings < DOUBLINGS_MOST)
        store->doublings++;
}

static enum status fail_timeout(struct sink_store *store, const char *doing, struct error *err)
{
    char text[128];
    int64_t waited_us = clock_steady_us(&clock_system) - store->deadline_us + store->allowed_us;
    snprintf(text, sizeof text, "no answer within %.1f s while %s", (double)waited_us / 1e6, doing);
    back_off(store);
    return fail_connection(store, "", text, err);
}

/* A statement failed. Only its primary message is told: details may quote the row. */
static enum status fail_result(struct sink_store *store, const PGresult *result, const char *doing, struct error *err)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!code || PQstatus(store->connection) == CONNECTION_BAD)
        return fail_connection(store, code ? code : "", message ? message : PQresultErrorMessage(result), err);
    snprintf(store->sqlstate, sizeof store->sqlstate, "%s", code);
    char line[300];
    first_line(message ? message : "no message", line, sizeof line);
    enum status status = sink_sqlstate_status(code);
    if (!strcmp(code, SQLSTATE_QUERY_CANCELED)) { /* by statement_timeout, which a new session gets anew */
        back_off(store);
        return fail_connection(store, code, line, err);
    }
    return error_set(err, status, "PostgreSQL: %s: %s (SQLSTATE %s)%s", doing, line, code,
                     sink_sqlstate_advice(status));
}

/* --- waiting --- */

static void deadline_set(struct sink_store *store, int64_t allowed_us, bool pings)
{
    store->allowed_us = allowed_us;
    store->pings = pings;
    store->deadline_us = clock_steady_us(&clock_system) + allowed_us;
    store->sqlstate[0] = 0;
}

static void deadline_start(struct sink_store *store)
{
    deadline_set(store, limit_now_us(store), false);
}

/* Waits for the socket; false when the deadline has passed. */
static bool wait_socket(struct sink_store *store, short events)
{
    for (;;) {
        int64_t end_us = store->end_us && store->end_us < store->deadline_us ? store->end_us : store->deadline_us;
        int64_t left_ms = (end_us - clock_steady_us(&clock_system) + 999) / 1000;
        if (left_ms <= 0)
            return false;
        struct pollfd fd = {.fd = PQsocket(store->connection), .events = events};
        int ready = poll(&fd, 1, left_ms < GLANCE_MS ? (int)left_ms : GLANCE_MS);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true; /* errors show when libpq reads or writes */
    }
}

static enum status flush(struct sink_store *store, const char *doing, struct error *err)
{
    int pending;
    while ((pending = PQflush(store->connection)) == 1) {
        if (!wait_socket(store, POLLIN | POLLOUT))
            return fail_timeout(store, doing, err);
        if (!PQconsumeInput(store->connection))
            break;
    }
    if (pending < 0 || PQstatus(store->connection) == CONNECTION_BAD)
        return fail_connection(store, "", PQerrorMessage(store->connection), err);
    return STATUS_OK;
}

/* The next result; *out is NULL where libpq says that the statement has no more. */
static enum status next_result(struct sink_store *store, const char *doing, PGresult **out, struct error *err)
{
    if (flush(store, doing, err))
        return err->status;
    while (PQisBusy(store->connection)) {
        if (!wait_socket(store, POLLIN))
            return fail_timeout(store, doing, err);
        if (!PQconsumeInput(store->connection))
            return fail_connection(store, "", PQerrorMessage(store->connection), err);
    }
    *out = PQgetResult(store->connection);
    return STATUS_OK;
}

/* Reads everything a plain statement answers; keeps the last result of `wanted` status if keep is given. */
static enum status drain_results(struct sink_store *store, const char *doing, ExecStatusType wanted, PGresult **keep,
                                 struct error *err)
{
    enum status status = STATUS_OK;
    for (;;) {
        PGresult *result = NULL;
        enum status ended = next_result(store, doing, &result, err);
        if (ended)
            status = ended;
        if (!result)
            break;
        ExecStatusType got = PQresultStatus(result);
        bool ends = got == PGRES_COPY_IN;
        if (got != wanted && !status)
            status = fail_result(store, result, doing, err);
        if (got == wanted && keep && !*keep)
            *keep = result;
        else
            PQclear(result);
        if (ends || !store->connection)
            break;
    }
    if (status && keep) {
        PQclear(*keep);
        *keep = NULL;
    }
    return status;
}

static enum status send_failed(struct sink_store *store, struct error *err)
{
    return fail_connection(store, "", PQerrorMessage(store->connection), err);
}

static enum status query(struct sink_store *store, const char *doing, const char *sql, int count,
                         const char *const *values, PGresult **out, struct error *err)
{
    if (!PQsendQueryParams(store->connection, sql, count, NULL, values, NULL, NULL, TEXT_FORMAT))
        return send_failed(store, err);
    PGresult *result = NULL;
    enum status status = drain_results(store, doing, PGRES_TUPLES_OK, &result, err);
    if (!status)
        *out = result;
    return status;
}

/* --- connecting --- */

static enum status fail_connect(struct sink_store *store, struct error *err)
{
    char code[6], text[400];
    snprintf(text, sizeof text, "%s", PQerrorMessage(store->connection));
    sink_sqlstate_find(text, code);
    char *location = strstr(text, "\nLOCATION:");
    if (location)
        *location = 0;
    return fail_connection(store, code, text, err);
}

static enum status connect_poll(struct sink_store *store, struct error *err)
{
    PostgresPollingStatusType polled = PGRES_POLLING_WRITING;
    while (polled != PGRES_POLLING_OK) {
        if (!wait_socket(store, polled == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            return fail_timeout(store, "connecting", err);
        polled = PQconnectPoll(store->connection);
        if (polled == PGRES_POLLING_FAILED)
            return fail_connect(store, err);
    }
    return STATUS_OK;
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context, (void)result;
}

static enum status connect_start(struct sink_store *store, struct error *err)
{
    const char *const keywords[] = {"fallback_application_name", "dbname", "client_encoding", NULL};
    const char *const values[] = {"attrition-sink", store->conninfo, "UTF8", NULL};
    store->connection = PQconnectStartParams(keywords, values, 1);
    if (!store->connection)
        return error_set(err, STATUS_UNAVAILABLE, "PostgreSQL: no memory for a connection");
    PQsetErrorVerbosity(store->connection, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(store->connection, ignore_notice, NULL);
    if (PQstatus(store->connection) == CONNECTION_BAD)
        return fail_connect(store, err);
    if (connect_poll(store, err))
        return err->status;
    return PQsetnonblocking(store->connection, 1) ? send_failed(store, err) : STATUS_OK;
}

/* The server gives up by itself too, so that a lock is not held for a client that has left. Memory: a batch's newest
 * rows are unpacked and sorted by the upsert; with the default of 4 MB that would go through temporary files. */
static enum status set_limits(struct sink_store *store, struct error *err)
{
    char ms[24];
    snprintf(ms, sizeof ms, "%" PRId64, limit_now_us(store) / 1000);
    const char *const values[] = {ms};
    PGresult *result;
    if (query(store, "setting limits",
              "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $1, false), "
              "set_config('idle_in_transaction_session_timeout', $1, false), set_config('work_mem', '64MB', false)",
              1, values, &result, err))
        return err->status;
    PQclear(result);
    return STATUS_OK;
}

static enum status check_database(struct sink_store *store, struct error *err)
{
    PGresult *result;
    if (query(store, "reading the migrations",
              "SELECT (SELECT max(version) FROM attrition.migrations), 'attrition.predictions'::regtype::oid, "
              "'attrition.predictions[]'::regtype::oid, current_setting('server_encoding')",
              0, NULL, &result, err))
        return err->status;
    int version = atoi(PQgetvalue(result, 0, 0));
    store->row_type = (uint32_t)strtoul(PQgetvalue(result, 0, 1), NULL, 10);
    store->row_array_type = (uint32_t)strtoul(PQgetvalue(result, 0, 2), NULL, 10);
    char encoding[32];
    snprintf(encoding, sizeof encoding, "%s", PQgetvalue(result, 0, 3));
    PQclear(result);
    if (version < SINK_MIGRATION)
        return error_set(err, STATUS_NOT_FOUND,
                         "PostgreSQL: the database is at migration %d and this program needs %d; run sql/migrate on it",
                         version, SINK_MIGRATION);
    if (strcmp(encoding, "UTF8"))
        return error_set(err, STATUS_UNSUPPORTED,
                         "PostgreSQL: the database's encoding is %s; make one with ENCODING 'UTF8' and use that",
                         encoding);
    return STATUS_OK;
}

static enum status open_within(struct sink_store *store, int64_t allowed_us, bool pings, struct error *err)
{
    if (store->connection && PQstatus(store->connection) == CONNECTION_OK)
        return STATUS_OK;
    sink_store_close(store);
    deadline_set(store, allowed_us, pings);
    if (connect_start(store, err) || set_limits(store, err) || check_database(store, err)) {
        sink_store_close(store);
        return err->status;
    }
    store->sessions++;
    return STATUS_OK;
}

enum status sink_store_open(struct sink_store *store, struct error *err)
{
    return open_within(store, limit_now_us(store), false, err);
}

uint64_t sink_store_sessions(const struct sink_store *store)
{
    return store->sessions;
}

/* --- offsets --- */

enum status sink_store_ping(struct sink_store *store, struct error *err)
{
    PGresult *result = NULL;
    int64_t allowed_us = store->limit_us < PING_LIMIT_US ? store->limit_us : PING_LIMIT_US;
    enum status status = open_within(store, allowed_us, true, err);
    deadline_set(store, allowed_us, true);
    if (!status)
        status = query(store, "asking whether it is there", "SELECT 1", 0, NULL, &result, err);
    PQclear(result);
    return status;
}

/* Topics are letters, digits, '.', '_' and '-' (Kafka's rule), so quotes suffice. */
static void offsets_literals(struct sink_store *store, const struct sink_offset *offsets, size_t count)
{
    for (size_t a = 0; a < ARRAYS; a++)
        buffer_clear(&store->arrays[a]);
    for (size_t i = 0; i < count; i++) {
        const char *lead = i ? "," : "{";
        const int64_t numbers[] = {offsets[i].partition, offsets[i].stored, offsets[i].next, offsets[i].last_offset,
                                   offsets[i].last_digest};
        buffer_printf(&store->arrays[0], "%s\"%s\"", lead, offsets[i].topic);
        for (size_t a = 1; a < ARRAYS; a++)
            buffer_printf(&store->arrays[a], "%s%" PRId64, lead, numbers[a - 1]);
    }
    for (size_t a = 0; a < ARRAYS; a++)
        buffer_add(&store->arrays[a], count ? "}" : "{}", count ? 2 : 3); /* with the NUL */
}

enum status sink_store_read(struct sink_store *store, struct sink_offset *offsets, size_t count, struct error *err)
{
    deadline_start(store);
    offsets_literals(store, offsets, count);
    const char *const values[] = {store->cluster_id, store->arrays[0].data, store->arrays[1].data};
    PGresult *result;
    if (query(store, "reading sink_offsets",
              "SELECT coalesce(s.next_offset, -1), coalesce(s.last_offset, -1), coalesce(s.last_digest, 0) "
              "FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY AS w (topic, partition, place) "
              "LEFT JOIN attrition.sink_offsets s ON s.cluster_id = $1 AND s.topic = w.topic "
              "AND s.partition = w.partition ORDER BY w.place",
              3, values, &result, err))
        return err->status;
    for (size_t i = 0; i < count; i++) {
        offsets[i].stored = strtoll(PQgetvalue(result, (int)i, 0), NULL, 10);
        offsets[i].last_offset = strtoll(PQgetvalue(result, (int)i, 1), NULL, 10);
        offsets[i].last_digest = strtoll(PQgetvalue(result, (int)i, 2), NULL, 10);
    }
    PQclear(result);
    return STATUS_OK;
}

/* Reads one pipelined statement's result and the NULL behind it. */
static enum status pipeline_result(struct sink_store *store, const char *doing, ExecStatusType wanted, PGresult **keep,
                                   struct error *err)
{
    PGresult *result, *end;
    if (next_result(store, doing, &result, err))
        return err->status;
    if (!result)
        return fail_connection(store, "", "the server's answers do not match what was asked", err);
    enum status status = STATUS_OK;
    if (PQresultStatus(result) != wanted)
        status = fail_result(store, result, doing, err);
    if (!status && keep)
        *keep = result;
    else
        PQclear(result);
    if (!store->connection || wanted == PGRES_PIPELINE_SYNC)
        return status;
    struct error ended;
    if (next_result(store, doing, &end, &ended))
        return status ? status : error_set(err, ended.status, "%s", ended.text);
    PQclear(end);
    return status;
}

/* Reads up to the sync point after a failure, so that the connection can be used again. */
static void pipeline_leave(struct sink_store *store)
{
    struct error ignored;
    PGresult *result;
    int nulls = 0;
    while (store->connection && nulls < 8) {
        if (next_result(store, "leaving a pipeline", &result, &ignored))
            return;
        nulls = result ? 0 : nulls + 1;
        bool sync = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        PQclear(result);
        if (sync)
            break;
    }
    if (store->connection && !PQexitPipelineMode(store->connection))
        sink_store_close(store);
}

/* Rows are locked in one order, so that sinks of two groups wait for each other instead of dying of a deadlock. Whoever
 * waited sees the row as the other left it, and finds it moved. */
static const char advance_sql[] =
    "WITH w AS (SELECT * FROM unnest($3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[], "
    "$8::bigint[]) AS w (topic, partition, stored, next, last_offset, last_digest)), "
    "held AS MATERIALIZED (SELECT s.topic, s.partition FROM attrition.sink_offsets s JOIN w ON s.topic = w.topic "
    "AND s.partition = w.partition WHERE s.cluster_id = $1 AND s.next_offset = w.stored "
    "ORDER BY s.topic, s.partition FOR UPDATE OF s), "
    "moved AS (UPDATE attrition.sink_offsets s SET next_offset = w.next, group_id = $2, updated_at = now(), "
    "last_offset = coalesce(nullif(w.last_offset, -1), s.last_offset), "
    "last_digest = CASE w.last_offset WHEN -1 THEN s.last_digest ELSE w.last_digest END "
    "FROM held JOIN w ON w.topic = held.topic AND w.partition = held.partition "
    "WHERE s.cluster_id = $1 AND s.topic = held.topic AND s.partition = held.partition RETURNING 1), "
    "made AS (INSERT INTO attrition.sink_offsets "
    "(cluster_id, group_id, topic, partition, next_offset, last_offset, last_digest) "
    "SELECT $1, $2, topic, partition, next, nullif(last_offset, -1), last_digest FROM w WHERE stored = -1 "
    "ORDER BY topic, partition ON CONFLICT DO NOTHING RETURNING 1) "
    "SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM made)";

static enum status begin_send(struct sink_store *store, struct error *err)
{
    const char *values[2 + ARRAYS] = {store->cluster_id, store->group_id};
    for (size_t a = 0; a < ARRAYS; a++)
        values[2 + a] = store->arrays[a].data;
    if (!PQenterPipelineMode(store->connection) ||
        !PQsendQueryParams(store->connection, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", 0, NULL, NULL, NULL,
                           NULL, TEXT_FORMAT) ||
        !PQsendQueryParams(store->connection, advance_sql, 2 + ARRAYS, NULL, values, NULL, NULL, TEXT_FORMAT) ||
        !PQpipelineSync(store->connection))
        return send_failed(store, err);
    return STATUS_OK;
}

enum status sink_store_begin(struct sink_store *store, const struct sink_offset *offsets, size_t count,
                             struct error *err)
{
    deadline_start(store);
    offsets_literals(store, offsets, count);
    if (begin_send(store, err))
        return err->status;
    PGresult *moved = NULL;
    enum status status = pipeline_result(store, "beginning a transaction", PGRES_COMMAND_OK, NULL, err);
    if (!status)
        status = pipeline_result(store, "moving sink_offsets", PGRES_TUPLES_OK, &moved, err);
    if (!status && strtoull(PQgetvalue(moved, 0, 0), NULL, 10) != count)
        status = error_set(err, STATUS_CONFLICT, "another sink moved the stored positions");
    PQclear(moved);
    pipeline_leave(store);
    if (!status && !store->connection)
        status = error_set(err, STATUS_UNAVAILABLE, "PostgreSQL: the connection ended while beginning a transaction");
    if (status)
        sink_store_rollback(store);
    return status;
}

void sink_store_rollback(struct sink_store *store)
{
    if (!store->connection)
        return;
    PGTransactionStatusType state = PQtransactionStatus(store->connection);
    if (PQstatus(store->connection) == CONNECTION_OK && state == PQTRANS_IDLE)
        return;
    char sqlstate[sizeof store->sqlstate];
    memcpy(sqlstate, store->sqlstate, sizeof sqlstate);
    struct error ignored;
    deadline_start(store);
    if ((state != PQTRANS_INTRANS && state != PQTRANS_INERROR) || !PQsendQuery(store->connection, "ROLLBACK") ||
        drain_results(store, "rolling back", PGRES_COMMAND_OK, NULL, &ignored))
        sink_store_close(store);
    memcpy(store->sqlstate, sqlstate, sizeof sqlstate);
}

/* --- COPY --- */

static enum status copy_put(struct sink_store *store, const char *data, size_t bytes, struct error *err)
{
    int put;
    while ((put = PQputCopyData(store->connection, data, (int)bytes)) == 0) {
        if (!wait_socket(store, POLLIN | POLLOUT))
            return fail_timeout(store, "copying rows", err);
        if (!PQconsumeInput(store->connection))
            break;
    }
    if (put <= 0)
        return fail_connection(store, "", PQerrorMessage(store->connection), err);
    return STATUS_OK;
}

enum status sink_store_copy_start(struct sink_store *store, const char *target, struct error *err)
{
    static const char header[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    char sql[1024];
    int bytes = snprintf(sql, sizeof sql, "COPY attrition.%s FROM STDIN (FORMAT binary)", target);
    if (bytes >= (int)sizeof sql)
        return error_set(err, STATUS_LIMIT, "the list of columns of %.40s is too long", target);
    deadline_start(store);
    if (!PQsendQuery(store->connection, sql))
        return send_failed(store, err);
    enum status status = drain_results(store, "COPY", PGRES_COPY_IN, NULL, err);
    return status ? status : copy_put(store, header, sizeof header, err);
}

enum status sink_store_copy_rows(struct sink_store *store, struct span rows, struct error *err)
{
    enum { PIECE = 32 * 1024 };
    deadline_start(store);
    for (size_t at = 0; at < rows.bytes; at += PIECE) {
        size_t bytes = rows.bytes - at < PIECE ? rows.bytes - at : PIECE;
        if (copy_put(store, rows.data + at, bytes, err))
            return err->status;
    }
    return STATUS_OK;
}

enum status sink_store_copy_end(struct sink_store *store, struct error *err)
{
    static const char trailer[2] = "\377\377";
    deadline_start(store);
    if (copy_put(store, trailer, sizeof trailer, err))
        return err->status;
    if (PQputCopyEnd(store->connection, NULL) <= 0)
        return send_failed(store, err);
    return drain_results(store, "COPY", PGRES_COMMAND_OK, NULL, err);
}

enum status sink_store_erase(struct sink_store *store, const char *method, struct error *err)
{
    const char *const values[] = {method};
    PGresult *result;
    deadline_start(store);
    if (query(store, "erasing", "SELECT attrition.erase_requested($1)", 1, values, &result, err))
        return err->status;
    PQclear(result);
    return STATUS_OK;
}

/* --- commit --- */

enum status sink_store_upsert(struct sink_store *store, const char *upsert, struct span rows, struct error *err)
{
    const Oid types[] = {store->row_array_type};
    const char *const values[] = {rows.data};
    const int lengths[] = {(int)rows.bytes}, formats[] = {BINARY_FORMAT};
    deadline_start(store);
    if (!PQsendQueryParams(store->connection, upsert, 1, types, values, lengths, formats, TEXT_FORMAT))
        return send_failed(store, err);
    return drain_results(store, "updating latest_predictions", PGRES_COMMAND_OK, NULL, err);
}

static bool commit_send(struct sink_store *store, const char *upsert, struct span rows)
{
    if (!PQenterPipelineMode(store->connection))
        return false;
    if (rows.data) {
        const Oid types[] = {store->row_array_type};
        const char *const values[] = {rows.data};
        const int lengths[] = {(int)rows.bytes}, formats[] = {BINARY_FORMAT};
        if (!PQsendQueryParams(store->connection, upsert, 1, types, values, lengths, formats, TEXT_FORMAT))
            return false;
    }
    return PQsendQueryParams(store->connection, "COMMIT", 0, NULL, NULL, NULL, NULL, TEXT_FORMAT) &&
           PQpipelineSync(store->connection);
}

enum status sink_store_commit(struct sink_store *store, const char *upsert, struct span rows, bool *in_doubt,
                              struct error *err)
{
    deadline_start(store);
    if (!commit_send(store, upsert, rows)) {
        *in_doubt = true; /* part of it may have gone out */
        return send_failed(store, err);
    }
    FAULT_POINT("sink.commit_sent");
    enum status status = STATUS_OK;
    PGresult *committed = NULL;
    if (rows.data)
        status = pipeline_result(store, "updating latest_predictions", PGRES_COMMAND_OK, NULL, err);
    if (!status)
        status = pipeline_result(store, "COMMIT", PGRES_COMMAND_OK, &committed, err);
    if (committed && strcmp(PQcmdStatus(committed), "COMMIT"))
        status = error_set(err, STATUS_UNAVAILABLE, "PostgreSQL: COMMIT was answered with %s", PQcmdStatus(committed));
    PQclear(committed);
    *in_doubt = status && !store->connection;
    pipeline_leave(store);
    if (status)
        sink_store_rollback(store);
    else
        store->doublings = 0;
    return status;
}

/* --- check --- */

enum status sink_store_check(struct sink_store *store, struct error *err)
{
    PGresult *result;
    deadline_start(store);
    if (query(store, "looking up rights",
              "SELECT current_user, string_agg(lacks, ', ') FROM (SELECT p || ' on ' || t FROM (VALUES "
              "('predictions', 'INSERT'), "
              "('dead_letters', 'INSERT'), ('erasures', 'INSERT'), ('outcomes', 'INSERT'), "
              "('latest_predictions', 'SELECT'), ('latest_predictions', 'INSERT'), ('latest_predictions', 'UPDATE'), "
              "('sink_offsets', 'SELECT'), ('sink_offsets', 'INSERT'), ('sink_offsets', 'UPDATE')) AS r (t, p) "
              "WHERE NOT has_table_privilege('attrition.' || t, p) UNION ALL SELECT 'EXECUTE on erase_requested' "
              "WHERE NOT has_function_privilege('attrition.erase_requested(text)', 'EXECUTE')) AS r (lacks)",
              0, NULL, &result, err))
        return err->status;
    enum status status = STATUS_OK;
    if (!PQgetisnull(result, 0, 1))
        status = error_set(err, STATUS_DENIED, "PostgreSQL: user %s lacks %s; GRANT attrition_writer TO %s",
                           PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 0));
    PQclear(result);
    return status;
}
