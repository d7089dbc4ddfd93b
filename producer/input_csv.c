/* Rows of a CSV: columns are found by the header's names. Called by input.c through the table of forms, on one thread.
 * Must never drop a column silently: what the schema does not know, or the file does not have, is logged once. */
#include <stdlib.h>

#include "base/csv.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/validate.h"
#include "producer/input_form.h"

enum { POSITION_NONE = -1, NUMBER_TEXT_BYTES = 32 };

static const char where[] = "backfill";

struct csv_reader {
    const struct input_source *source;
    const struct schema *schema;
    struct csv *csv;
    struct buffer header;
    size_t header_fields;
    int32_t *positions; /* field of each column of the schema, or POSITION_NONE */
    int32_t id_position;
    int32_t envelope_positions[ENVELOPE_FIELD_COUNT];
    const struct map_target **targets; /* of each field, where a mapping has one for it */
};

static const struct map_node *node_of(const struct csv_reader *reader, struct span name)
{
    const struct input_map *map = reader->source->settings->map;
    return map ? map_node_find(input_map_root(map), name) : NULL;
}

static int32_t *mapped_position(struct csv_reader *reader, const struct map_node *node)
{
    if (!node || !node->target)
        return NULL;
    if (node->target->column >= 0)
        return &reader->positions[node->target->column];
    enum envelope_field field = ENVELOPE_EMPLOYEE_ID;
    while (envelope_fault_column(field) != node->target->column)
        field++;
    return &reader->envelope_positions[field];
}

/* The slot that a header name fills, or NULL. */
static int32_t *position_of(struct csv_reader *reader, struct span name)
{
    const struct schema *schema = reader->schema;
    if (reader->source->settings->map)
        return mapped_position(reader, node_of(reader, name));
    int32_t column = schema_column(schema, name);
    if (column >= 0)
        return &reader->positions[column];
    if (schema->id_name && span_equal(name, span_of(schema->id_name)))
        return &reader->id_position;
    for (size_t f = 0; f < ENVELOPE_FIELD_COUNT; f++)
        if (span_equal(name, span_of(envelope_name(f))))
            return &reader->envelope_positions[f];
    return NULL;
}

static enum status place_columns(struct csv_reader *reader, const struct csv_record *header, struct error *err)
{
    const struct schema *schema = reader->schema;
    size_t known = 0;
    for (size_t i = 0; i < header->field_count; i++) {
        struct span name = header->fields[i];
        int32_t *position = position_of(reader, name);
        if (position && *position != POSITION_NONE)
            return error_set(err, STATUS_INVALID, "%s:%zu: duplicate column %.*s in the header (%d and %zu)",
                             reader->source->name, header->line, (int)name.bytes, name.data, *position + 1, i + 1);
        if (position)
            *position = (int32_t)i;
        known += position && position >= reader->positions && position < reader->positions + schema->column_count;
    }
    if (!known)
        return error_set(err, STATUS_INVALID,
                         "%s:%zu: none of the columns is known to the schema: the first line must name the columns",
                         reader->source->name, header->line);
    return STATUS_OK;
}

static void csv_report_unknown(struct csv_reader *reader, const struct csv_record *header)
{
    for (size_t i = 0; i < header->field_count; i++) {
        struct span name = header->fields[i];
        const struct map_node *node = node_of(reader, name);
        if (!position_of(reader, name) && !(node ? node->ignored : input_name_ignored(reader->schema, name)))
            log_warn(where, "%s:%zu: column %.*s (%zu): unknown_field: the schema has no such column; it is not sent",
                     reader->source->name, header->line, (int)(name.bytes < 80 ? name.bytes : 80), name.data, i + 1);
    }
}

/* One line for all columns that are not there. */
static void report_missing(const struct csv_reader *reader)
{
    const struct schema *schema = reader->schema;
    struct buffer names = {0};
    for (size_t c = 0; c < schema->column_count; c++)
        if (reader->positions[c] == POSITION_NONE)
            buffer_printf(&names, "%s%s%s", names.bytes ? ", " : "", schema->columns[c].name,
                          schema->columns[c].required ? " (required)" : "");
    if (names.bytes)
        log_warn(where, "%s: columns that are not in the file, their values are missing: %.*s", reader->source->name,
                 (int)names.bytes, names.data);
    buffer_free(&names);
    if (reader->id_position == POSITION_NONE && reader->envelope_positions[ENVELOPE_EMPLOYEE_ID] == POSITION_NONE)
        log_warn(where, "%s: no column %s: employees are called row-<line>", reader->source->name,
                 schema->id_name ? schema->id_name : envelope_name(ENVELOPE_EMPLOYEE_ID));
}

