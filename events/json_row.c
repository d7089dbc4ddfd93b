/* A JSON object into cells: see json_row.h. The score loops' hot path for JSON events; HTTP, `scorer score` and the
 * producer too. Any thread; allocates nothing. */
#include "events/json_row.h"

#include <stdarg.h>

#include "events/fault.h"
#include "events/schema_private.h"

void json_fault_add(struct json_faults *faults, enum event_code code, int32_t column, struct span name,
                    const char *format, ...)
{
    if (faults->count == faults->capacity)
        return;
    va_list args;
    va_start(args, format);
    fault_set_named(&faults->list[faults->count++], code, column, name, format, args);
    va_end(args);
}

static bool text_names_no_number(struct span text)
{
    return span_equal(text, SPAN_LITERAL("NaN")) || span_equal(text, SPAN_LITERAL("Infinity")) ||
           span_equal(text, SPAN_LITERAL("-Infinity"));
}

static void refuse_number(const struct column *column, int32_t index, const struct json_value *value,
                          struct json_faults *faults)
{
    bool not_finite =
        value->kind == JSON_KIND_NOT_FINITE || (value->kind == JSON_KIND_TEXT && text_names_no_number(value->text));
    json_fault_add(faults, not_finite ? EVENT_NOT_FINITE : EVENT_WRONG_TYPE, index, span_of(column->name),
                   not_finite ? "not a finite number" : "not a number");
}

static inline bool is_whole(const struct json_value *value)
{
    return value->whole || value->number == floor(value->number);
}

static inline void read_number(const struct column *column, int32_t index, const struct json_value *value, bool checked,
                               struct cell *cell, struct json_faults *faults)
{
    if (value->kind != JSON_KIND_NUMBER)
        refuse_number(column, index, value, faults);
    else if (checked && column_is_whole(column) && !is_whole(value))
        json_fault_add(faults, EVENT_WRONG_TYPE, index, span_of(column->name), "not an integer");
    else
        *cell = (struct cell){.number = value->number};
}

static inline void read_nominal(const struct schema *schema, int32_t index, const struct json_value *value,
                                bool checked, struct cell *cell, struct json_faults *faults)
{
    const struct column *column = &schema->columns[index];
    const struct span text = value->text;
    if (value->kind != JSON_KIND_TEXT || text.bytes > UINT32_MAX)
        json_fault_add(faults, EVENT_WRONG_TYPE, index, span_of(column->name), "not a text");
    else if (text.bytes > 0 || checked)
        *cell = (struct cell){.text = text.data,
                              .text_bytes = (uint32_t)text.bytes,
                              .code = categories_find(&schema_parts(schema)->categories[index], text)};
}

void json_cell_read(struct json_reader *reader, const struct schema *schema, int32_t column,
                    const struct json_value *value, bool checked, struct cell *cell, struct json_faults *faults)
{
    if (value->kind == JSON_KIND_NULL || value->kind == JSON_KIND_NONE)
        return;
    if (schema->columns[column].kind == COLUMN_NOMINAL)
        read_nominal(schema, column, value, checked, cell, faults);
    else
        read_number(&schema->columns[column], column, value, checked, cell, faults);
    json_skip_rest(reader, value);
}

void json_row_clear(const struct schema *schema, struct cell *cells)
{
    memcpy(cells, schema_parts(schema)->missing, schema->column_count * sizeof *cells);
}

/* A value as most are: a short number, or a text of ASCII without escapes. False: another, and nothing is taken. */
static inline bool take_cell(struct json_reader *reader, const struct schema *schema, int32_t column, struct cell *cell)
{
    const struct categories *categories = &schema_parts(schema)->categories[column];
    const bool nominal = categories->slots;
    struct span text;
    if (reader->flaw != JSON_FLAW_NONE)
        return false;
    const uint8_t *behind = nominal ? json_scan_text(reader->at, reader->end, &text)
                                    : json_scan_digits(reader->at, reader->end, &cell->number);
    if (!behind || (nominal && text.bytes - 1 >= UINT32_MAX))
        return false;
    reader->at = behind;
    if (nominal)
        *cell = (struct cell){.text = text.data, .text_bytes = (uint32_t)text.bytes};
    cell->code = nominal ? categories_find_within(categories, text, (const char *)reader->end) : 0;
    return true;
}

