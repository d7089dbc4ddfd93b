/* The log as a table: see log_table.h. Called by trainer table and retrain, on their only thread. What came to be known
 * after a date must never reach its features: neither a later score nor a record that takes effect later. */
#include "trainer/log_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/json_row.h"
#include "events/validate.h"
#include "registry/types.h"

/* $1 the date, $2 the horizon, $3 whether records are known from their own time on. Of one employee the newest record
 * by (occurred_at, source_offset), as in latest_predictions, of those scored by the date. An exit before the record's
 * own time was another employment's. */
static const char standing_sql[] =
    "WITH standing AS MATERIALIZED (SELECT DISTINCT ON (p.employee_id) p.employee_id, p.occurred_at, p.scored_at, "
    "p.input, p.model_name || ' ' || p.model_version AS model FROM attrition.predictions AS p "
    "WHERE p.channel = 'STREAM' AND p.employee_id IS NOT NULL AND ($3::boolean OR p.scored_at <= $1::timestamptz) "
    "AND p.occurred_at <= $1::timestamptz ORDER BY p.employee_id, p.occurred_at DESC, p.source_offset DESC, "
    "p.scored_at), exits AS MATERIALIZED (SELECT employee_id, exited_at FROM attrition.outcomes_once), "
    "unseen AS (SELECT count(*) AS exits FROM exits AS e WHERE e.exited_at > $1::timestamptz "
    "AND e.exited_at <= $1::timestamptz + $2::interval AND e.exited_at <= now() "
    "AND NOT EXISTS (SELECT FROM standing AS s WHERE s.employee_id = e.employee_id)) "
    "SELECT s.employee_id, s.input, CASE "
    "WHEN EXISTS (SELECT FROM attrition.erasures AS g WHERE g.employee_id = s.employee_id AND g.erased_at IS NULL) "
    "THEN 'erased' WHEN x.had_left THEN 'left' WHEN $1::timestamptz + $2::interval > now() THEN 'censored' "
    "ELSE 'kept' END, x.leaves, CASE WHEN $3::boolean THEN s.occurred_at ELSE s.scored_at END "
    "< $1::timestamptz - $2::interval, s.model, u.exits "
    "FROM unseen AS u LEFT JOIN standing AS s ON true LEFT JOIN (SELECT t.employee_id, "
    "coalesce(bool_or(e.exited_at >= t.occurred_at AND e.exited_at <= $1::timestamptz), false) AS had_left, "
    "coalesce(bool_or(e.exited_at > $1::timestamptz AND e.exited_at <= $1::timestamptz + $2::interval), false) "
    "AS leaves FROM standing AS t LEFT JOIN exits AS e ON e.employee_id = t.employee_id GROUP BY t.employee_id) AS x "
    "ON x.employee_id = s.employee_id ORDER BY s.employee_id COLLATE \"C\"";

enum standing_column {
    STANDING_EMPLOYEE,
    STANDING_INPUT,
    STANDING_ENDS_AS,
    STANDING_LEAVES,
    STANDING_STALE,
    STANDING_MODEL,
    STANDING_UNSEEN,
};

struct log_reading {
    const struct schema *schema;
    struct json_reader reader;
    struct cell *cells;
    struct buffer *out;
    struct log_table_date *date;
    struct text_list models;
};

static void csv_add_text(struct buffer *out, struct span text)
{
    bool plain = text.bytes && text.data[0] != ' ' && text.data[text.bytes - 1] != ' ';
    for (size_t i = 0; i < text.bytes; i++)
        plain &= !strchr(",;|\t\"\r\n", text.data[i]);
    if (plain) {
        buffer_add(out, text.data, text.bytes);
        return;
    }
    buffer_add_text(out, "\"");
    for (size_t i = 0; i < text.bytes; i++)
        buffer_printf(out, text.data[i] == '"' ? "\"\"" : "%c", text.data[i]);
    buffer_add_text(out, "\"");
}

static void csv_add_cell(struct buffer *out, const struct column *column, const struct cell *cell)
{
    if (cell->code == CELL_MISSING)
        return;
    if (column->kind == COLUMN_NOMINAL)
        csv_add_text(out, cell->code >= 0 ? column->values[cell->code] : (struct span){cell->text, cell->text_bytes});
    else if (column_is_whole(column))
        buffer_printf(out, "%.0f", cell->number);
    else
        json_add_double(out, cell->number);
}

void log_table_header(const struct schema *schema, struct buffer *out)
{
    csv_add_text(out, span_of(schema->id_name));
    for (size_t c = 0; c < schema->column_count; c++) {
        buffer_add_text(out, ",");
        csv_add_text(out, span_of(schema->columns[c].name));
    }
    buffer_add_text(out, ",");
    csv_add_text(out, span_of(schema->target_name));
    buffer_add_text(out, "\n");
}

/* Reads a record under this schema. False: `train` would refuse it. Attributes that this schema does not have are
 * passed over, and counted. */
static bool log_read_row(struct log_reading *reading, struct span input, struct fault *fault)
{
    const struct schema *schema = reading->schema;
    struct fault unknown[1];
    json_reader_reset(&reading->reader);
    size_t strange = json_row_read_text(&reading->reader, input, schema, true, reading->cells, unknown, 1);
    bool extra = strange && unknown[0].code == EVENT_UNKNOWN_FIELD;
    if (json_row_read_text(&reading->reader, input, schema, false, reading->cells, fault, 1))
        return false;
    (void)validate_impute(schema, reading->cells);
    if (validate_row(schema, reading->cells, fault) != EVENT_OK)
        return false;
    reading->date->unknown += extra;
    return true;
}

