/* GET /alerts: whose risk has changed, newest first. See docs/HTTP.md. On the readers' threads. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_writer.h"
#include "base/memory.h"
#include "events/timestamp.h"
#include "scorer/http/access_record.h"
#include "scorer/http/csv_cells.h"
#include "scorer/http/page_cursor.h"
#include "scorer/http/database.h"
#include "scorer/http/list_query.h"
#include "scorer/http/parameters.h"

enum { PLACE_PARTS = 5, ROW_ID = 0, ROW_PLACE, ROW_SHOWN = ROW_PLACE + PLACE_PARTS, TIME_BYTES = 32 };

static const char shown_first[] = "SELECT a.employee_id, (extract(epoch FROM a.received_at) * 1000000)::bigint, "
                                  "a.cluster_id, a.topic, a.partition, a.\"offset\"";
static const char from_alerts[] =
    " FROM attrition.alerts_once AS a WHERE ($1::bigint IS NULL OR a.received_at >= "
    "timestamptz 'epoch' + $1::bigint * interval '1 millisecond') AND ($2::bigint IS NULL OR (a.received_at, "
    "a.cluster_id, a.topic, a.partition, "
    "a.\"offset\") < (timestamptz 'epoch' + $2::bigint * interval '1 microsecond', $3::text, $4::text, $5::integer, "
    "$6::bigint)) ORDER BY a.received_at DESC, a.cluster_id DESC, a.topic DESC, a.partition DESC, a.\"offset\" DESC "
    "LIMIT $7::integer";

/* As CSV: after the id. */
static const struct csv_column csv_columns[] = {
    {"event_id", "a.event_id", false},
    {"kind", "a.kind", false},
    {"cause", "a.cause", false},
    {"occurred_at", "attrition.utc(a.occurred_at)", false},
    {"received_at", "attrition.utc(a.received_at)", false},
    {"risk_before", "a.before_probability", true},
    {"decision_before", "a.before_prediction", false},
    {"risk", "a.after_probability", true},
    {"decision", "a.after_prediction", false},
    {"threshold", "a.after_threshold", true},
    {"risk_change", "a.after_probability - a.before_probability", true},
    {"model_change", "a.model_change", true},
    {"drivers",
     "CASE WHEN jsonb_typeof(a.drivers) = 'array' THEN (SELECT string_agg(d.value ->> 'text', '; ' ORDER BY "
     "d.ordinality) FROM json_array_elements(attrition.drivers_json(a.drivers)) WITH ORDINALITY AS d) END",
     false},
    {"model_name", "a.after_model_name", false},
    {"model_version", "a.after_model_version", false},
};
enum { CSV_COLUMNS = sizeof csv_columns / sizeof *csv_columns };

struct alert_list {
    const struct service *service;
    const struct request *request;
    char since[TIME_BYTES]; /* milliseconds since 1970; "": any */
    uint32_t limit;
    const char *cursor;
    struct span place[PLACE_PARTS]; /* of the last alert of the page before */
    struct buffer texts;
    bool csv;
    struct database_rows *rows;
    size_t count;
    bool more;
};

static bool read_since(struct alert_list *list, const char *text, struct answer *answer)
{
    int64_t ms;
    if (!timestamp_parse(span_of(text), &ms)) {
        answer_detail(answer, 400, "since: not a time like 2026-11-23 or 2026-11-23T22:00:00Z");
        return false;
    }
    snprintf(list->since, sizeof list->since, "%lld", (long long)ms);
    return true;
}

/* Digits alone, as many as fit into the column's type: the rest of a cursor is text. */
static bool is_count(struct span text, size_t digits)
{
    for (size_t b = 0; b < text.bytes; b++)
        if (text.data[b] < '0' || text.data[b] > '9')
            return false;
    return text.bytes && text.bytes <= digits;
}

static bool read_cursor(struct alert_list *list, struct answer *answer)
{
    struct span *place = list->place;
    if (!list->cursor || (page_cursor_read(list->cursor, span_of(list->since), place, PLACE_PARTS, &list->texts) &&
                          is_count(place[0], 17) && is_count(place[3], 9) && is_count(place[4], 18)))
        return true;
    answer_detail(answer, 400, "cursor: not one of this question; take `next` of the page before, with the same since");
    return false;
}

