/* GET /dead-letters: what could not be handled, newest first, by code. See docs/HTTP.md. On the readers' threads.
 * Neither keys nor values are read, which the role attrition_analyst may not do either: nobody is named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "scorer/http/database.h"
#include "scorer/http/list_query.h"
#include "scorer/http/parameters.h"
#include "scorer/http/service.h"

enum { CODE_BYTES_MOST = 64, ID_DIGITS_MOST = 18 };

static const char letters_sql[] =
    "SELECT d.id, json_build_object('id', d.id, 'received_at', attrition.utc(d.received_at), 'stage', d.stage, "
    "'code', d.code, 'field', d.field, 'message', d.message, 'topic', d.topic, 'partition', d.partition, "
    "'offset', d.\"offset\", 'dlq_partition', d.dlq_partition, 'dlq_offset', d.dlq_offset) "
    "FROM attrition.dead_letters AS d WHERE ($1::text IS NULL OR d.code = $1) AND ($2::bigint IS NULL OR d.id < $2) "
    "ORDER BY d.id DESC LIMIT $3::integer";

struct letter_list {
    const char *code, *cursor; /* NULL: any; the first page */
    uint32_t limit;
};

static bool read_parameter(struct letter_list *list, const struct parameter *parameter, struct answer *answer)
{
    const char *value = parameter->value ? parameter->value : "";
    if (!strcmp(parameter->name, "limit"))
        return list_limit_read(value, &list->limit, answer);
    bool is_code = !strcmp(parameter->name, "code");
    const char *letters = is_code ? "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_" : "0123456789";
    size_t bytes = strspn(value, letters);
    if (!bytes || value[bytes] || bytes > (is_code ? CODE_BYTES_MOST : ID_DIGITS_MOST)) {
        answer_detail(answer, 400, "%s",
                      is_code ? "code: not a code of dead letters (docs/ERRORS.md)"
                              : "cursor: not one of this question; take `next` of the page before");
        return false;
    }
    *(is_code ? &list->code : &list->cursor) = value;
    return true;
}

static bool read_parameters(const struct request *request, struct letter_list *list, struct answer *answer)
{
    static const char *const names[] = {"code", "limit", "cursor", NULL};
    *list = (struct letter_list){.limit = 50};
    if (!parameters_sound(request, names, NULL, answer))
        return false;
    for (size_t p = 0; p < request->parameter_count; p++)
        if (!read_parameter(list, &request->parameters[p], answer))
            return false;
    return true;
}

static void write_letters(const struct database_rows *rows, uint32_t limit, struct answer *answer)
{
    size_t found = database_rows_count(rows), count = found > limit ? limit : found;
    struct json_writer json = json_begin_document(&answer->body);
    json_begin_array(&json, "dead_letters");
    for (size_t row = 0; row < count; row++) {
        struct span letter = database_rows_text(rows, row, 1);
        json_break(&json);
        buffer_add(json_write_raw(&json, NULL), letter.data, letter.bytes);
    }
    json_end_array(&json);
    json_write_text(&json, "next", found > count ? database_rows_text(rows, count - 1, 0) : SPAN_NULL);
    json_end_document(&json);
    answer->status = 200;
}

void dead_letters_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    struct letter_list list;
    struct database_rows *rows = NULL;
    char limit[16];
    if (!read_parameters(request, &list, answer))
        return;
    snprintf(limit, sizeof limit, "%u", list.limit + 1);
    const char *const values[] = {list.code, list.cursor, limit};
    if (!database_query(service->reads, request, "reading dead letters", letters_sql, 3, values, &rows, answer))
        return;
    write_letters(rows, list.limit, answer);
    database_rows_free(rows);
}
