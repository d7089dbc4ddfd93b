/* libpq with deadlines, for readers: see database.h. On the readers' threads; each has a connection to itself while it
 * asks. Every wait is a poll() in pieces of 50 ms, between which the request may turn out to be given up. Never logs an
 * address or a value; says once that PostgreSQL is unavailable, and once that it is back; a patient database says each
 * failure. */
#include "scorer/http/database.h"

#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/conninfo.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    REQUEST_S = 8,       /* the longest question of a request */
    PATIENT_S = 20 * 60, /* … and of database_patient_new */
    PIECE_MS = 50,
    REFUSAL_US = 60 * 1000 * 1000,
    SQLSTATE_BYTES = 6
};

struct connection_slot {
    PGconn *handle; /* NULL: not connected */
    bool taken;
};

struct database {
    struct secret conninfo;
    const char *option;
    bool read_only;
    bool patient;          /* see database_patient_new */
    pthread_mutex_t mutex; /* guards what follows */
    struct connection_slot slots[DATABASE_CONNECTIONS];
    bool unavailable; /* said so in the log */
    /* The last refusal that was logged: of what, and when by the steady clock. */
    char refusal[SQLSTATE_BYTES];
    const char *refused;
    int64_t refused_us;
};

/* One question under way. */
struct asking {
    struct database *database;
    struct connection_slot *slot;
    const struct request *request;
    struct answer *answer;
    const char *doing;
    int64_t end_us; /* steady clock */
    bool was_idle;  /* its connection: where that turns out to be gone, nothing is answered */
};

static PGresult *result_of(const struct database_rows *rows)
{
    return (PGresult *)rows;
}

/* --- the connections --- */

static enum status database_new(struct secret conninfo, const char *option, bool read_only, struct database **out,
                                struct error *err)
{
    if (conninfo_check(option, secret_text(conninfo), err) != STATUS_OK)
        return err->status;
    struct database *database = mem_zeroed(1, sizeof *database);
    database->conninfo = conninfo;
    database->option = option;
    database->read_only = read_only;
    pthread_mutex_init(&database->mutex, NULL);
    *out = database;
    return STATUS_OK;
}

enum status databases_new(const struct settings *settings, struct database **reads, struct database **writes,
                          struct error *err)
{
    enum status status = database_new(settings->database_read_url, "DATABASE_READ_URL", true, reads, err);
    return status == STATUS_OK ? database_new(settings->database_url, "DATABASE_URL", false, writes, err) : status;
}

enum status database_patient_new(const struct settings *settings, struct database **out, struct error *err)
{
    enum status status = database_new(settings->database_url, "DATABASE_URL", false, out, err);
    if (status == STATUS_OK)
        (*out)->patient = true;
    return status;
}

void database_free(struct database *database)
{
    if (!database)
        return;
    for (size_t s = 0; s < DATABASE_CONNECTIONS; s++)
        PQfinish(database->slots[s].handle);
    pthread_mutex_destroy(&database->mutex);
    free(database);
}

/* There are no more threads than slots. */
static struct connection_slot *take_slot(struct database *database)
{
    struct connection_slot *found = NULL;
    pthread_mutex_lock(&database->mutex);
    for (size_t s = 0; s < DATABASE_CONNECTIONS; s++) {
        struct connection_slot *slot = &database->slots[s];
        if (!slot->taken && (!found || (slot->handle && !found->handle)))
            found = slot;
    }
    assert(found);
    found->taken = true;
    pthread_mutex_unlock(&database->mutex);
    return found;
}

static void give_back(struct database *database, struct connection_slot *slot)
{
    pthread_mutex_lock(&database->mutex);
    slot->taken = false;
    pthread_mutex_unlock(&database->mutex);
}

static void close_slot(struct connection_slot *slot)
{
    PQfinish(slot->handle);
    slot->handle = NULL;
}

/* --- what went wrong --- */

/* Of one question. */
static int limit_s(const struct database *database)
{
    return database->patient ? PATIENT_S : REQUEST_S;
}

/* True: to be logged. */
static bool change_state(struct database *database, bool unavailable)
{
    if (database->patient)
        return unavailable;
    pthread_mutex_lock(&database->mutex);
    bool changed = database->unavailable != unavailable;
    database->unavailable = unavailable;
    pthread_mutex_unlock(&database->mutex);
    return changed;
}

/* The same refusal is logged once a minute: readers ask again and again. */
static bool is_logged(const struct asking *asking, const char *state)
{
    struct database *database = asking->database;
    int64_t now_us = clock_steady_us(&clock_system);
    pthread_mutex_lock(&database->mutex);
    bool logged = !database->patient && !strcmp(database->refusal, state) && database->refused == asking->doing &&
                  now_us - database->refused_us < REFUSAL_US;
    if (!logged) {
        snprintf(database->refusal, sizeof database->refusal, "%s", state);
        database->refused = asking->doing;
        database->refused_us = now_us;
    }
    pthread_mutex_unlock(&database->mutex);
    return logged;
}

