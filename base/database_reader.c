/* Connecting, and saying what failed: see database_reader.h. Never prints an address: a password may be in it. */
#include "base/database_reader.h"

#include <stdbool.h>
#include <string.h>

#include "base/conninfo.h"

enum status database_reader_fail(const PGconn *connection, const char *doing, struct error *err)
{
    const char *text = PQerrorMessage(connection);
    enum status status = PQstatus(connection) == CONNECTION_OK ? STATUS_INVALID : STATUS_UNAVAILABLE;
    return error_set(err, status, "PostgreSQL: %s: %.*s", doing, (int)strcspn(text, "\r\n"), text);
}

enum status database_reader_connect(const char *conninfo, const char *program, const char *doing, PGconn **out,
                                    struct error *err)
{
    const char *const keywords[] = {"fallback_application_name", "dbname", "client_encoding", NULL};
    const char *const values[] = {program, conninfo, "UTF8", NULL};
    *out = NULL;
    if (conninfo_check("DATABASE_URL", conninfo, err) != STATUS_OK)
        return err->status;
    *out = PQconnectdbParams(keywords, values, 1);
    return PQstatus(*out) == CONNECTION_OK ? STATUS_OK : database_reader_fail(*out, doing, err);
}

enum status database_reader_result(const PGconn *connection, const char *doing, PGresult *result, PGresult **out,
                                   struct error *err)
{
    ExecStatusType got = PQresultStatus(result);
    bool fine = got == PGRES_TUPLES_OK || got == PGRES_COMMAND_OK || got == PGRES_COPY_OUT;
    if (out)
        *out = fine ? result : NULL;
    if (!fine || !out)
        PQclear(result);
    return fine ? STATUS_OK : database_reader_fail(connection, doing, err);
}

enum status database_reader_run(PGconn *connection, const char *doing, const char *sql, struct error *err)
{
    return database_reader_result(connection, doing, PQexecParams(connection, sql, 0, NULL, NULL, NULL, NULL, 0), NULL,
                                  err);
}
