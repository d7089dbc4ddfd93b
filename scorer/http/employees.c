/* GET /employees and GET /employees/{id}: who is at risk, and why. See docs/HTTP.md. On the readers' threads. JSON of a
 * record is made by the database (sql/0025_employee_orders.sql), so that its words are those of the views; here it is
 * put together, and given only once it is written who asked. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "events/identity.h"
#include "scorer/http/access_record.h"
#include "scorer/http/csv_cells.h"
#include "scorer/http/page_cursor.h"
#include "scorer/http/database.h"
#include "scorer/http/list_sql.h"
#include "scorer/http/list_totals.h"
#include "scorer/http/parameters.h"

static const char reading[] = "reading employees";

struct employee_list {
    const struct service *service;
    const struct request *request;
    struct list_query query;
    struct buffer question, cursor_texts; /* what a cursor is bound to; the parts of the given one */
    struct span key, after_id;            /* where the page begins; SPAN_NULL: at the beginning */
    bool csv;
    struct database_rows *rows; /* the id, the key, and what is shown; one more than asked for where there are more */
    size_t count;               /* of rows to be shown */
    bool more;
    uint64_t total; /* of all pages; on the first */
};

/* As CSV: between the id and the attributes. */
static const struct csv_column csv_columns[] = {
    {"risk", "l.probability", true},
    {"decision", "l.prediction", false},
    {"flagged", "CASE WHEN l.probability >= l.threshold THEN 'true' ELSE 'false' END", false},
    {"threshold", "l.threshold", true},
    {"why", "attrition.why(l.reasons, l.input)", false},
    {"occurred_at", "attrition.utc(l.occurred_at)", false},
    {"scored_at", "attrition.utc(l.scored_at)", false},
    {"model_name", "l.model_name", false},
    {"model_version", "l.model_version", false},
};
enum { CSV_COLUMNS = sizeof csv_columns / sizeof *csv_columns, ROW_ID = 0, ROW_KEY, ROW_SHOWN };

/* --- asking --- */

/* As PostgreSQL writes a float8, and reads it again. */
static bool is_key_number(struct span text)
{
    char copy[64], *end;
    if (span_equal(text, SPAN_LITERAL("Infinity")) || span_equal(text, SPAN_LITERAL("-Infinity")))
        return true;
    if (!text.bytes || text.bytes >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.bytes);
    copy[text.bytes] = '\0';
    errno = 0;
    double number = strtod(copy, &end);
    return strspn(copy, "0123456789+-.e") == text.bytes && !*end && isfinite(number) && (number != 0 || !errno);
}

/* Microseconds of about 3,000 years before and after 1970. */
static bool is_key_time(struct span text)
{
    size_t b = text.bytes && text.data[0] == '-';
    if (text.bytes - b > 17 || text.bytes == b)
        return false;
    while (b < text.bytes && text.data[b] >= '0' && text.data[b] <= '9')
        b++;
    return b == text.bytes;
}

static bool is_key(enum list_key key, struct span text)
{
    return key == LIST_KEY_TEXT || (key == LIST_KEY_TIME ? is_key_time(text) : is_key_number(text));
}

static bool read_cursor(struct employee_list *list, struct answer *answer)
{
    struct span parts[2];
    list_query_describe(&list->query, &list->question);
    if (!list->query.cursor)
        return true;
    bool sound = page_cursor_read(list->query.cursor, buffer_span(&list->question), parts, 2, &list->cursor_texts) &&
                 is_key(list_key_of(&list->query), parts[0]);
    if (!sound) {
        answer_detail(answer, 400,
                      "cursor: not one of this question; take `next` of the page before, with the same q, "
                      "where and sort");
        return false;
    }
    list->key = parts[0];
    list->after_id = parts[1];
    return true;
}

static void add_shown(struct list_sql *sql, const struct employee_list *list)
{
    if (!list->csv) {
        buffer_printf(&sql->text, ", attrition.employee_json(l)%s",
                      list->query.trend ? ", coalesce(t.trend, '[]')" : "");
        return;
    }
    csv_add_sql(&sql->text, csv_columns, CSV_COLUMNS);
    buffer_add_text(&sql->text, ", l.input::text");
}

/* The page's ids are found first, without what is shown of each. */
static void build(struct list_sql *sql, const struct employee_list *list)
{
    const struct list_query *query = &list->query;
    static const char trends[] = " LEFT JOIN attrition.trends_json((SELECT array_agg(q.employee_id) FROM p AS q)) AS t "
                                 "USING (employee_id)";
    const char *direction = query->descends ? "DESC" : "ASC";
    buffer_add_text(&sql->text, "WITH p AS MATERIALIZED (SELECT l.employee_id, ");
    list_sql_key(sql, query);
    buffer_add_text(&sql->text, " AS key FROM attrition.latest_predictions AS l");
    list_sql_where(sql, query);
    if (list->after_id.data) {
        buffer_add_text(&sql->text, " AND (");
        list_sql_key(sql, query);
        buffer_printf(&sql->text, ", l.employee_id COLLATE \"C\") %c (", query->descends ? '<' : '>');
        list_sql_key_value(sql, query, list->key);
        buffer_add_text(&sql->text, ", ");
        list_sql_value(sql, list->after_id, "text");
        buffer_add_text(&sql->text, ")");
    }
    buffer_printf(&sql->text, " ORDER BY key %s, l.employee_id COLLATE \"C\" %s LIMIT %u) SELECT l.employee_id, ",
                  direction, direction, query->limit + 1);
    list_sql_key_text(sql, query);
    add_shown(sql, list);
    buffer_printf(&sql->text,
                  " FROM p JOIN attrition.latest_predictions AS l USING (employee_id)%s ORDER BY p.key %s, "
                  "l.employee_id COLLATE \"C\" %s",
                  query->trend && !list->csv ? trends : "", direction, direction);
    buffer_add_u8(&sql->text, '\0');
}

