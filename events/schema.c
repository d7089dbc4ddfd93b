/* What is asked of a loaded schema, and its end; schema_load.c makes it. See schema.h. */
#include "events/schema_private.h"

#include <stdlib.h>

void schema_free(struct schema *schema)
{
    if (!schema)
        return;
    struct schema_parts *parts = (struct schema_parts *)schema;
    for (size_t c = 0; c < schema->column_count; c++)
        categories_fini(&parts->categories[c]);
    categories_fini(&parts->column_names);
    for (size_t v = 0; v < parts->events.count; v++)
        avro_schema_free(parts->events.items[v].schema);
    for (size_t v = 0; v < parts->predictions.count; v++)
        avro_schema_free(parts->predictions.items[v].schema);
    for (size_t v = 0; v < parts->states.count; v++)
        avro_schema_free(parts->states.items[v].schema);
    for (size_t v = 0; v < parts->alerts.count; v++)
        avro_schema_free(parts->alerts.items[v].schema);
    arena_free(&parts->arena);
    free(parts);
}

bool schema_has_changed(const struct schema *schema)
{
    return schema_parts(schema)->has_changed;
}

int32_t schema_column(const struct schema *schema, struct span name)
{
    int32_t column = categories_find(&schema_parts(schema)->column_names, name);
    return column >= 0 ? column : -1;
}

bool schema_ignores(const struct schema *schema, struct span name)
{
    if (span_equal(name, span_of(schema->target_name)))
        return true;
    for (size_t i = 0; i < schema->ignored_count; i++)
        if (span_equal(name, span_of(schema->ignored[i])))
            return true;
    return false;
}
