/* Asking PostgreSQL: see report_query.h. Called by report.c on the main thread. May block as long as the server does: a
 * person or a schedule waits, and can interrupt. Must never write anything but what attrition.count_due_days keeps. */
#include "scorer/report/report_query.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/database_reader.h"

enum { JSON = 114, TIMESTAMPTZ = 1184 }; /* PostgreSQL's own numbers of the types */

struct report_database {
    PGconn *connection;
    const struct report_month *month;
    const char *source; /* whose value follows */
    PGresult *value;
};

struct report_rows {
    PGresult *result;
};

static const char reading[] = "reading the month (run sql/migrate on the database?)";

/* Compiling takes longer than these statements do. A month's people are sorted in memory. */
static const char *const preparations[] = {
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL jit = off",
    "SET LOCAL work_mem = '128MB'",
};

/* The month's days that are over are counted first, where the user may have it done: the figures are then read instead
 * of the rows. */
static enum status count_days(PGconn *connection, const struct report_month *month, struct error *err)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "DO $$ BEGIN PERFORM attrition.count_due_days('%s', '%s'); "
             "EXCEPTION WHEN insufficient_privilege OR undefined_function THEN NULL; END $$",
             month->begin, month->end);
    return database_reader_run(connection, reading, sql, err);
}

enum status report_database_open(const char *conninfo, const struct report_month *month, struct report_database **out,
                                 struct error *err)
{
    struct report_database *database = mem_zeroed(1, sizeof *database);
    database->month = month;
    enum status status =
        database_reader_connect(conninfo, "attrition-report", "connecting", &database->connection, err);
    if (status == STATUS_OK)
        status = count_days(database->connection, month, err);
    for (size_t p = 0; status == STATUS_OK && p < sizeof preparations / sizeof *preparations; p++)
        status = database_reader_run(database->connection, reading, preparations[p], err);
    if (status == STATUS_OK)
        *out = database;
    else
        report_database_close(database);
    return status;
}

void report_database_close(struct report_database *database)
{
    if (!database)
        return;
    PQclear(database->value);
    PQfinish(database->connection);
    free(database);
}

/* value: $3; NULL: none. */
static enum status ask(const struct report_database *database, const char *sql, const PGresult *value, PGresult **out,
                       struct error *err)
{
    static const Oid types[] = {TIMESTAMPTZ, TIMESTAMPTZ, JSON};
    const char *const values[] = {database->month->begin, database->month->end, value ? PQgetvalue(value, 0, 0) : NULL};
    PGresult *result = PQexecParams(database->connection, sql, 3, types, values, NULL, NULL, 0);
    return database_reader_result(database->connection, reading, result, out, err);
}

static enum status read_source(struct report_database *database, const char *source, struct error *err)
{
    PGresult *value;
    if (!source || source == database->source)
        return STATUS_OK;
    if (ask(database, source, NULL, &value, err) != STATUS_OK)
        return err->status;
    PQclear(database->value);
    database->value = value;
    database->source = source;
    return STATUS_OK;
}

enum status report_query(struct report_database *database, const char *source, const char *sql,
                         struct report_rows **out, struct error *err)
{
    PGresult *result;
    if (read_source(database, source, err) != STATUS_OK ||
        ask(database, sql, source ? database->value : NULL, &result, err) != STATUS_OK)
        return err->status;
    *out = mem_zeroed(1, sizeof **out);
    (*out)->result = result;
    return STATUS_OK;
}

void report_rows_free(struct report_rows *rows)
{
    if (!rows)
        return;
    PQclear(rows->result);
    free(rows);
}

size_t report_rows_count(const struct report_rows *rows)
{
    return (size_t)PQntuples(rows->result);
}

size_t report_columns(const struct report_rows *rows)
{
    return (size_t)PQnfields(rows->result);
}

const char *report_column_name(const struct report_rows *rows, size_t column)
{
    return PQfname(rows->result, (int)column);
}

const char *report_text(const struct report_rows *rows, size_t row, size_t column)
{
    return PQgetvalue(rows->result, (int)row, (int)column);
}

double report_number(const struct report_rows *rows, size_t row, size_t column)
{
    bool null = PQgetisnull(rows->result, (int)row, (int)column);
    return null ? NAN : strtod(report_text(rows, row, column), NULL);
}