/* False, for those who return it. */
static bool fail_unavailable(const struct asking *asking, const char *text)
{
    if (asking->was_idle) {
        close_slot(asking->slot);
        return false;
    }
    answer_unavailable(asking->answer, "PostgreSQL is unavailable: ask again, nothing else has to be done");
    if (change_state(asking->database, true))
        log_warn("http", "PostgreSQL (%s) is unavailable while %s: %.*s; requests that need it get 503",
                 asking->database->option, asking->doing, (int)strcspn(text, "\r\n"), text);
    close_slot(asking->slot);
    return false;
}

static bool fail_late(const struct asking *asking)
{
    char text[96];
    snprintf(text, sizeof text, "PostgreSQL has not answered within %d s: ask for less, or again later",
             limit_s(asking->database));
    answer_unavailable(asking->answer, text);
    if (asking->database->patient)
        log_warn("http", "PostgreSQL (%s): %s was cancelled, or takes longer than %d s", asking->database->option,
                 asking->doing, limit_s(asking->database));
    close_slot(asking->slot);
    return false;
}

/* A statement was refused: what its primary message says is about tables and rights. */
static bool fail_result(const struct asking *asking, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!state || PQstatus(asking->slot->handle) == CONNECTION_BAD || !strncmp(state, "57P", 3))
        return fail_unavailable(asking, text ? text : PQresultErrorMessage(result));
    if (!strcmp(state, "57014"))
        return fail_late(asking);
    bool setup = !strncmp(state, "42", 2) || !strncmp(state, "3F", 2);
    if (!is_logged(asking, state))
        log_warn("http", "PostgreSQL (%s): %s: %s (SQLSTATE %s)", asking->database->option, asking->doing,
                 text ? text : "no message", state);
    answer_unavailable(
        asking->answer,
        !strcmp(state, "25006") ? "PostgreSQL takes no writes just now (a standby, or set read-only): ask again later"
        : setup
            ? "PostgreSQL refuses this service: the log says what; run sql/migrate, and check the rights of its users"
            : "PostgreSQL has refused the question; the log says why");
    return false;
}

/* --- waiting --- */

/* False: answered. `events` of the connection's socket, or the end of a piece. */
static bool wait_socket(const struct asking *asking, short events)
{
    struct pollfd fd = {.fd = PQsocket(asking->slot->handle), .events = events};
    for (;;) {
        if (request_given_up(asking->request, asking->answer)) {
            close_slot(asking->slot);
            return false;
        }
        if (clock_steady_us(&clock_system) >= asking->end_us)
            return fail_late(asking);
        int ready = poll(&fd, 1, PIECE_MS);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true; /* errors show when libpq reads or writes */
    }
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context, (void)result;
}

