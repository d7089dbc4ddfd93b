/* Columns of tables by their names: see input_columns.h. Called by the readers of CSV and queries, on one thread.
 * Must never drop a column silently: what the schema does not know, or the table does not have, is logged once. */
#include "producer/input_columns.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_reader.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "events/validate.h"
#include "producer/avro_row.h"
#include "producer/table_writer.h"

enum { SHOWN = 20, NUMBER_BYTES_MAX = 64 };

static const char where[] = "backfill";

void input_columns_init(struct input_columns *columns, const struct input_source *source)
{
    columns->source = source;
    columns->schema = source->settings->schema;
    columns->positions = mem_zeroed(columns->schema->column_count + 1, sizeof *columns->positions);
    columns->listed = mem_zeroed(columns->schema->column_count + 1, sizeof *columns->listed);
}

void input_columns_free(struct input_columns *columns)
{
    free(columns->positions);
    free(columns->listed);
    free(columns->targets);
    buffer_free(&columns->header);
}

static const struct map_node *node_of(const struct input_columns *columns, struct span name)
{
    const struct input_map *map = columns->source->settings->map;
    return map ? map_node_find(input_map_root(map), name) : NULL;
}

static int32_t *mapped_position(struct input_columns *columns, const struct map_node *node)
{
    if (!node->target)
        return NULL;
    if (node->target->column >= 0)
        return &columns->positions[node->target->column];
    enum envelope_field field = ENVELOPE_EMPLOYEE_ID;
    while (envelope_fault_column(field) != node->target->column)
        field++;
    return &columns->envelope_positions[field];
}

static bool is_list_name(const struct input_columns *columns, struct span name)
{
    return schema_has_changed(columns->schema) && span_equal(name, SPAN_LITERAL("changed")) &&
           schema_column(columns->schema, name) < 0;
}

/* The slot that a header name fills, or NULL. */
static int32_t *position_of(struct input_columns *columns, struct span name)
{
    const struct schema *schema = columns->schema;
    const struct map_node *node = node_of(columns, name);
    if (node)
        return mapped_position(columns, node);
    if (is_list_name(columns, name))
        return &columns->changed_position;
    if (columns->source->settings->map)
        return NULL;
    int32_t column = schema_column(schema, name);
    if (column >= 0)
        return &columns->positions[column];
    if (schema->id_name && span_equal(name, span_of(schema->id_name)))
        return &columns->id_position;
    for (size_t f = 0; f < ENVELOPE_FIELD_COUNT; f++)
        if (span_equal(name, span_of(envelope_name(f))))
            return &columns->envelope_positions[f];
    return NULL;
}

static void forget_positions(struct input_columns *columns)
{
    for (size_t c = 0; c < columns->schema->column_count; c++)
        columns->positions[c] = POSITION_NONE;
    for (size_t f = 0; f < ENVELOPE_FIELD_COUNT; f++)
        columns->envelope_positions[f] = POSITION_NONE;
    columns->id_position = columns->changed_position = POSITION_NONE;
}

enum status input_columns_place(struct input_columns *columns, const struct csv_record *header, size_t *known,
                                struct error *err)
{
    *known = 0;
    columns->field_count = header->field_count;
    forget_positions(columns);
    for (size_t i = 0; i < header->field_count; i++) {
        struct span name = header->fields[i];
        int32_t *position = position_of(columns, name);
        if (!position)
            continue;
        if (*position != POSITION_NONE)
            return error_set(err, STATUS_INVALID, "%s:%zu: duplicate column %.*s in the header (%d and %zu)",
                             columns->source->name, header->line, (int)name.bytes, name.data, *position + 1, i + 1);
        *position = (int32_t)i;
        *known += position >= columns->positions && position < columns->positions + columns->schema->column_count;
    }
    return STATUS_OK;
}

size_t input_columns_count_names(struct input_columns *columns, const struct csv_record *record)
{
    size_t names = 0;
    for (size_t i = 0; i < record->field_count; i++)
        names += position_of(columns, record->fields[i]) != NULL;
    return names;
}