static void log_note_model(struct log_reading *reading, struct span model)
{
    for (size_t m = 0; m < reading->models.count; m++)
        if (span_equal(span_of(reading->models.items[m]), model))
            return;
    char *name = mem_text_n(model.data, model.bytes);
    text_list_add(&reading->models, name);
    free(name);
}

static void log_add_kept(struct log_reading *reading, const struct log_reader *rows)
{
    const struct schema *schema = reading->schema;
    struct fault fault;
    if (!log_read_row(reading, log_reader_text(rows, STANDING_INPUT), &fault)) {
        if (reading->date->rows[LOG_ROW_REFUSED]++ == 0)
            snprintf(reading->date->refused, sizeof reading->date->refused, "%s", fault.text);
        return;
    }
    bool leaves = *log_reader_text(rows, STANDING_LEAVES).data == 't';
    csv_add_text(reading->out, log_reader_text(rows, STANDING_EMPLOYEE));
    for (size_t c = 0; c < schema->column_count; c++) {
        buffer_add_text(reading->out, ",");
        csv_add_cell(reading->out, &schema->columns[c], &reading->cells[c]);
    }
    buffer_add_text(reading->out, ",");
    csv_add_text(reading->out, schema->target_values[leaves ? schema->target_count - 1 : 0]);
    buffer_add_text(reading->out, "\n");
    reading->date->rows[LOG_ROW_KEPT]++;
    reading->date->positives += leaves;
    reading->date->stale += *log_reader_text(rows, STANDING_STALE).data == 't';
    log_note_model(reading, log_reader_text(rows, STANDING_MODEL));
}

static void log_add_row(struct log_reading *reading, const struct log_reader *rows)
{
    struct span ends_as = log_reader_text(rows, STANDING_ENDS_AS);
    if (!log_reader_text(rows, STANDING_EMPLOYEE).data)
        return; /* nobody has a record */
    if (span_equal(ends_as, SPAN_LITERAL("kept")))
        log_add_kept(reading, rows);
    else if (span_equal(ends_as, SPAN_LITERAL("left")))
        reading->date->rows[LOG_ROW_LEFT]++;
    else if (span_equal(ends_as, SPAN_LITERAL("censored")))
        reading->date->rows[LOG_ROW_CENSORED]++;
    else
        reading->date->rows[LOG_ROW_ERASED]++;
}

struct log_table_rules log_table_rules_of(const struct options *options)
{
    return (struct log_table_rules){.horizon_us = options_duration_us(options, OPTION_HORIZON),
                                    .by_occurrence = options_word(options, OPTION_KNOWN_SINCE) != 0};
}

enum status log_table_add(struct log_reader *rows, const struct schema *schema, const char *as_of,
                          const struct log_table_rules *rules, struct buffer *out, struct log_table_date *date,
                          struct error *err)
{
    char horizon[48];
    const char *const values[] = {as_of, horizon, rules->by_occurrence ? "true" : "false"};
    struct log_reading reading = {.schema = schema, .out = out, .date = date};
    bool more = true;
    snprintf(horizon, sizeof horizon, "%" PRId64 " microseconds", rules->horizon_us);
    *date = (struct log_table_date){.as_of = as_of};
    reading.cells = mem_zeroed(schema->column_count + 1, sizeof *reading.cells);
    enum status status =
        log_reader_query(rows, "reading the prediction log (run sql/migrate?)", standing_sql, 3, values, err);
    while (status == STATUS_OK && more) {
        status = log_reader_next(rows, &more, err);
        if (status != STATUS_OK || !more)
            break;
        if (!date->unseen_exits)
            date->unseen_exits = strtoul(log_reader_text(rows, STANDING_UNSEEN).data, NULL, 10);
        log_add_row(&reading, rows);
    }
    date->models = reading.models.count;
    text_list_clear(&reading.models);
    json_reader_free(&reading.reader);
    free(reading.cells);
    return status;
}

void log_table_report(const struct log_table_date *date)
{
    const size_t *rows = date->rows;
    log_info("trainer",
             "as of %s: %zu rows, %zu of them left within the horizon, by %zu model version%s; left out: %zu had left "
             "before, %zu censored (the horizon has not passed), %zu to be erased, %zu refused by the schema",
             date->as_of, rows[LOG_ROW_KEPT], date->positives, date->models, date->models == 1 ? "" : "s",
             rows[LOG_ROW_LEFT], rows[LOG_ROW_CENSORED], rows[LOG_ROW_ERASED], rows[LOG_ROW_REFUSED]);
    if (rows[LOG_ROW_REFUSED])
        log_warn("trainer", "as of %s: the first of the refused: %s", date->as_of, date->refused);
    if (date->unknown)
        log_warn("trainer", "as of %s: %zu records have attributes that the schema no longer has, passed over",
                 date->as_of, date->unknown);
    if (date->stale)
        log_warn("trainer",
                 "as of %s: %zu records are from more than a horizon before: is there a gap in the prediction log?",
                 date->as_of, date->stale);
    if (date->unseen_exits)
        log_warn("trainer",
                 "as of %s: %zu exits within the horizon are of people without a record at that date: the table knows "
                 "nothing of them",
                 date->as_of, date->unseen_exits);
}
