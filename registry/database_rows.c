/* A cursor of one query at a time: see database_rows.h. Never writes, and never prints an address: a password may be in
 * it. */
#include "registry/database_rows.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct database_rows {
    PGconn *connection;
    PGresult *page;
    const char *doing;
    int at;
};

static enum status database_fail(const struct database_rows *rows, const char *doing, struct error *err)
{
    const char *text = PQerrorMessage(rows->connection);
    enum status status = PQstatus(rows->connection) == CONNECTION_OK ? STATUS_IO : STATUS_UNAVAILABLE;
    return error_set(err, status, "PostgreSQL: %s: %.*s", doing, (int)strcspn(text, "\r\n"), text);
}

static enum status database_run(struct database_rows *rows, const char *doing, const char *sql, int count,
                                const char *const *values, PGresult **out, struct error *err)
{
    PGresult *result = PQexecParams(rows->connection, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType got = PQresultStatus(result);
    if (got != PGRES_TUPLES_OK && got != PGRES_COMMAND_OK) {
        PQclear(result);
        return database_fail(rows, doing, err);
    }
    if (out)
        *out = result;
    else
        PQclear(result);
    return STATUS_OK;
}

static enum status database_begin(struct database_rows *rows, const char *conninfo, const char *program,
                                  struct error *err)
{
    static const char *const settings[] = {"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                                           "SET LOCAL extra_float_digits = 1", "SET LOCAL timezone TO 'UTC'",
                                           "SET LOCAL cursor_tuple_fraction = 1"};
    const char *const keywords[] = {"fallback_application_name", "dbname", "client_encoding", NULL};
    const char *const values[] = {program, conninfo ? conninfo : "", "UTF8", NULL};
    PQconninfoOption *parsed = PQconninfoParse(conninfo ? conninfo : "", NULL);
    if (!parsed) /* libpq's own words may quote the string, password and all */
        return error_set(err, STATUS_INVALID,
                         "DATABASE_URL is no connection string: write postgresql://user@host:5432/database");
    PQconninfoFree(parsed);
    rows->connection = PQconnectdbParams(keywords, values, 1);
    enum status status =
        PQstatus(rows->connection) == CONNECTION_OK ? STATUS_OK : database_fail(rows, "connecting (DATABASE_URL)", err);
    for (size_t s = 0; s < sizeof settings / sizeof *settings && status == STATUS_OK; s++)
        status = database_run(rows, "beginning to read", settings[s], 0, NULL, NULL, err);
    return status;
}

enum status database_rows_open(const char *conninfo, const char *program, struct database_rows **out, struct error *err)
{
    struct database_rows *rows = mem_zeroed(1, sizeof *rows);
    enum status status = database_begin(rows, conninfo, program, err);
    if (status == STATUS_OK)
        *out = rows;
    else
        database_rows_close(rows);
    return status;
}

void database_rows_close(struct database_rows *rows)
{
    if (!rows)
        return;
    PQclear(rows->page);
    PQfinish(rows->connection);
    free(rows);
}

enum status database_rows_query(struct database_rows *rows, const char *doing, const char *sql, int count,
                                const char *const *values, struct error *err)
{
    struct buffer text = {0};
    enum status status = STATUS_OK;
    if (rows->doing)
        status = database_run(rows, doing, "CLOSE log", 0, NULL, NULL, err);
    PQclear(rows->page);
    rows->page = NULL;
    rows->doing = NULL;
    buffer_printf(&text, "DECLARE log NO SCROLL CURSOR FOR %s", sql);
    buffer_add_u8(&text, '\0');
    if (status == STATUS_OK)
        status = database_run(rows, doing, text.data, count, values, NULL, err);
    if (status == STATUS_OK)
        rows->doing = doing;
    buffer_free(&text);
    return status;
}

enum status database_rows_next(struct database_rows *rows, bool *found, struct error *err)
{
    if (!rows->page || ++rows->at == PQntuples(rows->page)) {
        PQclear(rows->page);
        rows->page = NULL;
        rows->at = 0;
        if (database_run(rows, rows->doing, "FETCH 5000 FROM log", 0, NULL, &rows->page, err) != STATUS_OK)
            return err->status;
    }
    *found = PQntuples(rows->page) > 0;
    if (!*found)
        rows->at = -1;
    return STATUS_OK;
}

struct span database_rows_text(const struct database_rows *rows, int column)
{
    if (PQgetisnull(rows->page, rows->at, column))
        return SPAN_NULL;
    return (struct span){PQgetvalue(rows->page, rows->at, column), (size_t)PQgetlength(rows->page, rows->at, column)};
}