bool input_columns_are_placed(struct input_columns *columns, const struct csv_record *record)
{
    bool placed = record->field_count == columns->field_count;
    for (size_t i = 0; i < record->field_count && placed; i++) {
        const int32_t *position = position_of(columns, record->fields[i]);
        placed = !position || *position == (int32_t)i;
    }
    return placed;
}

static bool names_are_alike(struct span name, const char *known)
{
    size_t at = 0;
    for (const char *next = known; *next; next++) {
        while (at < name.bytes && strchr(" _-", name.data[at]))
            at++;
        if (at == name.bytes || tolower((unsigned char)name.data[at]) != tolower((unsigned char)*next))
            return false;
        at++;
    }
    return at == name.bytes;
}

const char *input_columns_like(const struct input_columns *columns, struct span name)
{
    const struct schema *schema = columns->schema;
    if (schema->id_name && names_are_alike(name, schema->id_name))
        return schema->id_name;
    for (size_t c = 0; c < schema->column_count; c++)
        if (names_are_alike(name, schema->columns[c].name))
            return schema->columns[c].name;
    return NULL;
}

static void report_unknown(struct input_columns *columns, const struct csv_record *header)
{
    for (size_t i = 0; i < header->field_count; i++) {
        struct span name = header->fields[i];
        const struct map_node *node = node_of(columns, name);
        const char *like = input_columns_like(columns, name);
        if (!position_of(columns, name) && !(node ? node->ignored : schema_ignores(columns->schema, name)))
            log_warn(where,
                     "%s:%zu: column %.*s (%zu): unknown_field: the schema has no such column%s%s; it is not sent",
                     columns->source->name, header->line, (int)(name.bytes < 80 ? name.bytes : 80), name.data, i + 1,
                     like ? ", but " : "", like ? like : "");
    }
}

static void report_list(const struct input_columns *columns)
{
    if (columns->changed_position != POSITION_NONE)
        log_info(where,
                 "%s: column changed (%d): a row where it lists names (as JSON: [\"…\"]) is a partial event; anything "
                 "else there is not read",
                 columns->source->name, columns->changed_position + 1);
}

/* One line for all columns that are not there. */
static void report_missing(const struct input_columns *columns)
{
    const struct schema *schema = columns->schema;
    bool map = columns->source->settings->map;
    struct buffer names = {0};
    for (size_t c = 0; c < schema->column_count; c++)
        if (columns->positions[c] == POSITION_NONE)
            buffer_printf(&names, "%s%s%s", names.bytes ? ", " : "", schema->columns[c].name,
                          schema->columns[c].required ? " (required)" : "");
    if (names.bytes)
        log_warn(where, "%s: columns that are not there, their values are %s: %.*s", columns->source->name,
                 columns->source->settings->partial ? "left as they are" : "missing", (int)names.bytes, names.data);
    buffer_free(&names);
    if (columns->id_position == POSITION_NONE && columns->envelope_positions[ENVELOPE_EMPLOYEE_ID] == POSITION_NONE)
        log_warn(where, "%s: no column %s: %s", columns->source->name,
                 schema->id_name && !map ? schema->id_name : envelope_name(ENVELOPE_EMPLOYEE_ID),
                 map ? "the mapping reads it from one that is not there, so that every row is refused"
                 : columns->source->settings->ids_needed ? "every row is refused"
                                                         : "employees are called row-<line>");
}

static void find_targets(struct input_columns *columns, const struct csv_record *header)
{
    columns->targets = mem_resize(columns->targets, header->field_count + 1, sizeof(const struct map_target *));
    for (size_t i = 0; i < header->field_count; i++) {
        const struct map_node *node = node_of(columns, header->fields[i]);
        columns->targets[i] = node ? node->target : NULL;
    }
}

