/* A cursor of one query at a time: see log_reader.h. Never writes. */
#include "registry/log_reader.h"

#include <stdlib.h>

#include "base/database_reader.h"
#include "base/memory.h"

struct log_reader {
    PGconn *connection;
    PGresult *page;
    const char *doing;
    int at;
};

static enum status log_run(struct log_reader *rows, const char *doing, const char *sql, int count,
                           const char *const *values, PGresult **out, struct error *err)
{
    PGresult *result = PQexecParams(rows->connection, sql, count, NULL, values, NULL, NULL, 0);
    return database_reader_result(rows->connection, doing, result, out, err);
}

static enum status log_begin(struct log_reader *rows, const char *conninfo, const char *program, struct error *err)
{
    static const char *const settings[] = {"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                                           "SET LOCAL extra_float_digits = 1", "SET LOCAL timezone TO 'UTC'",
                                           "SET LOCAL cursor_tuple_fraction = 1"};
    enum status status =
        database_reader_connect(conninfo ? conninfo : "", program, "connecting (DATABASE_URL)", &rows->connection, err);
    for (size_t s = 0; s < sizeof settings / sizeof *settings && status == STATUS_OK; s++)
        status = database_reader_run(rows->connection, "beginning to read", settings[s], err);
    return status;
}

enum status log_reader_open(const char *conninfo, const char *program, struct log_reader **out, struct error *err)
{
    struct log_reader *rows = mem_zeroed(1, sizeof *rows);
    enum status status = log_begin(rows, conninfo, program, err);
    if (status == STATUS_OK)
        *out = rows;
    else
        log_reader_close(rows);
    return status;
}

void log_reader_close(struct log_reader *rows)
{
    if (!rows)
        return;
    PQclear(rows->page);
    PQfinish(rows->connection);
    free(rows);
}

enum status log_reader_query(struct log_reader *rows, const char *doing, const char *sql, int count,
                             const char *const *values, struct error *err)
{
    struct buffer text = {0};
    enum status status = STATUS_OK;
    if (rows->doing)
        status = database_reader_run(rows->connection, doing, "CLOSE log", err);
    PQclear(rows->page);
    rows->page = NULL;
    rows->doing = NULL;
    buffer_printf(&text, "DECLARE log NO SCROLL CURSOR FOR %s", sql);
    buffer_add_u8(&text, '\0');
    if (status == STATUS_OK)
        status = log_run(rows, doing, text.data, count, values, NULL, err);
    if (status == STATUS_OK)
        rows->doing = doing;
    buffer_free(&text);
    return status;
}

enum status log_reader_next(struct log_reader *rows, bool *found, struct error *err)
{
    if (!rows->page || ++rows->at == PQntuples(rows->page)) {
        PQclear(rows->page);
        rows->at = 0;
        if (log_run(rows, rows->doing, "FETCH 5000 FROM log", 0, NULL, &rows->page, err) != STATUS_OK)
            return err->status;
    }
    *found = PQntuples(rows->page) > 0;
    if (!*found)
        rows->at = -1;
    return STATUS_OK;
}

struct span log_reader_text(const struct log_reader *rows, int column)
{
    if (PQgetisnull(rows->page, rows->at, column))
        return SPAN_NULL;
    return (struct span){PQgetvalue(rows->page, rows->at, column), (size_t)PQgetlength(rows->page, rows->at, column)};
}
