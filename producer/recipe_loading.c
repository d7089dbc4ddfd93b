/* What recipes are read with: see recipe_loading.h. */
#include "producer/recipe_loading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum status recipe_refuse(struct loading *loading, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(loading->err, STATUS_INVALID, "%s: %s", loading->place, text);
}

enum status recipe_refuse_unknown_keys(struct loading *loading, json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach (object, key, value) {
        const char *const *at = known;
        while (*at && strcmp(*at, key))
            at++;
        if (!*at)
            return recipe_refuse(loading, "unknown key \"%s\": see docs/GENERATOR.md", key);
    }
    return STATUS_OK;
}

enum status recipe_read_number(struct loading *loading, json_t *object, const char *key, double *out)
{
    json_t *value = json_object_get(object, key);
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return recipe_refuse(loading, "\"%s\" must be a number", key);
    *out = json_number_value(value);
    return STATUS_OK;
}

enum status recipe_read_column(struct loading *loading, json_t *name, const char *key, uint32_t *out)
{
    if (!json_is_string(name))
        return recipe_refuse(loading, "\"%s\" must name a column", key);
    struct span text = {json_string_value(name), json_string_length(name)};
    int32_t index = schema_column(loading->schema, text);
    if (index < 0)
        return recipe_refuse(loading, "\"%s\": the schema has no column \"%s\"", key, text.data);
    *out = (uint32_t)index;
    return STATUS_OK;
}

/* The schema's range, and what fits into the column's type. */
void recipe_number_limits(const struct column *column, double *low, double *high)
{
    *low = fmax(column->low, -column_most(column));
    *high = fmin(column->high, column_most(column));
}

enum status recipe_check_number(struct loading *loading, const struct column *column, double number)
{
    if (column_is_whole(column) && number != floor(number))
        return recipe_refuse(loading, "%.17g: the column takes integers", number);
    double low, high;
    recipe_number_limits(column, &low, &high);
    if (!(number >= low && number <= high))
        return recipe_refuse(loading, "%.17g is outside the column's range in the schema", number);
    return STATUS_OK;
}

enum status recipe_read_value(struct loading *loading, const struct column *column, const char *key, struct cell *out)
{
    if (column->kind == COLUMN_NOMINAL) {
        int32_t code = column_code(column, span_of(key));
        if (code < 0)
            return recipe_refuse(loading, "\"%s\" is not one of the column's categories in the schema", key);
        const struct span *text = &column->values[code];
        *out = (struct cell){.text = text->data, .text_bytes = (uint32_t)text->bytes, .code = code};
        return STATUS_OK;
    }
    char *end;
    double number = strtod(key, &end);
    if (end == key || *end || !isfinite(number))
        return recipe_refuse(loading, "\"%s\" is not a number", key);
    *out = cell_number(number);
    return recipe_check_number(loading, column, number);
}
