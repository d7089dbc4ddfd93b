/* --scored-before and --where of `producer rescore`: see rescore_filter.h. */
#include "producer/rescore_filter.h"

#include <stdlib.h>

#include "events/validate.h"
#include "producer/moment.h"

static enum status refuse_value(const struct column *column, struct span value, const char *why, struct error *err)
{
    struct buffer known = {0};
    for (size_t v = 0; v < column->value_count; v++)
        buffer_printf(&known, "%s%.*s", v ? ", " : ": ", (int)column->values[v].bytes, column->values[v].data);
    enum status status = error_set(err, STATUS_INVALID, "--where %s=%.*s: %s%.*s", column->name,
                                   (int)(value.bytes < 60 ? value.bytes : 60), value.data, why, (int)known.bytes,
                                   known.data ? known.data : "");
    buffer_free(&known);
    return status;
}

/* "FIELD=VALUE"; without a value: those that have none. */
static enum status condition_read(const struct schema *schema, struct span text, struct rescore_filter *filter,
                                  struct error *err)
{
    struct fault fault;
    struct cell cell;
    const char *equals = memchr(text.data, '=', text.bytes);
    struct span name = {text.data, equals ? (size_t)(equals - text.data) : text.bytes};
    int32_t at = schema_column(schema, name);
    if (!equals)
        return error_set(err, STATUS_INVALID, "--where %.*s: it takes FIELD=VALUE", (int)text.bytes, text.data);
    if (at < 0)
        return error_set(err, STATUS_INVALID, "--where %.*s: the event schema has no such attribute", (int)text.bytes,
                         text.data);
    const struct column *column = &schema->columns[at];
    struct span value = {equals + 1, text.bytes - name.bytes - 1};
    if (validate_text_cell(column, value, true, &cell, &fault, at) != EVENT_OK)
        return refuse_value(column, value, "not a value of this field", err);
    if (column->kind == COLUMN_NOMINAL && cell.code < 0 && cell.code != CELL_MISSING)
        return refuse_value(column, value, "not one of its categories", err);
    filter->conditions = mem_resize(filter->conditions, filter->count + 1, sizeof *filter->conditions);
    filter->conditions[filter->count++] = (struct rescore_condition){at, cell};
    return STATUS_OK;
}

enum status rescore_filter_read(const struct options *options, const struct schema *schema,
                                struct rescore_filter *filter, struct error *err)
{
    const char *before = options_text(options, OPTION_SCORED_BEFORE), *where = options_text(options, OPTION_WHERE);
    filter->before_ms = INT64_MAX;
    if (before && !moment_parse(before, &filter->before_ms))
        return error_set(err, STATUS_INVALID, "--scored-before %s: " MOMENT_FORMS, before);
    while (where) {
        const char *end = strchrnul(where, OPTION_SEPARATOR);
        if (condition_read(schema, (struct span){where, (size_t)(end - where)}, filter, err) != STATUS_OK)
            return err->status;
        where = *end ? end + 1 : NULL;
    }
    return STATUS_OK;
}

void rescore_filter_free(struct rescore_filter *filter)
{
    free(filter->conditions);
    *filter = (struct rescore_filter){0};
}

static bool is_met(const struct rescore_condition *condition, const struct schema *schema, const struct cell *cells)
{
    const struct cell *found = &cells[condition->column], *wanted = &condition->value;
    if (found->code == CELL_MISSING || wanted->code == CELL_MISSING)
        return found->code == wanted->code;
    return schema->columns[condition->column].kind == COLUMN_NOMINAL ? found->code == wanted->code
                                                                     : found->number == wanted->number;
}

/* Whether one of the conditions on its field is met. */
static bool field_passes(const struct rescore_filter *filter, size_t first, const struct schema *schema,
                         const struct cell *cells)
{
    for (size_t c = 0; c < filter->count; c++)
        if (filter->conditions[c].column == filter->conditions[first].column &&
            is_met(&filter->conditions[c], schema, cells))
            return true;
    return false;
}

bool rescore_filter_passes(const struct rescore_filter *filter, const struct schema *schema,
                           const struct employee_state *record, int64_t written_ms)
{
    for (size_t c = 0; c < filter->count; c++)
        if (!field_passes(filter, c, schema, record->cells))
            return false;
    return !record->scored || written_ms < filter->before_ms;
}