/* A value that is not. */
static __attribute__((noinline)) void read_odd_value(struct json_reader *reader, const struct schema *schema,
                                                     int32_t column, struct span name, bool checked, struct cell *cells,
                                                     struct json_faults *faults)
{
    struct json_value value;
    if (!json_read_value(reader, &value))
        return;
    if (column >= 0) {
        json_cell_read(reader, schema, column, &value, checked, &cells[column], faults);
        return;
    }
    if (checked)
        json_fault_add(faults, EVENT_UNKNOWN_FIELD, FAULT_NO_COLUMN, name, "the schema has no such field");
    json_skip_rest(reader, &value);
}

/* The next member's column, −1 for a name that is none. Publishers mostly keep the schema's order. False: no more. */
static inline bool next_column(struct json_reader *reader, const struct schema *schema, bool *first, int32_t *column,
                               struct span *name)
{
    int32_t expected = *column + 1;
    if ((size_t)expected < schema->column_count &&
        json_take_name(reader, first, schema_parts(schema)->quoted_names[expected])) {
        *column = expected;
        return true;
    }
    if (!json_next_name(reader, first, name))
        return false;
    *column = schema_column(schema, *name);
    return true;
}

static void read_members(struct json_reader *reader, const struct schema *schema, bool checked, struct cell *cells,
                         uint64_t *seen, struct json_faults *faults)
{
    uint64_t object = json_object_begin(reader);
    struct span name;
    int32_t column = -1;
    for (bool first = true; next_column(reader, schema, &first, &column, &name);) {
        if (column >= 0 ? column_bits_set(seen, (size_t)column) : !json_name_is_new(reader, object, name))
            json_refuse(reader, JSON_FLAW_DUPLICATE);
        if (column < 0 || !take_cell(reader, schema, column, &cells[column]))
            read_odd_value(reader, schema, column, name, checked, cells, faults);
    }
}

void json_row_read_named(struct json_reader *reader, const struct schema *schema, bool checked, struct cell *cells,
                         uint64_t *named, struct json_faults *faults)
{
    struct json_value value;
    json_row_clear(schema, cells);
    column_bits_clear(schema, named);
    if (!json_read_value(reader, &value))
        return;
    if (value.kind == JSON_KIND_OBJECT) {
        read_members(reader, schema, checked, cells, named, faults);
        return;
    }
    json_fault_add(faults, EVENT_WRONG_TYPE, FAULT_NO_COLUMN, SPAN_LITERAL("attributes"), "not an object");
    json_skip_rest(reader, &value);
}

void json_row_read(struct json_reader *reader, const struct schema *schema, bool checked, struct cell *cells,
                   struct json_faults *faults)
{
    uint64_t named[SCHEMA_COLUMNS_MAX / 64];
    json_row_read_named(reader, schema, checked, cells, named, faults);
}

enum event_code json_refuse_flaw(const struct json_reader *reader, struct json_faults *faults)
{
    size_t line, column;
    struct fault fault;
    char place[64];
    json_reader_place(reader, &line, &column);
    int skipped = line > 1 ? snprintf(place, sizeof place, "line %zu, ", line) : 0;
    snprintf(place + skipped, sizeof place - (size_t)skipped, "column %zu", column);
    (void)fault_set(&fault, reader->flaw == JSON_FLAW_DEPTH ? EVENT_LIMIT : EVENT_MALFORMED, FAULT_NO_COLUMN, "%s (%s)",
                    json_flaw_text(reader->flaw), place);
    faults->count = faults->capacity > 0;
    if (faults->count)
        faults->list[0] = fault;
    return fault.code;
}

size_t json_row_read_text(struct json_reader *reader, struct span text, const struct schema *schema, bool checked,
                          struct cell *cells, struct fault *list, size_t capacity)
{
    struct json_faults faults = {.list = list, .capacity = capacity};
    json_reader_start(reader, text);
    json_row_read(reader, schema, checked, cells, &faults);
    if (json_reader_end(reader) != JSON_FLAW_NONE)
        (void)json_refuse_flaw(reader, &faults);
    return faults.count;
}