static bool read_parameters(struct alert_list *list, struct answer *answer)
{
    static const char *const names[] = {"since", "limit", "cursor", NULL};
    const struct request *request = list->request;
    if (!parameters_sound(request, names, NULL, answer))
        return false;
    for (size_t p = 0; p < request->parameter_count; p++) {
        const char *name = request->parameters[p].name, *value = request->parameters[p].value;
        value = value ? value : "";
        if (!strcmp(name, "cursor"))
            list->cursor = value;
        else if (!(*name == 's' ? read_since(list, value, answer) : list_limit_read(value, &list->limit, answer)))
            return false;
    }
    return true;
}

static bool read_page(struct alert_list *list, struct answer *answer)
{
    char limit[16], *place[PLACE_PARTS] = {NULL};
    struct arena arena = {0};
    struct buffer sql = {0};
    buffer_add_text(&sql, shown_first);
    if (list->csv)
        csv_add_sql(&sql, csv_columns, CSV_COLUMNS);
    else
        buffer_add_text(&sql, ", attrition.alert_json(a)");
    buffer_add(&sql, from_alerts, sizeof from_alerts);
    snprintf(limit, sizeof limit, "%u", list->limit + 1);
    for (size_t p = 0; list->cursor && p < PLACE_PARTS; p++)
        place[p] = arena_text(&arena, list->place[p].data, list->place[p].bytes);
    const char *const values[] = {
        *list->since ? list->since : NULL, place[0], place[1], place[2], place[3], place[4], limit};
    bool done =
        database_query(list->service->reads, list->request, "reading alerts", sql.data, 7, values, &list->rows, answer);
    arena_free(&arena);
    buffer_free(&sql);
    if (!done)
        return false;
    size_t found = database_rows_count(list->rows);
    list->more = found > list->limit;
    list->count = list->more ? list->limit : found;
    return true;
}

/* NULL: on the last page. The caller's. */
static char *next_cursor(const struct alert_list *list)
{
    struct span parts[PLACE_PARTS];
    struct buffer cursor = {0};
    if (!list->more)
        return NULL;
    for (size_t p = 0; p < PLACE_PARTS; p++)
        parts[p] = database_rows_text(list->rows, list->count - 1, ROW_PLACE + p);
    page_cursor_write(span_of(list->since), parts, PLACE_PARTS, &cursor);
    buffer_add_u8(&cursor, '\0');
    return cursor.data;
}

static void write_json(const struct alert_list *list, struct answer *answer)
{
    char *next = next_cursor(list);
    struct json_writer json = json_begin_document(&answer->body);
    json_begin_array(&json, "alerts");
    for (size_t row = 0; row < list->count; row++) {
        struct span alert = database_rows_text(list->rows, row, ROW_SHOWN);
        json_break(&json);
        buffer_add(json_write_raw(&json, NULL), alert.data, alert.bytes);
    }
    json_end_array(&json);
    json_write_string(&json, "next", next);
    json_end_document(&json);
    free(next);
}

static void write_csv(const struct alert_list *list, struct answer *answer)
{
    struct buffer *out = &answer->body;
    csv_add_cell(out, SPAN_LITERAL("employee_id"), true, false);
    csv_add_names(out, csv_columns, CSV_COLUMNS, false);
    csv_end_line(out);
    for (size_t row = 0; row < list->count; row++) {
        csv_add_cell(out, database_rows_text(list->rows, row, ROW_ID), true, false);
        csv_add_values(out, csv_columns, CSV_COLUMNS, false, list->rows, row, ROW_SHOWN);
        csv_end_line(out);
    }
    answer->type = CSV_TYPE;
    answer->next_cursor = next_cursor(list);
}

void alerts_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    struct alert_list list = {
        .service = service, .request = request, .limit = 50, .csv = csv_is_wanted(request->headers.accept)};
    if (read_parameters(&list, answer) && read_cursor(&list, answer) && access_purpose_sound(request, answer) &&
        read_page(&list, answer) &&
        access_record_rows(service, request, "/alerts", NULL, list.rows, list.count, ROW_ID, answer)) {
        answer->status = 200;
        if (list.csv)
            write_csv(&list, answer);
        else
            write_json(&list, answer);
    }
    database_rows_free(list.rows);
    buffer_free(&list.texts);
}
