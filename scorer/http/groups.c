/* GET /groups: expected and realised exits by one or two attributes. See docs/HTTP.md. On the readers' threads. What
 * may be shown is decided by the database (sql/0020_http_service.sql), once a day (figures.h); through DATABASE_URL,
 * since only who writes may have it computed. */
#include <string.h>

#include "scorer/http/csv_cells.h"
#include "scorer/http/figures.h"
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

static const char groups_of[] = "attrition.groups_json(array_remove(ARRAY[$1::text, $2::text], NULL))";

/* As CSV: after the attributes' members. */
static const struct csv_column csv_columns[] = {
    {"as_of", "g.value ->> 'as_of'", false},
    {"employees", "g.value ->> 'employees'", true},
    {"expected_exits", "g.value ->> 'expected_exits'", true},
    {"expected_low", "g.value ->> 'expected_low'", true},
    {"expected_high", "g.value ->> 'expected_high'", true},
    {"flagged_share", "g.value ->> 'flagged_share'", true},
    {"drivers",
     "(SELECT string_agg(d.value ->> 'label', '; ' ORDER BY d.ordinality) FROM json_array_elements(g.value -> "
     "'drivers') WITH ORDINALITY AS d)",
     false},
    {"realised_exits", "g.value ->> 'realised_exits'", true},
};
enum {
    CSV_COLUMNS = sizeof csv_columns / sizeof *csv_columns,
    ROW_CURRENT = 0,
    ROW_JSON,
    ROW_MEMBERS = ROW_JSON,
    ROW_SHOWN = ROW_MEMBERS + 2
};

static void build(bool csv, struct buffer *sql)
{
    struct buffer select = {0};
    buffer_add_text(&select, "SELECT kept.json ->> 'is_current'");
    if (csv) {
        buffer_add_text(&select, ", g.value -> 'members' ->> $1::text, g.value -> 'members' ->> $2::text");
        csv_add_sql(&select, csv_columns, CSV_COLUMNS);
        buffer_add_text(&select, " FROM kept LEFT JOIN LATERAL json_array_elements(kept.json -> 'groups') WITH "
                                 "ORDINALITY AS g ON true ORDER BY g.ordinality");
    } else {
        buffer_add_text(&select, ", kept.json FROM kept");
    }
    buffer_add_u8(&select, '\0');
    figures_sql(groups_of, select.data, sql);
    buffer_free(&select);
}

/* Where every group is withheld, there is one row without a group. */
static void write_csv(const struct database_rows *rows, const char *const by[2], struct answer *answer)
{
    struct buffer *out = &answer->body;
    for (size_t b = 0; b < 2 && by[b]; b++)
        csv_add_cell(out, span_of(by[b]), !b, false);
    csv_add_names(out, csv_columns, CSV_COLUMNS, false);
    csv_end_line(out);
    for (size_t row = 0; row < database_rows_count(rows) && database_rows_text(rows, row, ROW_SHOWN).data; row++) {
        for (size_t b = 0; b < 2 && by[b]; b++)
            csv_add_cell(out, database_rows_text(rows, row, ROW_MEMBERS + b), !b, false);
        csv_add_values(out, csv_columns, CSV_COLUMNS, false, rows, row, ROW_SHOWN);
        csv_end_line(out);
    }
    answer->type = CSV_TYPE;
    answer->status = 200;
}

void groups_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    static const char *const names[] = {"by", NULL};
    const struct schema *schema = service->view.settings->schema;
    bool csv = csv_is_wanted(request->headers.accept);
    struct database_rows *rows = NULL;
    struct buffer sql = {0};
    int32_t columns[2];
    if (!parameters_sound(request, names, NULL, answer))
        return;
    const char *by = request->parameter_count ? request->parameters[0].value : NULL;
    if (!read_by(schema, by ? by : "", columns, answer))
        return;
    const char *const values[] = {schema->columns[columns[0]].name,
                                  columns[1] < 0 ? NULL : schema->columns[columns[1]].name};
    build(csv, &sql);
    bool read = figures_query(service->figures, FIGURES_GROUPS, service->writes, request, "reading groups", sql.data, 2,
                              values, &rows, answer);
    if (read && csv && database_rows_text(rows, 0, ROW_CURRENT).data)
        write_csv(rows, values, answer);
    else if (read)
        database_answer_json(rows, ROW_JSON, figures_missing(service->figures, FIGURES_GROUPS), answer);
    database_rows_free(rows);
    buffer_free(&sql);
}