static bool read_page(struct employee_list *list, struct answer *answer)
{
    struct list_sql sql = {0};
    build(&sql, list);
    bool done = database_query(list->service->reads, list->request, reading, sql.text.data, sql.count, sql.values,
                               &list->rows, answer);
    list_sql_clear(&sql);
    if (!done)
        return false;
    size_t found = database_rows_count(list->rows);
    list->more = found > list->query.limit;
    list->count = list->more ? list->query.limit : found;
    return true;
}

static bool count_all(struct employee_list *list, struct answer *answer)
{
    struct list_sql sql = {0};
    struct database_rows *rows = NULL;
    buffer_add_text(&sql.text, "SELECT count(*) FROM attrition.latest_predictions AS l");
    list_sql_where(&sql, &list->query);
    buffer_add_u8(&sql.text, '\0');
    bool done = database_query(list->service->reads, list->request, reading, sql.text.data, sql.count, sql.values,
                               &rows, answer);
    list_sql_clear(&sql);
    if (done)
        list->total = strtoull(database_rows_text(rows, 0, 0).data, NULL, 10);
    database_rows_free(rows);
    return done;
}

/* On the first page, where not everything is on it. */
static bool read_total(struct employee_list *list, struct answer *answer)
{
    struct buffer question = {0};
    list->total = list->count;
    if (list->query.cursor || list->csv || !list->more)
        return true;
    list_query_describe_filter(&list->query, &question);
    int64_t began_us = clock_steady_us(&clock_system);
    bool kept = list_totals_find(list->service->totals, buffer_span(&question), began_us, &list->total);
    bool done = kept || count_all(list, answer);
    if (done && !kept)
        list_totals_keep(list->service->totals, buffer_span(&question), list->total, began_us,
                         clock_steady_us(&clock_system));
    buffer_free(&question);
    if (list->total <= list->count) /* kept from before some of these came */
        list->total = list->count + 1;
    return done;
}

/* --- answering --- */

/* The object without its last brace, so that members can follow. */
static void add_open_object(struct buffer *out, struct span object)
{
    while (object.bytes && object.data[object.bytes - 1] != '}')
        object.bytes--;
    buffer_add(out, object.data, object.bytes ? object.bytes - 1 : 0);
}

static void add_member(struct buffer *out, const char *name, struct span json)
{
    struct json_writer writer = json_writer_of(out);
    buffer_add_u8(out, ',');
    json_write_string(&writer, NULL, name);
    buffer_add_u8(out, ':');
    buffer_add(out, json.data, json.bytes);
}

static void add_employee(const struct employee_list *list, size_t row, struct buffer *out)
{
    struct span record = database_rows_text(list->rows, row, ROW_SHOWN);
    if (!list->query.trend) {
        buffer_add(out, record.data, record.bytes);
        return;
    }
    add_open_object(out, record);
    add_member(out, "trend", database_rows_text(list->rows, row, ROW_SHOWN + 1));
    buffer_add_u8(out, '}');
}

static char *next_cursor(const struct employee_list *list)
{
    struct buffer cursor = {0};
    if (!list->more)
        return NULL;
    const struct span parts[] = {database_rows_text(list->rows, list->count - 1, ROW_KEY),
                                 database_rows_text(list->rows, list->count - 1, ROW_ID)};
    page_cursor_write(buffer_span(&list->question), parts, 2, &cursor);
    buffer_add_u8(&cursor, '\0');
    return cursor.data;
}

static void write_json(const struct employee_list *list, struct answer *answer)
{
    char *next = next_cursor(list);
    struct json_writer json = json_begin_document(&answer->body);
    json_begin_array(&json, "employees");
    for (size_t row = 0; row < list->count; row++) {
        json_break(&json);
        add_employee(list, row, json_write_raw(&json, NULL));
    }
    json_end_array(&json);
    if (list->query.cursor)
        json_write_null(&json, "total");
    else
        json_write_uint(&json, "total", list->total);
    json_write_string(&json, "next", next);
    json_end_document(&json);
    free(next);
}