void input_columns_begin(struct input_columns *columns, const struct csv_record *header)
{
    find_targets(columns, header);
    report_unknown(columns, header);
    report_list(columns);
    report_missing(columns);
}

static bool is_number_with_comma(struct span text)
{
    size_t commas = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        commas += text.data[i] == ',';
        if (!strchr("+-.,0123456789", text.data[i]))
            return false;
    }
    return commas > 0;
}

static void refuse_cell(struct input_row *row, const struct fault *fault, struct span text)
{
    if (fault->code == EVENT_WRONG_TYPE && !row->settings->decimal_comma && is_number_with_comma(text))
        input_row_refuse(row, EVENT_WRONG_TYPE, fault->column,
                         "a number with a comma: thousands are never guessed; a decimal comma needs --decimal-comma");
    else if (row->fault_count < INPUT_FAULTS_MAX)
        row->faults[row->fault_count++] = *fault;
}

/* Where the comma is the decimal one, a point can only be one of thousands, which are never guessed. */
static bool passes_decimal_comma(struct input_row *row, int32_t c, struct span *text, char copy[NUMBER_BYTES_MAX])
{
    if (text->bytes > NUMBER_BYTES_MAX)
        return true;
    if (memchr(text->data, '.', text->bytes)) {
        input_row_refuse(row, EVENT_WRONG_TYPE, c,
                         "a number with a point, which --decimal-comma does not take: thousands are never guessed");
        return false;
    }
    memcpy(copy, text->data, text->bytes);
    char *comma = memchr(copy, ',', text->bytes);
    if (comma)
        *comma = '.';
    text->data = copy;
    return true;
}

/* A field's text, or what the mapping makes of it. */
static struct span field_text(const struct input_columns *columns, const struct csv_record *record, int32_t position)
{
    struct json_value value = {.kind = JSON_KIND_TEXT, .text = record->fields[position]};
    if (null_values_have(&columns->source->settings->null_values, value.text))
        return SPAN_LITERAL("");
    if (columns->targets[position])
        map_target_translate(columns->targets[position], &value);
    return value.kind == JSON_KIND_NULL ? SPAN_LITERAL("") : value.text;
}

static void read_cell(const struct input_columns *columns, int32_t c, struct span text, struct input_row *row)
{
    const struct column *column = &columns->schema->columns[c];
    char copy[NUMBER_BYTES_MAX];
    struct fault fault;
    struct cell cell;
    if (!text.bytes)
        return;
    bool comma = columns->decimal_comma && column->kind != COLUMN_NOMINAL;
    if (comma && !passes_decimal_comma(row, c, &text, copy))
        return;
    if (validate_text_cell(column, text, row->settings->validate, &cell, &fault, c) == EVENT_OK)
        row->event.cells[c] = cell;
    else
        refuse_cell(row, &fault, text);
}

