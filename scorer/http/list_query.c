/* Reading what GET /employees asks for: see list_query.h. On the readers' threads. */
#include "scorer/http/list_query.h"

#include <math.h>
#include <stdlib.h>

#include "events/identity.h"
#include "scorer/http/parameters.h"

static const char *const sort_names[] = {"risk", "employee_id", "scored_at", "occurred_at"};
enum { SORT_NAMES = sizeof sort_names / sizeof *sort_names };

/* --- refusing --- */

static void add_name(struct buffer *list, struct span name)
{
    if (list->bytes)
        buffer_add_text(list, ", ");
    buffer_add(list, name.data, name.bytes);
}

/* False, for those who return it. "FIELD is no …; there are: …" */
static bool refuse_name(const struct schema *schema, const char *what, struct span name, const char *before,
                        struct answer *answer)
{
    struct buffer known = {0};
    buffer_add_text(&known, before);
    for (size_t c = 0; c < schema->column_count; c++)
        add_name(&known, span_of(schema->columns[c].name));
    answer_detail(answer, 400, "%s: %.*s is no attribute of the schema; there are: %.*s", what,
                  (int)(name.bytes < 64 ? name.bytes : 64), name.data, (int)known.bytes, known.data);
    buffer_free(&known);
    return false;
}

static bool refuse_category(const struct column *column, struct answer *answer)
{
    struct buffer known = {0};
    for (size_t v = 0; v < column->value_count; v++)
        add_name(&known, column->values[v]);
    answer_detail(answer, 400, "where: %s has no such value; there are: %.*s", column->name, (int)known.bytes,
                  known.data);
    buffer_free(&known);
    return false;
}

/* --- reading --- */

static bool read_number(struct span text, double *out)
{
    char copy[64], *end;
    if (!text.bytes || text.bytes >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.bytes);
    copy[text.bytes] = '\0';
    if (strspn(copy, "0123456789+-.eE") != text.bytes)
        return false;
    *out = strtod(copy, &end);
    return !*end && isfinite(*out);
}

/* A label of a rank stands for its number. */
static bool read_label(const struct column *column, struct span text, double *out)
{
    for (size_t v = 0; column->value_labels && v < column->value_count; v++)
        if (span_equal(span_of(column->value_labels[v]), text)) {
            *out = column->low + (double)v;
            return true;
        }
    return false;
}

/* "41", "30..39", "30..", "..39" */
static bool read_numbers(const struct column *column, struct span text, struct list_where *out)
{
    const char *dots = memmem(text.data, text.bytes, "..", 2);
    out->low = -INFINITY;
    out->high = INFINITY;
    if (!dots) {
        bool found = read_label(column, text, &out->low) || read_number(text, &out->low);
        out->high = out->low;
        return found;
    }
    struct span low = {text.data, (size_t)(dots - text.data)};
    struct span high = {dots + 2, text.bytes - low.bytes - 2};
    return (low.bytes || high.bytes) && (!low.bytes || read_number(low, &out->low)) &&
           (!high.bytes || read_number(high, &out->high));
}

static bool read_value(const struct column *column, struct span value, struct list_where *out, struct answer *answer)
{
    *out = (struct list_where){.column = column, .missing = !value.bytes, .text = value};
    if (out->missing)
        return true;
    if (column->kind == COLUMN_NOMINAL)
        return column_code(column, value) >= 0 || refuse_category(column, answer);
    if (read_numbers(column, value, out))
        return true;
    answer_detail(answer, 400, "where: the value of %s is no number and no range of numbers (30..39, 30.., ..39)",
                  column->name);
    return false;
}

static bool read_flagged(struct span value, struct list_where *out, struct answer *answer)
{
    *out = (struct list_where){.flagged = span_equal(value, SPAN_LITERAL("true"))};
    if (out->flagged || span_equal(value, SPAN_LITERAL("false")))
        return true;
    answer_detail(answer, 400, "where: flagged is neither true nor false");
    return false;
}

