/* A JSON object into cells: `scorer score`, the producer's JSON Lines, HTTP. Any thread; allocates nothing. */
#include "events/json_row.h"

#include "events/fault.h"

/* Where faults go; those beyond capacity are dropped. */
struct faults {
    struct fault *list;
    size_t count, capacity;
};

static void fault_add(struct faults *faults, enum event_code code, int32_t index, const char *name, const char *what)
{
    if (faults->count < faults->capacity)
        (void)fault_set_field(&faults->list[faults->count++], code, index, name, "%.80s", what);
}

static bool text_names_no_number(const char *text)
{
    return strcmp(text, "NaN") == 0 || strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0;
}

static void json_row_read_number(const struct column *column, const json_t *value, bool checked, int32_t index,
                                 struct cell *cell, struct faults *faults)
{
    if (json_is_string(value) && text_names_no_number(json_string_value(value))) {
        fault_add(faults, EVENT_NOT_FINITE, index, column->name, "not a finite number");
    } else if (!json_is_number(value)) {
        fault_add(faults, EVENT_WRONG_TYPE, index, column->name, "not a number");
    } else if (!isfinite(json_number_value(value))) {
        fault_add(faults, EVENT_NOT_FINITE, index, column->name, "not a finite number");
    } else {
        double number = json_number_value(value);
        if (checked && (column->type == COLUMN_INT || column->type == COLUMN_LONG) && number != floor(number))
            fault_add(faults, EVENT_WRONG_TYPE, index, column->name, "not an integer");
        else
            *cell = cell_number(number);
    }
}

static void read_text(const struct column *column, const json_t *value, bool checked, int32_t index, struct cell *cell,
                      struct faults *faults)
{
    struct span text = {json_string_value(value), json_string_length(value)};
    if (!text.data || text.bytes > UINT32_MAX)
        fault_add(faults, EVENT_WRONG_TYPE, index, column->name, "not a text");
    else if (text.bytes > 0 || checked)
        *cell = (struct cell){.text = text.data, .text_bytes = (uint32_t)text.bytes, .code = column_code(column, text)};
}

static void json_row_refuse_unknown(const struct schema *schema, const json_t *attributes, struct faults *faults)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)attributes, key, value)
        if (schema_column(schema, span_of(key)) < 0)
            fault_add(faults, EVENT_UNKNOWN_FIELD, FAULT_NO_COLUMN, key, "the schema has no such field");
}

size_t json_row_read(const struct schema *schema, const json_t *attributes, bool checked, struct cell *cells,
                     struct fault *list, size_t capacity)
{
    struct faults faults = {.list = list, .capacity = capacity};
    size_t known = 0;
    if (!json_is_object(attributes))
        fault_add(&faults, EVENT_WRONG_TYPE, FAULT_NO_COLUMN, "attributes", "not an object");
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct column *column = &schema->columns[c];
        const json_t *value = json_object_get(attributes, column->name);
        cells[c] = cell_missing(column);
        known += value != NULL;
        if (!value || json_is_null(value))
            continue;
        if (column->kind == COLUMN_NOMINAL)
            read_text(column, value, checked, (int32_t)c, &cells[c], &faults);
        else
            json_row_read_number(column, value, checked, (int32_t)c, &cells[c], &faults);
    }
    if (checked && known < json_object_size(attributes))
        json_row_refuse_unknown(schema, attributes, &faults);
    return faults.count;
}