/* What spreadsheet users write to keep an id's zeros, ="0000123" and '0000123, is the id inside. */
static struct span id_inside(struct span text)
{
    size_t digits = 1;
    if (text.bytes > 2 && memcmp(text.data, "=\"", 2) == 0 && text.data[text.bytes - 1] == '"')
        return (struct span){text.data + 2, text.bytes - 3};
    while (digits < text.bytes && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    return text.bytes > 1 && text.data[0] == '\'' && digits == text.bytes ? (struct span){text.data + 1, text.bytes - 1}
                                                                          : text;
}

static void warn_of_fixed_id(struct input_columns *columns, const struct input_row *row)
{
    if (columns->ids_fixed++ < SHOWN)
        log_warn(where, "%s:%zu: the id is written as a spreadsheet's text (=\"…\" or '…): the id inside is taken%s",
                 columns->source->name, row->line,
                 columns->ids_fixed == SHOWN ? "; further lines of this kind are not named" : "");
}

static void read_id(struct input_columns *columns, struct span text, struct input_row *row)
{
    struct span id = id_inside(text);
    if (id.bytes != text.bytes)
        warn_of_fixed_id(columns, row);
    if (null_values_have(&row->settings->null_values, id))
        id.bytes = 0;
    input_row_set_envelope(row, ENVELOPE_EMPLOYEE_ID, id);
}

static void read_envelope(struct input_columns *columns, const struct csv_record *record, struct input_row *row)
{
    int32_t id = columns->envelope_positions[ENVELOPE_EMPLOYEE_ID];
    if (id == POSITION_NONE)
        id = columns->id_position;
    if (id != POSITION_NONE)
        read_id(columns, field_text(columns, record, id), row);
    for (enum envelope_field f = ENVELOPE_EMPLOYEE_ID + 1; f < ENVELOPE_FIELD_COUNT; f++) {
        int32_t position = columns->envelope_positions[f];
        if (position == POSITION_NONE)
            continue;
        const struct map_target *target = columns->targets[position];
        const struct span text = field_text(columns, record, position);
        if (f == ENVELOPE_OCCURRED_AT && target && target->unit && text.bytes)
            input_row_set_time(row, text, target->unit);
        else
            input_row_set_envelope(row, f, text);
    }
}

/* A refused row that is no UTF-8 is most often one of another encoding: said once a file. */
static void hint_at_encoding(struct input_columns *columns, const struct csv_record *record)
{
    if (columns->encoding_hints || columns->source->recoded || utf8_is_valid(record->raw))
        return;
    columns->encoding_hints++;
    log_warn(where,
             "%s:%zu: the row is not UTF-8: if the file is in Windows-1252, as spreadsheet programs write it, "
             "give --encoding windows-1252",
             columns->source->name, record->line);
}

/* --- partial events --- */

static bool is_listed(const struct event *event, int32_t column)
{
    return event->cells[column].code != CELL_UNLISTED;
}

/* Marks what is not listed; what could not be read of it is of no account. */
static void keep_listed(const struct input_columns *columns, struct input_row *row)
{
    size_t kept = 0;
    row->event.partial = true;
    for (size_t c = 0; c < columns->schema->column_count; c++)
        if (!columns->listed[c])
            row->event.cells[c] = (struct cell){.code = CELL_UNLISTED};
    for (size_t f = 0; f < row->fault_count; f++)
        if (row->faults[f].column < 0 || is_listed(&row->event, row->faults[f].column))
            row->faults[kept++] = row->faults[f];
    row->fault_count = kept;
}

static void list_name(struct input_columns *columns, const struct json_value *name, struct input_row *row)
{
    int32_t column = name->kind == JSON_KIND_TEXT ? schema_column(columns->schema, name->text) : -1;
    if (column < 0)
        input_row_refuse(row, EVENT_UNKNOWN_FIELD, FAULT_CHANGED, "names no attribute of the schema");
    else if (columns->listed[column])
        input_row_refuse(row, EVENT_UNKNOWN_FIELD, column, "a duplicate in changed");
    else
        columns->listed[column] = true;
}

/* A list of names: of an Avro event, or of a reject that was one. */
static void read_list(struct input_columns *columns, struct span text, struct input_row *row)
{
    struct json_reader reader = {0};
    struct json_value value = {0};
    memset(columns->listed, 0, columns->schema->column_count * sizeof *columns->listed);
    json_reader_start(&reader, text);
    (void)json_read_value(&reader, &value);
    for (bool first = true; value.kind == JSON_KIND_ARRAY && json_next_item(&reader, &first);) {
        struct json_value name;
        if (json_read_value(&reader, &name))
            list_name(columns, &name, row);
        json_skip_rest(&reader, &name);
    }
    if (json_reader_end(&reader) == JSON_FLAW_NONE)
        keep_listed(columns, row);
    else
        input_row_refuse(row, EVENT_WRONG_TYPE, FAULT_CHANGED, "not a list of attributes' names in JSON");
    json_reader_free(&reader);
}

/* A column of that name may be somebody's own. */
static void read_changed(struct input_columns *columns, const struct csv_record *record, struct input_row *row)
{
    const struct span text = record->fields[columns->changed_position];
    if (text.bytes && text.data[0] == '[')
        read_list(columns, text, row);
    else if (avro_row_is_complex(text))
        input_row_refuse(row, EVENT_WRONG_TYPE, FAULT_CHANGED, "not a list of attributes' names");
}

/* What the table has no column for has not changed. */
static void leave_others(const struct input_columns *columns, struct event *event)
{
    event->partial = true;
    for (size_t c = 0; c < columns->schema->column_count; c++)
        if (columns->positions[c] == POSITION_NONE)
            event->cells[c] = (struct cell){.code = CELL_UNLISTED};
}

void input_columns_read(struct input_columns *columns, const struct csv_record *record, struct input_row *row)
{
    for (size_t c = 0; c < columns->schema->column_count; c++)
        if (columns->positions[c] != POSITION_NONE)
            read_cell(columns, (int32_t)c, field_text(columns, record, columns->positions[c]), row);
    read_envelope(columns, record, row);
    if (row->settings->partial && row->event.type != EVENT_TYPE_TERMINATED)
        leave_others(columns, &row->event);
    if (columns->changed_position != POSITION_NONE)
        read_changed(columns, record, row);
    if (row->fault_count)
        hint_at_encoding(columns, record);
}

void input_columns_write_line(const struct csv_record *record, struct buffer *out)
{
    for (size_t f = 0; f < record->field_count; f++) {
        if (f)
            buffer_add_u8(out, ',');
        table_add_field(out, record->fields[f]);
    }
}

void input_columns_begin_written(struct input_columns *columns, const struct csv_record *header)
{
    input_columns_begin(columns, header);
    input_columns_write_line(header, &columns->header);
}

int32_t input_columns_first_unreached(const struct input_columns *columns, size_t field_count)
{
    int32_t first = FAULT_NO_COLUMN;
    for (size_t c = 0; c < columns->schema->column_count; c++) {
        int32_t at = columns->positions[c];
        if (at != POSITION_NONE && (size_t)at >= field_count &&
            (first == FAULT_NO_COLUMN || at < columns->positions[first]))
            first = (int32_t)c;
    }
    return first;
}

const char *input_columns_field_name(const void *reader, int32_t column)
{
    const struct input_columns *columns = reader;
    bool by_id = column == FAULT_EMPLOYEE_ID && columns->id_position != POSITION_NONE &&
                 columns->envelope_positions[ENVELOPE_EMPLOYEE_ID] == POSITION_NONE;
    return by_id ? columns->schema->id_name : input_field_name(columns->schema, column);
}

/* Where the file has the field, or POSITION_NONE. */
static int32_t field_position(const struct input_columns *columns, int32_t column)
{
    if (column >= 0)
        return columns->positions[column];
    if (column == FAULT_CHANGED)
        return columns->changed_position;
    enum envelope_field field = ENVELOPE_EMPLOYEE_ID;
    while (envelope_fault_column(field) != column)
        field++;
    int32_t position = columns->envelope_positions[field];
    return position == POSITION_NONE && field == ENVELOPE_EMPLOYEE_ID ? columns->id_position : position;
}

void input_columns_field_write(const void *reader, int32_t column, const char *name, struct buffer *out)
{
    int32_t position = field_position(reader, column);
    if (position == POSITION_NONE)
        buffer_printf(out, "column %s (not there)", name);
    else
        buffer_printf(out, "column %s (%d)", name, position + 1);
}

struct span input_columns_header(const void *reader)
{
    return buffer_span(&((const struct input_columns *)reader)->header);
}

void input_columns_read_written(struct input_columns *columns, struct csv_record record, struct buffer *line,
                                struct input_row *row)
{
    buffer_clear(line);
    input_columns_write_line(&record, line);
    record.raw = row->raw = buffer_span(line);
    row->line = record.line;
    input_columns_read(columns, &record, row);
}
