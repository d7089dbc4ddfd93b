/* Reading decisions for `scorer explain`: see explain_rows.h. Called by explain.c on the main thread. May block as long
 * as the server does: a person waits, and can interrupt. Must never write. */
#include "scorer/explain/explain_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/database_reader.h"

struct explain_rows {
    PGconn *connection;
    PGresult *page;
    int at;
};

enum column {
    COLUMN_EVENT_ID,
    COLUMN_EMPLOYEE_ID,
    COLUMN_SCORED_AT,
    COLUMN_PREDICTION,
    COLUMN_MODEL_NAME,
    COLUMN_MODEL_VERSION,
    COLUMN_PROBABILITY,
    COLUMN_THRESHOLD,
    COLUMN_MARGIN,
    COLUMN_BASE,
    COLUMN_INPUT,
    COLUMN_REASONS,
    COLUMN_PSEUDONYMISED,
};

static const char declare_sql[] =
    "DECLARE decisions NO SCROLL CURSOR FOR SELECT event_id, employee_id, to_char(scored_at AT TIME ZONE 'UTC', "
    "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), prediction, model_name, model_version, probability, threshold, margin, "
    "base, input, reasons, employee_id IS NULL AND starts_with(event_id, 'erased-') FROM attrition.predictions WHERE ";
static const char order_sql[] = " ORDER BY scored_at, cluster_id, output_topic, output_partition, output_offset";

/* A limit as the text of a time; NULL: none. */
static const char *limit_text(int64_t ms, char out[32])
{
    snprintf(out, 32, "%" PRId64 " milliseconds", ms);
    return ms < 0 ? NULL : out;
}

static enum status declare(struct explain_rows *rows, const struct explain_wanted *wanted, struct error *err)
{
    static const char by_event[] = "event_id = $1";
    static const char by_time[] =
        "scored_at >= coalesce(timestamptz 'epoch' + $1::interval, '-infinity') AND scored_at < "
        "coalesce(timestamptz 'epoch' + $2::interval, 'infinity')";
    char sql[sizeof declare_sql + sizeof by_time + sizeof order_sql], from[32], to[32];
    const char *const times[] = {limit_text(wanted->from_ms, from), limit_text(wanted->to_ms, to)};
    snprintf(sql, sizeof sql, "%s%s%s", declare_sql, wanted->event_id ? by_event : by_time, order_sql);
    PGresult *result = PQexecParams(rows->connection, sql, wanted->event_id ? 1 : 2, NULL,
                                    wanted->event_id ? &wanted->event_id : times, NULL, NULL, 0);
    return database_reader_result(rows->connection, "reading predictions (run sql/migrate on the database?)", result,
                                  NULL, err);
}

enum status explain_rows_open(const char *conninfo, const struct explain_wanted *wanted, struct explain_rows **out,
                              struct error *err)
{
    struct explain_rows *rows = mem_zeroed(1, sizeof *rows);
    enum status status = database_reader_connect(conninfo, "attrition-explain", "connecting", &rows->connection, err);
    if (status == STATUS_OK)
        status = database_reader_run(rows->connection, "beginning to read",
                                     "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
    if (status == STATUS_OK) /* doubles come as the shortest text that reads back as the same */
        status = database_reader_run(rows->connection, "beginning to read", "SET LOCAL extra_float_digits = 1", err);
    if (status == STATUS_OK)
        status = declare(rows, wanted, err);
    if (status == STATUS_OK)
        *out = rows;
    else
        explain_rows_free(rows);
    return status;
}

void explain_rows_free(struct explain_rows *rows)
{
    if (!rows)
        return;
    PQclear(rows->page);
    PQfinish(rows->connection);
    free(rows);
}

static const char *text_at(const struct explain_rows *rows, enum column column)
{
    bool null = PQgetisnull(rows->page, rows->at, (int)column);
    return null ? NULL : PQgetvalue(rows->page, rows->at, (int)column);
}

static double number_at(const struct explain_rows *rows, enum column column)
{
    return strtod(PQgetvalue(rows->page, rows->at, (int)column), NULL);
}

static struct span span_at(const struct explain_rows *rows, enum column column)
{
    return (struct span){PQgetvalue(rows->page, rows->at, (int)column),
                         (size_t)PQgetlength(rows->page, rows->at, (int)column)};
}

static void decision_at(const struct explain_rows *rows, struct explain_decision *out)
{
    *out = (struct explain_decision){
        .event_id = text_at(rows, COLUMN_EVENT_ID),
        .employee_id = text_at(rows, COLUMN_EMPLOYEE_ID),
        .scored_at = text_at(rows, COLUMN_SCORED_AT),
        .prediction = text_at(rows, COLUMN_PREDICTION),
        .model_name = text_at(rows, COLUMN_MODEL_NAME),
        .model_version = text_at(rows, COLUMN_MODEL_VERSION),
        .probability = number_at(rows, COLUMN_PROBABILITY),
        .threshold = number_at(rows, COLUMN_THRESHOLD),
        .margin = number_at(rows, COLUMN_MARGIN),
        .base = number_at(rows, COLUMN_BASE),
        .input = span_at(rows, COLUMN_INPUT),
        .reasons = span_at(rows, COLUMN_REASONS),
        .pseudonymised = *text_at(rows, COLUMN_PSEUDONYMISED) == 't',
    };
}

enum status explain_rows_next(struct explain_rows *rows, struct explain_decision *out, bool *found, struct error *err)
{
    if (!rows->page || ++rows->at == PQntuples(rows->page)) {
        PQclear(rows->page);
        rows->at = 0;
        if (database_reader_result(rows->connection, "reading predictions",
                                   PQexec(rows->connection, "FETCH 1000 FROM decisions"), &rows->page,
                                   err) != STATUS_OK)
            return err->status;
    }
    *found = PQntuples(rows->page) > 0;
    if (*found)
        decision_at(rows, out);
    else
        rows->at = -1;
    return STATUS_OK;
}