static bool read_where(const struct schema *schema, const char *text, struct list_query *out, struct answer *answer)
{
    const char *equals = strchr(text, '=');
    struct span name = {text, equals ? (size_t)(equals - text) : strlen(text)};
    int32_t column = schema_column(schema, name);
    bool is_flagged = column < 0 && span_equal(name, SPAN_LITERAL("flagged"));
    if (out->where_count == LIST_WHERE_MOST) {
        answer_detail(answer, 400, "where: more than %d conditions", LIST_WHERE_MOST);
        return false;
    }
    if (column < 0 && !is_flagged)
        return refuse_name(schema, "where", name, "flagged", answer);
    if (!equals) {
        answer_detail(answer, 400, "where: no = after %.*s: write Field=Value", (int)name.bytes, name.data);
        return false;
    }
    struct list_where *where = &out->where[out->where_count++];
    return is_flagged ? read_flagged(span_of(equals + 1), where, answer)
                      : read_value(&schema->columns[column], span_of(equals + 1), where, answer);
}

static bool read_sort(const struct schema *schema, const char *text, struct list_query *out, struct answer *answer)
{
    bool turned = *text == '-';
    struct span name = span_of(text + turned);
    for (size_t s = 0; s < SORT_NAMES; s++)
        if (span_equal(name, span_of(sort_names[s]))) {
            out->sort = (enum list_sort)s;
            out->descends = (out->sort == SORT_RISK) != turned;
            return true;
        }
    int32_t column = schema_column(schema, name);
    if (column < 0)
        return refuse_name(schema, "sort", name, "risk, employee_id, scored_at, occurred_at", answer);
    out->sort = SORT_ATTRIBUTE;
    out->sort_column = &schema->columns[column];
    out->descends = turned;
    return true;
}

static bool read_q(const char *text, struct list_query *out, struct answer *answer)
{
    const char *flaw = *text ? id_flaw(span_of(text)) : NULL;
    if (flaw)
        answer_detail(answer, 400, "q: it %s, so it is part of no id", flaw);
    out->q = *text ? text : NULL;
    return !flaw;
}

static bool read_trend(const char *text, struct list_query *out, struct answer *answer)
{
    out->trend = !strcmp(text, "true");
    if (out->trend || !strcmp(text, "false"))
        return true;
    answer_detail(answer, 400, "trend: neither true nor false");
    return false;
}

bool list_limit_read(const char *text, uint32_t *out, struct answer *answer)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long limit = digits && digits <= 6 && !text[digits] ? strtoul(text, NULL, 10) : 0;
    if (limit < 1 || limit > LIST_LIMIT_MOST) {
        answer_detail(answer, 400, "limit: not an integer from 1 to %d", LIST_LIMIT_MOST);
        return false;
    }
    *out = (uint32_t)limit;
    return true;
}

static bool read_parameter(const struct schema *schema, const struct parameter *parameter, struct list_query *out,
                           struct answer *answer)
{
    const char *name = parameter->name, *value = parameter->value ? parameter->value : "";
    if (!strcmp(name, "where"))
        return read_where(schema, value, out, answer);
    if (!strcmp(name, "sort"))
        return read_sort(schema, value, out, answer);
    if (!strcmp(name, "q"))
        return read_q(value, out, answer);
    if (!strcmp(name, "trend"))
        return read_trend(value, out, answer);
    if (!strcmp(name, "limit"))
        return list_limit_read(value, &out->limit, answer);
    out->cursor = value;
    return true;
}

bool list_query_read(const struct schema *schema, const struct request *request, struct list_query *out,
                     struct answer *answer)
{
    static const char *const names[] = {"q", "where", "sort", "limit", "cursor", "trend", NULL};
    *out = (struct list_query){.limit = 50, .descends = true};
    if (!parameters_sound(request, names, "where", answer))
        return false;
    for (size_t p = 0; p < request->parameter_count; p++)
        if (!read_parameter(schema, &request->parameters[p], out, answer))
            return false;
    if (out->trend && out->limit > LIST_TREND_MOST) {
        answer_detail(answer, 400, "limit: at most %d with trend=true", LIST_TREND_MOST);
        return false;
    }
    return true;
}

void list_query_describe(const struct list_query *query, struct buffer *out)
{
    buffer_printf(out, "%d %s %d\n", (int)query->sort, query->sort_column ? query->sort_column->name : "",
                  query->descends);
    list_query_describe_filter(query, out);
}

void list_query_describe_filter(const struct list_query *query, struct buffer *out)
{
    buffer_printf(out, "%s\n", query->q ? query->q : "");
    for (size_t w = 0; w < query->where_count; w++) {
        const struct list_where *where = &query->where[w];
        buffer_printf(out, "%s %d %d %.*s\n", where->column ? where->column->name : "", where->missing, where->flagged,
                      (int)where->text.bytes, where->text.data ? where->text.data : "");
    }
}
