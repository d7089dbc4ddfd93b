/* Putting the statements of GET /employees together: see list_sql.h. On the readers' threads. Names of attributes and
 * values are parameters, never text of the statement. Sorting and comparing go by one key that is never null, and by
 * the employee id where keys are equal, so that a page ends and begins at a place of its own. */
#include "scorer/http/list_sql.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

static const char sorts_last[] = "\xF4\x8F\xBF\xBF"; /* U+10FFFF */

void list_sql_clear(struct list_sql *sql)
{
    buffer_free(&sql->text);
    arena_free(&sql->arena);
    *sql = (struct list_sql){0};
}

void list_sql_value(struct list_sql *sql, struct span value, const char *cast)
{
    assert(sql->count < LIST_VALUES_MOST);
    sql->values[sql->count++] = arena_text(&sql->arena, value.data, value.bytes);
    buffer_printf(&sql->text, "$%d::%s", sql->count, cast);
}

static void add_number(struct list_sql *sql, double number)
{
    char text[32];
    int bytes = isinf(number) ? snprintf(text, sizeof text, "%sinfinity", number < 0 ? "-" : "")
                              : snprintf(text, sizeof text, "%.17g", number);
    list_sql_value(sql, (struct span){text, (size_t)bytes}, "float8");
}

void list_sql_attribute(struct list_sql *sql, const struct column *column)
{
    buffer_add_text(&sql->text, "(l.input ->> ");
    list_sql_value(sql, span_of(column->name), "text");
    buffer_add_text(&sql->text, ")");
}

/* NULL where it is no number. */
static void add_attribute_number(struct list_sql *sql, const struct column *column)
{
    buffer_add_text(&sql->text, "(CASE WHEN jsonb_typeof(l.input -> ");
    list_sql_value(sql, span_of(column->name), "text");
    buffer_add_text(&sql->text, ") = 'number' THEN ");
    list_sql_attribute(sql, column);
    buffer_add_text(&sql->text, "::float8 END)");
}

enum list_key list_key_of(const struct list_query *query)
{
    if (query->sort == SORT_ATTRIBUTE)
        return query->sort_column->kind == COLUMN_NOMINAL ? LIST_KEY_TEXT : LIST_KEY_NUMBER;
    if (query->sort == SORT_SCORED_AT || query->sort == SORT_OCCURRED_AT)
        return LIST_KEY_TIME;
    return query->sort == SORT_EMPLOYEE_ID ? LIST_KEY_TEXT : LIST_KEY_NUMBER;
}

/* Missing values come last, whatever the direction. */
static void add_attribute_key(struct list_sql *sql, const struct list_query *query)
{
    bool is_number = list_key_of(query) == LIST_KEY_NUMBER;
    buffer_add_text(&sql->text, "coalesce(");
    if (is_number)
        add_attribute_number(sql, query->sort_column);
    else
        list_sql_attribute(sql, query->sort_column);
    buffer_add_text(&sql->text, ", ");
    if (is_number)
        add_number(sql, query->descends ? -INFINITY : INFINITY);
    else
        list_sql_value(sql, span_of(query->descends ? "" : sorts_last), "text");
    buffer_add_text(&sql->text, is_number ? ")" : ") COLLATE \"C\"");
}

void list_sql_key(struct list_sql *sql, const struct list_query *query)
{
    static const char *const keys[] = {
        [SORT_RISK] = "l.probability",
        [SORT_EMPLOYEE_ID] = "l.employee_id COLLATE \"C\"",
        [SORT_SCORED_AT] = "l.scored_at",
        [SORT_OCCURRED_AT] = "l.occurred_at",
    };
    if (query->sort == SORT_ATTRIBUTE)
        add_attribute_key(sql, query);
    else
        buffer_add_text(&sql->text, keys[query->sort]);
}

void list_sql_key_text(struct list_sql *sql, const struct list_query *query)
{
    bool is_time = list_key_of(query) == LIST_KEY_TIME;
    buffer_add_text(&sql->text, is_time ? "(extract(epoch FROM p.key) * 1000000)::bigint::text" : "p.key::text");
}

void list_sql_key_value(struct list_sql *sql, const struct list_query *query, struct span text)
{
    enum list_key key = list_key_of(query);
    if (key != LIST_KEY_TIME) {
        list_sql_value(sql, text, key == LIST_KEY_NUMBER ? "float8" : "text");
        return;
    }
    buffer_add_text(&sql->text, "timestamptz 'epoch' + ");
    list_sql_value(sql, text, "bigint");
    buffer_add_text(&sql->text, " * interval '1 microsecond'");
}

static void add_condition(struct list_sql *sql, const struct list_where *where)
{
    if (!where->column) {
        buffer_printf(&sql->text, "%sl.probability >= l.threshold", where->flagged ? "" : "NOT ");
    } else if (where->missing || where->column->kind == COLUMN_NOMINAL) {
        list_sql_attribute(sql, where->column);
        buffer_add_text(&sql->text, where->missing ? " IS NULL" : " = ");
        if (!where->missing)
            list_sql_value(sql, where->text, "text");
    } else {
        add_attribute_number(sql, where->column);
        buffer_add_text(&sql->text, " BETWEEN ");
        add_number(sql, where->low);
        buffer_add_text(&sql->text, " AND ");
        add_number(sql, where->high);
    }
}

static bool stands_before(const struct list_query *query, size_t index)
{
    for (size_t w = 0; w < index; w++)
        if (query->where[w].column == query->where[index].column)
            return true;
    return false;
}

/* The conditions of one field are alternatives. */
static void add_alternatives(struct list_sql *sql, const struct list_query *query, size_t first)
{
    const char *before = " AND (";
    for (size_t w = first; w < query->where_count; w++) {
        if (query->where[w].column != query->where[first].column)
            continue;
        buffer_add_text(&sql->text, before);
        add_condition(sql, &query->where[w]);
        before = " OR ";
    }
    buffer_add_text(&sql->text, ")");
}

/* Letters beyond ASCII change their case as the database's locale says, which takes several times as long. */
static void add_search(struct list_sql *sql, struct span q)
{
    bool is_ascii = true;
    for (size_t b = 0; b < q.bytes; b++)
        is_ascii = is_ascii && (uint8_t)q.data[b] < 0x80;
    const char *collation = is_ascii ? " COLLATE \"C\"" : "";
    buffer_add_text(&sql->text, " AND position(lower(");
    list_sql_value(sql, q, "text");
    buffer_printf(&sql->text, "%s) IN lower(l.employee_id%s)) > 0", collation, collation);
}

void list_sql_where(struct list_sql *sql, const struct list_query *query)
{
    buffer_add_text(&sql->text, " WHERE true");
    if (query->q)
        add_search(sql, span_of(query->q));
    for (size_t w = 0; w < query->where_count; w++)
        if (!stands_before(query, w))
            add_alternatives(sql, query, w);
}
