/* GET /alerts: whose risk has changed, newest first. See docs/HTTP.md. On the readers' threads. */
#include <stdio.h>

#include "base/json_writer.h"
#include "base/memory.h"
#include "events/timestamp.h"
#include "scorer/http/access_record.h"
#include "scorer/http/page_cursor.h"
#include "scorer/http/database.h"
#include "scorer/http/list_query.h"
#include "scorer/http/parameters.h"

enum { PLACE_PARTS = 5, ROW_ID = 0, ROW_ALERT, ROW_PLACE, TIME_BYTES = 32 };

static const char alerts_sql[] =
    "SELECT a.employee_id, attrition.alert_json(a), (extract(epoch FROM a.received_at) * 1000000)::bigint, "
    "a.cluster_id, "
    "a.topic, a.partition, a.\"offset\" FROM attrition.alerts_once AS a WHERE ($1::bigint IS NULL OR a.received_at >= "
    "timestamptz 'epoch' + $1::bigint * interval '1 millisecond') AND ($2::bigint IS NULL OR (a.received_at, "
    "a.cluster_id, a.topic, a.partition, "
    "a.\"offset\") < (timestamptz 'epoch' + $2::bigint * interval '1 microsecond', $3::text, $4::text, $5::integer, "
    "$6::bigint)) ORDER BY a.received_at DESC, a.cluster_id DESC, a.topic DESC, a.partition DESC, a.\"offset\" DESC "
    "LIMIT $7::integer";

struct alert_list {
    const struct service *service;
    const struct request *request;
    char since[TIME_BYTES]; /* milliseconds since 1970; "": any */
    uint32_t limit;
    const char *cursor;
    struct span place[PLACE_PARTS]; /* of the last alert of the page before */
    struct buffer texts;
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
    snprintf(limit, sizeof limit, "%u", list->limit + 1);
    for (size_t p = 0; list->cursor && p < PLACE_PARTS; p++)
        place[p] = arena_text(&arena, list->place[p].data, list->place[p].bytes);
    const char *const values[] = {
        *list->since ? list->since : NULL, place[0], place[1], place[2], place[3], place[4], limit};
    bool done = database_query(list->service->reads, list->request, "reading alerts", alerts_sql, 7, values,
                               &list->rows, answer);
    arena_free(&arena);
    if (!done)
        return false;
    size_t found = database_rows_count(list->rows);
    list->more = found > list->limit;
    list->count = list->more ? list->limit : found;
    return true;
}

static void write_next(const struct alert_list *list, struct json_writer *json)
{
    struct span parts[PLACE_PARTS];
    struct buffer cursor = {0};
    if (!list->more) {
        json_write_null(json, "next");
        return;
    }
    for (size_t p = 0; p < PLACE_PARTS; p++)
        parts[p] = database_rows_text(list->rows, list->count - 1, ROW_PLACE + p);
    page_cursor_write(span_of(list->since), parts, PLACE_PARTS, &cursor);
    json_write_text(json, "next", buffer_span(&cursor));
    buffer_free(&cursor);
}

static void write_alerts(const struct alert_list *list, struct answer *answer)
{
    struct json_writer json = json_begin_document(&answer->body);
    json_begin_array(&json, "alerts");
    for (size_t row = 0; row < list->count; row++) {
        struct span alert = database_rows_text(list->rows, row, ROW_ALERT);
        json_break(&json);
        buffer_add(json_write_raw(&json, NULL), alert.data, alert.bytes);
    }
    json_end_array(&json);
    write_next(list, &json);
    json_end_document(&json);
    answer->status = 200;
}

void alerts_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    struct alert_list list = {.service = service, .request = request, .limit = 50};
    if (read_parameters(&list, answer) && read_cursor(&list, answer) && access_purpose_sound(request, answer) &&
        read_page(&list, answer) &&
        access_record_rows(service, request, "/alerts", list.rows, list.count, ROW_ID, answer))
        write_alerts(&list, answer);
    database_rows_free(list.rows);
    buffer_free(&list.texts);
}