/* One cell for each column of the schema, from a record as JSON. */
static void add_attributes(const struct schema *schema, struct span record, struct json_reader *reader,
                           struct span *cells, struct buffer *out)
{
    struct json_value value = {0};
    struct span name;
    memset(cells, 0, schema->column_count * sizeof *cells);
    json_reader_reset(reader);
    json_reader_start(reader, record);
    json_read_value(reader, &value);
    for (bool first = true; value.kind == JSON_KIND_OBJECT && json_next_name(reader, &first, &name);) {
        struct json_value member = {0};
        int32_t column = schema_column(schema, name);
        json_read_value(reader, &member);
        json_skip_rest(reader, &member);
        if (column >= 0 && member.kind != JSON_KIND_NULL)
            cells[column] = member.text;
    }
    for (size_t c = 0; c < schema->column_count; c++)
        csv_add_cell(out, cells[c], false, schema->columns[c].kind != COLUMN_NOMINAL);
}

static void write_csv_rows(const struct employee_list *list, struct buffer *out)
{
    const struct schema *schema = list->service->view.settings->schema;
    struct span *cells = mem_zeroed(schema->column_count, sizeof *cells);
    struct json_reader reader = {0};
    for (size_t row = 0; row < list->count; row++) {
        csv_add_cell(out, database_rows_text(list->rows, row, ROW_ID), true, false);
        csv_add_values(out, csv_columns, CSV_COLUMNS, false, list->rows, row, ROW_SHOWN);
        add_attributes(schema, database_rows_text(list->rows, row, ROW_SHOWN + CSV_COLUMNS), &reader, cells, out);
        csv_end_line(out);
    }
    json_reader_free(&reader);
    free(cells);
}

static void write_csv(const struct employee_list *list, struct answer *answer)
{
    const struct schema *schema = list->service->view.settings->schema;
    struct buffer *out = &answer->body;
    csv_add_cell(out, SPAN_LITERAL("employee_id"), true, false);
    csv_add_names(out, csv_columns, CSV_COLUMNS, false);
    for (size_t c = 0; c < schema->column_count; c++)
        csv_add_cell(out, span_of(schema->columns[c].name), false, false);
    csv_end_line(out);
    write_csv_rows(list, out);
    answer->type = CSV_TYPE;
    answer->next_cursor = next_cursor(list);
}

void employees_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    struct employee_list list = {.service = service, .request = request, .csv = csv_is_wanted(request->headers.accept)};
    if (list_query_read(service->view.settings->schema, request, &list.query, answer) && read_cursor(&list, answer) &&
        access_purpose_sound(request, answer) && read_page(&list, answer) && read_total(&list, answer) &&
        access_record_rows(service, request, "/employees", list.query.q, list.rows, list.count, ROW_ID, answer)) {
        answer->status = 200;
        if (list.csv)
            write_csv(&list, answer);
        else
            write_json(&list, answer);
    }
    database_rows_free(list.rows);
    buffer_free(&list.question);
    buffer_free(&list.cursor_texts);
}

/* --- one --- */

static void write_one(const struct database_rows *rows, struct answer *answer)
{
    if (!rows || !database_rows_count(rows)) {
        answer_detail(answer, 404, "nobody with this id is here: there never was, has left, or was erased");
        return;
    }
    add_open_object(&answer->body, database_rows_text(rows, 0, 0));
    add_member(&answer->body, "history", database_rows_text(rows, 0, 1));
    add_member(&answer->body, "history_total", database_rows_text(rows, 0, 2));
    add_member(&answer->body, "alerts", database_rows_text(rows, 0, 3));
    add_member(&answer->body, "exits", database_rows_text(rows, 0, 4));
    add_member(&answer->body, "reviews", database_rows_text(rows, 0, 5));
    buffer_add_text(&answer->body, "}\n");
    answer->status = 200;
}

void employee_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    static const char sql[] =
        "SELECT attrition.employee_json(l), attrition.history_json(l.employee_id, 100), "
        "attrition.history_count(l.employee_id), attrition.employee_alerts_json(l.employee_id, 100), "
        "(SELECT coalesce(json_agg(attrition.utc(o.exited_at) ORDER BY o.exited_at DESC), '[]') "
        "FROM attrition.outcomes_once AS o WHERE o.employee_id = $1), "
        "(SELECT coalesce(json_agg(json_build_object('event_id', r.event_id, 'reviewed_at', "
        "attrition.utc(r.reviewed_at), 'reviewed_by', r.reviewed_by, 'overridden', r.overridden, 'reason', r.reason) "
        "ORDER BY r.id DESC), '[]') FROM (SELECT v.* FROM attrition.reviews AS v WHERE v.employee_id = $1 "
        "ORDER BY v.id DESC LIMIT 100) AS r) FROM attrition.latest_predictions AS l WHERE l.employee_id = $1";
    struct database_rows *rows = NULL;
    char id[ID_BYTES_MAX + 1] = ""; /* "": no such id can be */
    const char *const values[] = {id}, *const none[] = {NULL};
    if (!id_flaw(request->name))
        memcpy(id, request->name.data, request->name.bytes);
    if (parameters_sound(request, none, NULL, answer) && access_purpose_sound(request, answer) &&
        (!*id || (database_query(service->reads, request, "reading an employee", sql, 1, values, &rows, answer) &&
                  access_record(service, request, "/employees/{id}", &request->name, 1, answer))))
        write_one(rows, answer);
    database_rows_free(rows);
}
