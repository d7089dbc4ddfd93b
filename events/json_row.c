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

/* A value as most are: a short number, or a text of ASCII without escapes. NULL: another. */
static inline const uint8_t *scan_cell(const struct schema *schema, int32_t column, const uint8_t *at,
                                       const uint8_t *end, struct cell *cell)
{
    const struct categories *categories = &schema_parts(schema)->categories[column];
    struct span text;
    if (!categories->slots) {
        at = json_scan_digits(at, end, &cell->number);
        cell->code = at ? 0 : cell->code;
        return at;
    }
    at = json_scan_text(at, end, &text);
    if (!at || text.bytes - 1 >= UINT32_MAX)
        return NULL;
    bool has_room = (const char *)end - text.data >= 8;
    *cell = (struct cell){.text = text.data,
                          .text_bytes = (uint32_t)text.bytes,
                          .code = has_room ? categories_find_words(categories, text_words_of(text), text)
                                           : categories_find(categories, text)};
    return at;
}

/* A value that is not. False: a flaw. */
static __attribute__((noinline)) bool read_odd_value(struct json_reader *reader, const struct schema *schema,
                                                     int32_t column, struct span name, bool checked, struct cell *cells,
                                                     struct json_faults *faults)
{
    struct json_value value;
    if (!json_read_value(reader, &value))
        return false;
    if (column >= 0) {
        json_cell_read(reader, schema, column, &value, checked, &cells[column], faults);
        return reader->flaw == JSON_FLAW_NONE;
    }
    if (checked)
        json_fault_add(faults, EVENT_UNKNOWN_FIELD, FAULT_NO_COLUMN, name, "the schema has no such field");
    json_skip_rest(reader, &value);
    return reader->flaw == JSON_FLAW_NONE;
}

/* A member's column, −1 for a name that is none, and the position behind its colon. Publishers mostly keep the schema's
 * order: `expected` comes next. NULL: no more. */
static inline const uint8_t *next_column(struct json_reader *reader, const struct schema *schema, const uint8_t *at,
                                         bool *first, int32_t expected, int32_t *column, struct span *name)
{
    const struct span *names = schema_parts(schema)->quoted_names;
    const uint8_t *behind =
        (size_t)expected < schema->column_count ? json_scan_name(at, reader->end, *first, names[expected]) : NULL;
    if (behind) {
        *first = false;
        *column = expected;
        return behind;
    }
    reader->at = at;
    if (!json_next_name(reader, first, name))
        return NULL;
    *column = schema_column(schema, *name);
    return reader->at;
}

/* The position is the reader's only where something else than the usual stands there. */
static void read_members(struct json_reader *reader, const struct schema *schema, bool checked, struct cell *cells,
                         uint64_t *seen, struct json_faults *faults)
{
    const uint64_t object = json_object_begin(reader);
    const uint8_t *at = reader->at, *behind;
    struct span name;
    int32_t column = -1;
    for (bool first = true; (at = next_column(reader, schema, at, &first, column + 1, &column, &name));) {
        if (column >= 0 ? column_bits_set(seen, (size_t)column) : !json_name_is_new(reader, object, name)) {
            reader->at = at;
            json_refuse(reader, JSON_FLAW_DUPLICATE);
            return;
        }
        behind = column >= 0 ? scan_cell(schema, column, at, reader->end, &cells[column]) : NULL;
        if (behind) {
            at = behind;
            continue;
        }
        reader->at = at;
        if (!read_odd_value(reader, schema, column, name, checked, cells, faults))
            return;
        at = reader->at;
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