static bool connect_slot(const struct asking *asking)
{
    const char *const keywords[] = {"fallback_application_name", "dbname", "client_encoding", NULL};
    const char *conninfo = secret_text(asking->database->conninfo);
    const char *const values[] = {"attrition-http", conninfo, "UTF8", NULL};
    if (conninfo_check("", conninfo, ERROR_IGNORED) != STATUS_OK) /* of a file that was read again */
        return fail_unavailable(asking,
                                "its connection string is none any more: write postgresql://user@host/database");
    PGconn *handle = asking->slot->handle = PQconnectStartParams(keywords, values, 1);
    if (!handle || PQstatus(handle) == CONNECTION_BAD)
        return fail_unavailable(asking, handle ? PQerrorMessage(handle) : "no memory");
    PQsetNoticeReceiver(handle, ignore_notice, NULL);
    for (PostgresPollingStatusType next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK;) {
        if (!wait_socket(asking, next == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            return false;
        next = PQconnectPoll(handle);
        if (next == PGRES_POLLING_FAILED)
            return fail_unavailable(asking, PQerrorMessage(handle));
    }
    return PQsetnonblocking(handle, 1) ? fail_unavailable(asking, PQerrorMessage(handle)) : true;
}

/* --- asking --- */

/* False: answered. */
static bool flush_question(const struct asking *asking)
{
    int pending;
    while ((pending = PQflush(asking->slot->handle)) == 1) {
        if (!wait_socket(asking, POLLIN | POLLOUT))
            return false;
        if (!PQconsumeInput(asking->slot->handle))
            break;
    }
    return pending ? fail_unavailable(asking, PQerrorMessage(asking->slot->handle)) : true;
}

/* NULL with *ended: there is no more. NULL without: answered. */
static PGresult *next_result(const struct asking *asking, bool *ended)
{
    PGconn *handle = asking->slot->handle;
    *ended = false;
    while (PQisBusy(handle)) {
        if (!wait_socket(asking, POLLIN))
            return NULL;
        if (!PQconsumeInput(handle)) {
            (void)fail_unavailable(asking, PQerrorMessage(handle));
            return NULL;
        }
    }
    PGresult *result = PQgetResult(handle);
    *ended = !result;
    return result;
}

/* False: answered, with the connection closed where nobody knows what it is at. */
static bool ask(const struct asking *asking, const char *sql, int count, const char *const *values, PGresult **out)
{
    PGresult *kept = NULL;
    bool sound = true, ended;
    if (!PQsendQueryParams(asking->slot->handle, sql, count, NULL, values, NULL, NULL, 0))
        return fail_unavailable(asking, PQerrorMessage(asking->slot->handle));
    if (!flush_question(asking))
        return false;
    for (PGresult *result; sound && (result = next_result(asking, &ended));) {
        ExecStatusType got = PQresultStatus(result);
        bool is_kept = !kept && (got == PGRES_TUPLES_OK || got == PGRES_COMMAND_OK);
        sound = is_kept || fail_result(asking, result);
        if (is_kept)
            kept = result;
        else
            PQclear(result);
    }
    if (!sound && asking->slot->handle) /* what follows an error is read, so that the connection can be used again */
        for (PGresult *rest; (rest = next_result(asking, &ended));)
            PQclear(rest);
    if (!sound || !ended || !kept) {
        PQclear(kept);
        return false;
    }
    *out = kept;
    return true;
}

/* Settings that the server does not know yet are left out. The interval: it looks whether we are still there. Readers
 * have no parallel workers: there are many of them. The groups of a day are computed by one session, for all. */
static bool set_up(const struct asking *asking)
{
    static const char sql[] =
        "SELECT set_config(s.name, v.value, false) FROM pg_catalog.pg_settings AS s JOIN (VALUES "
        "('statement_timeout', $3), ('client_connection_check_interval', '500ms'), ('extra_float_digits', '1'), "
        "('jit', 'off'), ('random_page_cost', '1.1'), ('max_parallel_workers_per_gather', $2), "
        "('default_transaction_isolation', 'read committed'), ('timezone', 'UTC'), ('search_path', 'pg_catalog'), "
        "('default_transaction_read_only', $1)) "
        "AS v (name, value) ON lower(s.name) = v.name";
    bool read_only = asking->database->read_only;
    char limit[16];
    snprintf(limit, sizeof limit, "%ds", limit_s(asking->database));
    /* NULL: as its owner has set it */
    const char *const values[] = {read_only ? "on" : NULL, read_only ? "0" : NULL, limit};
    PGresult *result;
    if (!ask(asking, sql, 3, values, &result))
        return false;
    PQclear(result);
    if (change_state(asking->database, false))
        log_info("http", "PostgreSQL (%s) is available again", asking->database->option);
    return true;
}

/* A connection that was idle may have been lost meanwhile: then it is asked on a fresh one. */
bool database_query(struct database *database, const struct request *request, const char *doing, const char *sql,
                    int count, const char *const *values, struct database_rows **out, struct answer *answer)
{
    bool done = false;
    struct asking asking = {
        .database = database,
        .slot = take_slot(database),
        .request = request,
        .answer = answer,
        .doing = doing,
        .end_us = clock_steady_us(&clock_system) + limit_s(database) * INT64_C(1000000),
    };
    PGresult *result = NULL;
    if (asking.slot->handle) {
        asking.was_idle = true;
        done = ask(&asking, sql, count, values, &result);
        asking.was_idle = false;
    }
    if (!done && !answer->status)
        done = connect_slot(&asking) && set_up(&asking) && ask(&asking, sql, count, values, &result);
    if (database->patient)
        close_slot(asking.slot);
    give_back(database, asking.slot);
    *out = (struct database_rows *)result;
    return done;
}

void database_rows_free(struct database_rows *rows)
{
    PQclear(result_of(rows));
}

size_t database_rows_count(const struct database_rows *rows)
{
    return (size_t)PQntuples(result_of(rows));
}

struct span database_rows_text(const struct database_rows *rows, size_t row, size_t column)
{
    const PGresult *result = result_of(rows);
    if (PQgetisnull(result, (int)row, (int)column))
        return SPAN_NULL;
    return (struct span){PQgetvalue(result, (int)row, (int)column), (size_t)PQgetlength(result, (int)row, (int)column)};
}

void database_answer_json(const struct database_rows *rows, size_t column, const char *missing, struct answer *answer)
{
    struct span json = database_rows_text(rows, 0, column);
    if (!json.data) {
        answer_unavailable(answer, missing);
        return;
    }
    buffer_add(&answer->body, json.data, json.bytes);
    buffer_add_u8(&answer->body, '\n');
    answer->status = 200;
}