/* A table whose lines end in CR alone is one line to the reader, and would end as a header without rows. */
static enum status check_line_ends(const struct csv_reader *reader, const struct csv_record *header, struct error *err)
{
    const char *cr = memchr(header->raw.data, '\r', header->raw.bytes), *end = header->raw.data + header->raw.bytes;
    while (cr && cr + 1 < end && cr[1] == '\n')
        cr = memchr(cr + 1, '\r', (size_t)(end - cr - 1));
    if (!cr)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "%s:%zu: a carriage return inside the header: lines must end in LF or CRLF; where CR alone ends "
                     "them, convert the file with tr '\\r' '\\n'",
                     reader->source->name, header->line);
}

static enum status csv_read_header(struct csv_reader *reader, struct error *err)
{
    struct csv_record header;
    bool more = false;
    if (csv_next(reader->csv, &header, &more, err) != STATUS_OK)
        return err->status;
    if (!more)
        return error_set(err, STATUS_INVALID, "%s: the file is empty: the first line must name the columns",
                         reader->source->name);
    buffer_add(&reader->header, header.raw.data, header.raw.bytes);
    reader->header_fields = header.field_count;
    if (check_line_ends(reader, &header, err) != STATUS_OK || place_columns(reader, &header, err) != STATUS_OK)
        return err->status;
    reader->targets = mem_zeroed(header.field_count + 1, sizeof(const struct map_target *));
    for (size_t i = 0; i < header.field_count; i++) {
        const struct map_node *node = node_of(reader, header.fields[i]);
        reader->targets[i] = node ? node->target : NULL;
    }
    csv_report_unknown(reader, &header);
    report_missing(reader);
    return STATUS_OK;
}

static void csv_reader_close(void *opaque)
{
    struct csv_reader *reader = opaque;
    csv_free(reader->csv);
    buffer_free(&reader->header);
    free(reader->positions);
    free(reader->targets);
    free(reader);
}

static enum status csv_reader_open(const struct input_source *source, void **out, struct error *err)
{
    struct csv_reader *reader = mem_zeroed(1, sizeof *reader);
    reader->source = source;
    reader->schema = source->settings->schema;
    reader->csv = csv_new(source->file, source->name);
    reader->positions = mem_zeroed(reader->schema->column_count + 1, sizeof *reader->positions);
    for (size_t c = 0; c < reader->schema->column_count; c++)
        reader->positions[c] = POSITION_NONE;
    for (size_t f = 0; f < ENVELOPE_FIELD_COUNT; f++)
        reader->envelope_positions[f] = POSITION_NONE;
    reader->id_position = POSITION_NONE;
    enum status status = csv_read_header(reader, err);
    if (status == STATUS_OK)
        *out = reader;
    else
        csv_reader_close(reader);
    return status;
}

/* A field's text, or what the mapping makes of it: a number is written out again. */
static struct span field_text(const struct csv_reader *reader, const struct csv_record *record, int32_t position,
                              char number[static NUMBER_TEXT_BYTES])
{
    struct json_value value = {.kind = JSON_KIND_TEXT, .text = record->fields[position]};
    if (reader->targets[position])
        map_target_translate(reader->targets[position], &value);
    if (value.kind == JSON_KIND_NULL)
        return SPAN_LITERAL("");
    if (value.kind == JSON_KIND_NUMBER)
        return (struct span){number, (size_t)snprintf(number, NUMBER_TEXT_BYTES, "%.17g", value.number)};
    return value.text;
}

static void csv_read_cells(const struct csv_reader *reader, const struct csv_record *record, struct input_row *row)
{
    const struct schema *schema = reader->schema;
    bool checked = row->settings->validate;
    for (size_t c = 0; c < schema->column_count; c++) {
        int32_t position = reader->positions[c];
        if (position == POSITION_NONE)
            continue;
        struct fault fault;
        struct cell cell;
        char number[NUMBER_TEXT_BYTES];
        const struct span text = field_text(reader, record, position, number);
        if (validate_text_cell(&schema->columns[c], text, checked, &cell, &fault, (int32_t)c) == EVENT_OK)
            row->event.cells[c] = cell;
        else if (row->fault_count < INPUT_FAULTS_MAX)
            row->faults[row->fault_count++] = fault;
    }
}

