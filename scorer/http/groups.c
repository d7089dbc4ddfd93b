/* GET /groups: expected and realised exits by one or two attributes. See docs/HTTP.md. On the readers' threads. What
 * may be shown is decided by the database (sql/0020_http_service.sql), once a day; through DATABASE_URL, since the
 * first question of a day may have it computed. */
#include <string.h>

#include "scorer/http/database.h"
#include "scorer/http/parameters.h"
#include "scorer/http/service.h"

/* False: answered. */
static bool refuse_by(const struct schema *schema, const char *what, struct span name, struct answer *answer)
{
    struct buffer known = {0};
    for (size_t c = 0; c < schema->column_count; c++)
        if (schema->columns[c].group || schema->columns[c].unit)
            buffer_printf(&known, "%s%s", known.bytes ? ", " : "", schema->columns[c].name);
    answer_detail(answer, 400, "by: %.*s%s; there are: %.*s", (int)(name.bytes < 64 ? name.bytes : 64), name.data, what,
                  known.data ? (int)known.bytes : 4, known.data ? known.data : "none");
    buffer_free(&known);
    return false;
}

/* Places of the schema's columns, ascending; the second is -1 where there is one. False: answered. */
static bool read_by(const struct schema *schema, const char *by, int32_t out[2], struct answer *answer)
{
    size_t count = 0;
    out[0] = out[1] = -1;
    for (const char *at = by;; at++) {
        struct span name = {at, strcspn(at, ",")};
        int32_t column = schema_column(schema, name);
        if (count == 2)
            return refuse_by(schema, "more than two attributes", SPAN_LITERAL(""), answer);
        if (column < 0 || !(schema->columns[column].group || schema->columns[column].unit))
            return refuse_by(schema, " is no group and no unit of the schema", name, answer);
        out[count++] = column;
        at += name.bytes;
        if (!*at)
            break;
    }
    if (out[0] == out[1])
        return refuse_by(schema, "the same attribute twice", SPAN_LITERAL(""), answer);
    if (count == 2 && out[0] > out[1]) {
        int32_t first = out[0];
        out[0] = out[1];
        out[1] = first;
    }
    return true;
}

void groups_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    static const char *const names[] = {"by", NULL};
    const struct schema *schema = service->view.settings->schema;
    struct database_rows *rows = NULL;
    int32_t columns[2];
    if (!parameters_sound(request, names, NULL, answer))
        return;
    const char *by = request->parameter_count ? request->parameters[0].value : NULL;
    if (!read_by(schema, by ? by : "", columns, answer))
        return;
    const char *const values[] = {schema->columns[columns[0]].name,
                                  columns[1] < 0 ? NULL : schema->columns[columns[1]].name};
    if (!database_query(service->writes, request, "reading groups",
                        "SELECT attrition.groups_json(array_remove(ARRAY[$1::text, $2::text], NULL))", 2, values, &rows,
                        answer))
        return;
    database_answer_json(rows, "groups are not computed yet: attrition.maintain() does it, once a day", answer);
    database_rows_free(rows);
}
