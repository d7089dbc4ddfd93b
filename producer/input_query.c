/* Rows of a query on a PostgreSQL database (`--from-query`), found by their columns' names as those of a CSV. Called by
 * input.c, on one thread; the only file of the producer that knows libpq. Its rejects are CSV, which can be fixed and
 * fed as a file. Rows come one at a time, whatever their number. Must never write to that database: the query runs in a
 * transaction that is read-only. */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>

#include "base/conninfo.h"
#include "base/memory.h"
#include "producer/input_columns.h"

enum { WAIT_MS = 1000, TEXT_RESULTS = 0 };

struct query_reader {
    struct input_columns columns; /* first: input_columns_… are the form's functions */
    const struct input_source *source;
    PGconn *connection;
    PGresult *result; /* the row at hand, or the one that is next */
    bool held;        /* `result` is still to be handed out */
    struct span *fields;
    size_t number; /* of rows read */
    struct buffer line;
};

static void query_reader_close(void *opaque)
{
    struct query_reader *reader = opaque;
    PQclear(reader->result);
    PQfinish(reader->connection);
    input_columns_free(&reader->columns);
    buffer_free(&reader->line);
    free(reader->fields);
    free(reader);
}

/* The server's words in one line, without the query's text below them. */
static enum status query_fail(const struct query_reader *reader, const char *doing, struct error *err)
{
    const char *text = PQerrorMessage(reader->connection);
    return error_set(err, STATUS_IO, "%s: %s: %.*s", reader->source->name, doing, (int)strcspn(text, "\r\n"), text);
}

static enum status query_connect(struct query_reader *reader, const char *conninfo, struct error *err)
{
    static const char *const settings[] = {"BEGIN TRANSACTION READ ONLY", "SET LOCAL datestyle TO ISO",
                                           "SET LOCAL timezone TO 'UTC'"};
    const char *const keywords[] = {"fallback_application_name", "connect_timeout", "dbname", "client_encoding", NULL};
    const char *const values[] = {"attrition-backfill", "10", conninfo, "UTF8", NULL};
    if (conninfo_check("SOURCE_DATABASE_URL", conninfo, err) != STATUS_OK)
        return err->status;
    reader->connection = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(reader->connection) != CONNECTION_OK)
        return query_fail(reader, "connecting to SOURCE_DATABASE_URL", err);
    for (size_t s = 0; s < sizeof settings / sizeof *settings; s++) {
        PGresult *result = PQexec(reader->connection, settings[s]);
        bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
        if (!done)
            return query_fail(reader, "beginning to read", err);
    }
    return STATUS_OK;
}

/* Waits for the next result by our own poll, which a signal ends. */
static enum status query_next_result(struct query_reader *reader, struct error *err)
{
    PQclear(reader->result);
    reader->result = NULL;
    while (PQisBusy(reader->connection)) {
        struct pollfd socket = {.fd = PQsocket(reader->connection), .events = POLLIN};
        if (poll(&socket, 1, WAIT_MS) < 0)
            return error_set(err, STATUS_IO, "%s: %s", reader->source->name, strerror(errno));
        if (!PQconsumeInput(reader->connection))
            return query_fail(reader, "reading", err);
    }
    reader->result = PQgetResult(reader->connection);
    ExecStatusType status = PQresultStatus(reader->result);
    if (status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
        return error_set(err, STATUS_INVALID, "%s: it returns no rows: give a SELECT", reader->source->name);
    if (reader->result && status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK)
        return reader->number ? query_fail(reader, "reading on", err) : query_fail(reader, "running it", err);
    return STATUS_OK;
}

static struct csv_record record_of(const struct query_reader *reader)
{
    return (struct csv_record){reader->fields, reader->columns.field_count, reader->number, SPAN_NULL};
}

static enum status read_names(struct query_reader *reader, struct error *err)
{
    size_t known, count = (size_t)PQnfields(reader->result);
    reader->fields = mem_zeroed(count + 1, sizeof *reader->fields);
    for (size_t f = 0; f < count; f++)
        reader->fields[f] = span_of(PQfname(reader->result, (int)f));
    const struct csv_record header = {reader->fields, count, 0, SPAN_NULL};
    if (input_columns_place(&reader->columns, &header, &known, err) != STATUS_OK)
        return err->status;
    if (!known)
        return error_set(err, STATUS_INVALID,
                         "%s: none of its columns is known to the schema: name them so: SELECT emp_age AS \"…\", …",
                         reader->source->name);
    input_columns_begin_written(&reader->columns, &header);
    return STATUS_OK;
}

static enum status query_start(struct query_reader *reader, struct error *err)
{
    const struct input_settings *settings = reader->source->settings;
    if (query_connect(reader, settings->database_url, err) != STATUS_OK)
        return err->status;
    /* With parameters, if none: the server then takes one statement, not several. */
    if (!PQsendQueryParams(reader->connection, settings->query, 0, NULL, NULL, NULL, NULL, TEXT_RESULTS) ||
        !PQsetSingleRowMode(reader->connection))
        return query_fail(reader, "running it", err);
    if (query_next_result(reader, err) != STATUS_OK)
        return err->status;
    reader->held = true;
    return read_names(reader, err);
}

static enum status query_reader_open(const struct input_source *source, void **out, struct error *err)
{
    struct query_reader *reader = mem_zeroed(1, sizeof *reader);
    reader->source = source;
    input_columns_init(&reader->columns, source);
    enum status status = query_start(reader, err);
    if (status == STATUS_OK)
        *out = reader;
    else
        query_reader_close(reader);
    return status;
}

static enum status query_reader_next(void *opaque, struct input_row *row, bool *more, struct error *err)
{
    struct query_reader *reader = opaque;
    if (!reader->held && query_next_result(reader, err) != STATUS_OK)
        return err->status;
    reader->held = false;
    *more = reader->result && PQntuples(reader->result) > 0;
    if (!*more)
        return STATUS_OK;
    for (size_t f = 0; f < reader->columns.field_count; f++)
        reader->fields[f] =
            (struct span){PQgetvalue(reader->result, 0, (int)f), (size_t)PQgetlength(reader->result, 0, (int)f)};
    reader->number++;
    input_columns_read_written(&reader->columns, record_of(reader), &reader->line, row);
    return STATUS_OK;
}

const struct input_form input_query = {
    .name = "query",
    .open = query_reader_open,
    .next = query_reader_next,
    .close = query_reader_close,
    .field_name = input_columns_field_name,
    .field_write = input_columns_field_write,
    .header = input_columns_header,
};