static void csv_read_envelope(const struct csv_reader *reader, const struct csv_record *record, struct input_row *row)
{
    char number[NUMBER_TEXT_BYTES];
    int32_t id = reader->envelope_positions[ENVELOPE_EMPLOYEE_ID];
    if (id == POSITION_NONE)
        id = reader->id_position;
    if (id != POSITION_NONE)
        input_row_set_envelope(row, ENVELOPE_EMPLOYEE_ID, record->fields[id]);
    for (enum envelope_field f = ENVELOPE_EMPLOYEE_ID + 1; f < ENVELOPE_FIELD_COUNT; f++) {
        int32_t position = reader->envelope_positions[f];
        if (position == POSITION_NONE)
            continue;
        const struct map_target *target = reader->targets[position];
        const struct span text = field_text(reader, record, position, number);
        if (f == ENVELOPE_OCCURRED_AT && target && target->unit && text.bytes)
            input_row_set_time(row, text, target->unit);
        else
            input_row_set_envelope(row, f, text);
    }
}

/* The reader's text begins with the place, which our report says itself. */
static const char *without_place(const struct csv_reader *reader, const struct csv_record *record, const char *text)
{
    char place[512];
    int bytes = snprintf(place, sizeof place, "%s:%zu: ", reader->source->name, record->line);
    return bytes > 0 && strncmp(text, place, (size_t)bytes) == 0 ? text + bytes : text;
}

/* The first feature that a row cut short does not reach, in the file's order; FAULT_NO_COLUMN if it reaches them all.
 */
static int32_t first_unreached(const struct csv_reader *reader, size_t field_count)
{
    int32_t first = FAULT_NO_COLUMN;
    for (size_t c = 0; c < reader->schema->column_count; c++) {
        int32_t at = reader->positions[c];
        if (at != POSITION_NONE && (size_t)at >= field_count &&
            (first == FAULT_NO_COLUMN || at < reader->positions[first]))
            first = (int32_t)c;
    }
    return first;
}

static enum status csv_reader_next(void *opaque, struct input_row *row, bool *more, struct error *err)
{
    struct csv_reader *reader = opaque;
    struct csv_record record;
    enum status status = csv_next(reader->csv, &record, more, err);
    if (status != STATUS_OK && status != STATUS_INVALID && status != STATUS_LIMIT)
        return status;
    if (status == STATUS_OK && !*more)
        return STATUS_OK;
    *more = true;
    row->line = record.line;
    row->raw = record.raw;
    if (status != STATUS_OK) {
        const char *text = without_place(reader, &record, err->text);
        bool limit = status == STATUS_LIMIT;
        input_row_refuse(row, limit ? EVENT_LIMIT : EVENT_MALFORMED, FAULT_NO_COLUMN, "%.100s%s", text,
                         limit ? " The rejects file may have its beginning only" : "");
        row->event.cells = NULL;
    } else if (record.field_count != reader->header_fields) {
        input_row_refuse(row, EVENT_MALFORMED, first_unreached(reader, record.field_count),
                         "the row has %zu fields, the header %zu", record.field_count, reader->header_fields);
        row->event.cells = NULL;
    } else {
        csv_read_cells(reader, &record, row);
        csv_read_envelope(reader, &record, row);
    }
    return STATUS_OK;
}

static const char *csv_field_name(const void *opaque, int32_t column)
{
    const struct csv_reader *reader = opaque;
    bool by_id = column == FAULT_EMPLOYEE_ID && reader->id_position != POSITION_NONE &&
                 reader->envelope_positions[ENVELOPE_EMPLOYEE_ID] == POSITION_NONE;
    return by_id ? reader->schema->id_name : input_field_name(reader->schema, column);
}

/* Where the file has the field, or POSITION_NONE. */
static int32_t csv_field_position(const struct csv_reader *reader, int32_t column)
{
    if (column >= 0)
        return reader->positions[column];
    enum envelope_field field = ENVELOPE_EMPLOYEE_ID;
    while (envelope_fault_column(field) != column)
        field++;
    int32_t position = reader->envelope_positions[field];
    return position == POSITION_NONE && field == ENVELOPE_EMPLOYEE_ID ? reader->id_position : position;
}

static void csv_field_write(const void *opaque, int32_t column, const char *name, struct buffer *out)
{
    int32_t position = csv_field_position(opaque, column);
    if (position == POSITION_NONE)
        buffer_printf(out, "column %s (not in the file)", name);
    else
        buffer_printf(out, "column %s (%d)", name, position + 1);
}

static struct span csv_header(const void *opaque)
{
    const struct csv_reader *reader = opaque;
    return buffer_span(&reader->header);
}

static const char *const endings[] = {".csv", NULL};

const struct input_form input_csv = {
    .name = "csv",
    .endings = endings,
    .open = csv_reader_open,
    .next = csv_reader_next,
    .close = csv_reader_close,
    .field_name = csv_field_name,
    .field_write = csv_field_write,
    .header = csv_header,
};
