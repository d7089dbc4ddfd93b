/* Reading decisions for `scorer explain`: see explain_rows.h. Called by explain.c on the main thread. May block as long
 * as the server does: a person waits, and can interrupt. Must never write. */
#include "scorer/explain/explain_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "registry/log_reader.h"
#include "scorer/time_option.h"

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

static const char select_sql[] =
    "SELECT event_id, employee_id, to_char(scored_at AT TIME ZONE 'UTC', "
    "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), prediction, model_name, model_version, probability, threshold, margin, "
    "base, input, reasons, employee_id IS NULL AND starts_with(event_id, 'erased-') FROM attrition.predictions WHERE ";
static const char order_sql[] = " ORDER BY scored_at, cluster_id, output_topic, output_partition, output_offset";

static enum status query(struct log_reader *rows, const struct explain_wanted *wanted, struct error *err)
{
    static const char by_event[] = "event_id = $1";
    static const char by_time[] =
        "scored_at >= coalesce(timestamptz 'epoch' + $1::interval, '-infinity') AND scored_at < "
        "coalesce(timestamptz 'epoch' + $2::interval, 'infinity')";
    char sql[sizeof select_sql + sizeof by_time + sizeof order_sql], from[32], to[32];
    const char *const times[] = {time_option_interval(wanted->from_ms, from), time_option_interval(wanted->to_ms, to)};
    snprintf(sql, sizeof sql, "%s%s%s", select_sql, wanted->event_id ? by_event : by_time, order_sql);
    return log_reader_query(rows, "reading predictions (run sql/migrate on the database?)", sql,
                            wanted->event_id ? 1 : 2, wanted->event_id ? &wanted->event_id : times, err);
}

enum status explain_rows_open(const char *conninfo, const struct explain_wanted *wanted, struct log_reader **out,
                              struct error *err)
{
    struct log_reader *rows;
    if (log_reader_open(conninfo, "attrition-explain", &rows, err) != STATUS_OK)
        return err->status;
    enum status status = query(rows, wanted, err);
    if (status == STATUS_OK)
        *out = rows;
    else
        log_reader_close(rows);
    return status;
}

/* A value ends with a zero byte: log_reader.h. */
static const char *text_at(const struct log_reader *rows, enum column column)
{
    return log_reader_text(rows, (int)column).data;
}

static double number_at(const struct log_reader *rows, enum column column)
{
    return strtod(text_at(rows, column), NULL);
}

static void decision_at(const struct log_reader *rows, struct explain_decision *out)
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
        .input = log_reader_text(rows, COLUMN_INPUT),
        .reasons = log_reader_text(rows, COLUMN_REASONS),
        .pseudonymised = *text_at(rows, COLUMN_PSEUDONYMISED) == 't',
    };
}

enum status explain_rows_next(struct log_reader *rows, struct explain_decision *out, bool *found, struct error *err)
{
    enum status status = log_reader_next(rows, found, err);
    if (status == STATUS_OK && *found)
        decision_at(rows, out);
    return status;
}
