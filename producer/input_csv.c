/* Rows of a CSV: columns are found by the header's names. Called by input.c, on one thread.
 * Must never drop a column silently: what the schema does not know, or the file does not have, is said once. */
#include <stdlib.h>

#include "base/log.h"
#include "events/validate.h"
#include "producer/input_parts.h"

static const char where[] = "backfill";

/* The slot that a header name fills, or NULL. */
static int32_t *position_of(struct input *input, struct span name)
{
    const struct schema *schema = input->settings->schema;
    int32_t column = schema_column(schema, name);
    if (column >= 0)
        return &input->positions[column];
    if (schema->id_name && span_equal(name, span_of(schema->id_name)))
        return &input->id_position;
    for (size_t f = 0; f < ENVELOPE_FIELD_COUNT; f++)
        if (span_equal(name, span_of(envelope_names[f])))
            return &input->envelope_positions[f];
    return NULL;
}

static enum status place_columns(struct input *input, const struct csv_record *header, struct error *err)
{
    const struct schema *schema = input->settings->schema;
    size_t known = 0;
    for (size_t i = 0; i < header->field_count; i++) {
        struct span name = header->fields[i];
        int32_t *position = position_of(input, name);
        if (position && *position != POSITION_NONE)
            return error_set(err, STATUS_INVALID, "%s:%zu: column %.*s stands in the header twice (%d and %zu)",
                             input->name, header->line, (int)name.bytes, name.data, *position + 1, i + 1);
        if (position)
            *position = (int32_t)i;
        known += position && position >= input->positions && position < input->positions + schema->column_count;
    }
    if (!known)
        return error_set(err, STATUS_INVALID,
                         "%s:%zu: none of the columns is known to the schema: the first line must name the columns",
                         input->name, header->line);
    return STATUS_OK;
}

static void report_unknown(struct input *input, const struct csv_record *header)
{
    for (size_t i = 0; i < header->field_count; i++) {
        struct span name = header->fields[i];
        if (!position_of(input, name) && !input_name_ignored(input->settings->schema, name))
            log_warn(where, "%s:%zu: column %.*s (%zu): unknown_field: the schema has no such column; it is not sent",
                     input->name, header->line, (int)(name.bytes < 80 ? name.bytes : 80), name.data, i + 1);
    }
}

/* One line for all columns that are not there. */
static void report_missing(const struct input *input)
{
    const struct schema *schema = input->settings->schema;
    struct buffer names = {0};
    for (size_t c = 0; c < schema->column_count; c++)
        if (input->positions[c] == POSITION_NONE)
            buffer_printf(&names, "%s%s%s", names.bytes ? ", " : "", schema->columns[c].name,
                          schema->columns[c].required ? " (required)" : "");
    if (names.bytes)
        log_warn(where, "%s: columns that are not in the file, their values are missing: %.*s", input->name,
                 (int)names.bytes, names.data);
    buffer_free(&names);
    if (input->id_position == POSITION_NONE && input->envelope_positions[ENVELOPE_EMPLOYEE_ID] == POSITION_NONE)
        log_warn(where, "%s: no column %s: employees are called row-<line>", input->name,
                 schema->id_name ? schema->id_name : envelope_names[ENVELOPE_EMPLOYEE_ID]);
}

/* A table whose lines end in CR alone is one line to the reader, and would end as a header without rows. */
static enum status check_line_ends(const struct input *input, const struct csv_record *header, struct error *err)
{
    const char *cr = memchr(header->raw.data, '\r', header->raw.bytes), *end = header->raw.data + header->raw.bytes;
    while (cr && cr + 1 < end && cr[1] == '\n')
        cr = memchr(cr + 1, '\r', (size_t)(end - cr - 1));
    if (!cr)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "%s:%zu: a carriage return inside the header: lines must end in LF or CRLF; where CR alone ends "
                     "them, tr '\\r' '\\n' mends the file",
                     input->name, header->line);
}

enum status csv_input_open(struct input *input, struct error *err)
{
    const struct schema *schema = input->settings->schema;
    struct csv_record header;
    bool more = false;
    input->csv = csv_new(input->file, input->name);
    input->positions = mem_zeroed(schema->column_count + 1, sizeof *input->positions);
    for (size_t c = 0; c < schema->column_count; c++)
        input->positions[c] = POSITION_NONE;
    for (size_t f = 0; f < ENVELOPE_FIELD_COUNT; f++)
        input->envelope_positions[f] = POSITION_NONE;
    input->id_position = POSITION_NONE;
    if (csv_next(input->csv, &header, &more, err) != STATUS_OK)
        return err->status;
    if (!more)
        return error_set(err, STATUS_INVALID, "%s: the file is empty: the first line must name the columns",
                         input->name);
    buffer_add(&input->header, header.raw.data, header.raw.bytes);
    input->header_fields = header.field_count;
    if (check_line_ends(input, &header, err) != STATUS_OK || place_columns(input, &header, err) != STATUS_OK)
        return err->status;
    report_unknown(input, &header);
    report_missing(input);
    return STATUS_OK;
}

static void read_cells(const struct input *input, const struct csv_record *record, struct input_row *row)
{
    const struct schema *schema = input->settings->schema;
    bool checked = input->settings->validate;
    for (size_t c = 0; c < schema->column_count; c++) {
        int32_t position = input->positions[c];
        if (position == POSITION_NONE)
            continue;
        struct fault fault;
        struct cell cell;
        if (validate_text_cell(&schema->columns[c], record->fields[position], checked, &cell, &fault, (int32_t)c) ==
            EVENT_OK)
            input->cells[c] = cell;
        else if (row->fault_count < INPUT_FAULTS_MAX)
            row->faults[row->fault_count++] = fault;
    }
}

static void read_envelope(const struct input *input, const struct csv_record *record, struct input_row *row)
{
    int32_t id = input->envelope_positions[ENVELOPE_EMPLOYEE_ID];
    if (id == POSITION_NONE)
        id = input->id_position;
    if (id != POSITION_NONE)
        input_envelope_set(input, row, ENVELOPE_EMPLOYEE_ID, record->fields[id]);
    for (size_t f = ENVELOPE_EMPLOYEE_ID + 1; f < ENVELOPE_FIELD_COUNT; f++)
        if (input->envelope_positions[f] != POSITION_NONE)
            input_envelope_set(input, row, f, record->fields[input->envelope_positions[f]]);
}

/* The reader's text begins with the place, which our report says itself. */
static const char *without_place(const struct input *input, const struct csv_record *record, const char *text)
{
    char place[512];
    int bytes = snprintf(place, sizeof place, "%s:%zu: ", input->name, record->line);
    return bytes > 0 && strncmp(text, place, (size_t)bytes) == 0 ? text + bytes : text;
}

/* The first feature that a row cut short does not reach, in the file's order; FAULT_NO_COLUMN if it reaches them all.
 */
static int32_t first_unreached(const struct input *input, size_t field_count)
{
    int32_t first = FAULT_NO_COLUMN;
    for (size_t c = 0; c < input->settings->schema->column_count; c++) {
        int32_t at = input->positions[c];
        if (at != POSITION_NONE && (size_t)at >= field_count &&
            (first == FAULT_NO_COLUMN || at < input->positions[first]))
            first = (int32_t)c;
    }
    return first;
}

enum status csv_input_next(struct input *input, struct input_row *row, bool *more, struct error *err)
{
    struct csv_record record;
    enum status status = csv_next(input->csv, &record, more, err);
    if (status != STATUS_OK && status != STATUS_INVALID && status != STATUS_LIMIT)
        return status;
    if (status == STATUS_OK && !*more)
        return STATUS_OK;
    *more = true;
    row->line = record.line;
    row->raw = record.raw;
    if (status != STATUS_OK) {
        const char *text = without_place(input, &record, err->text);
        bool limit = status == STATUS_LIMIT;
        input_row_refuse(row, limit ? EVENT_LIMIT : EVENT_MALFORMED, FAULT_NO_COLUMN, "%.100s%s", text,
                         limit ? " The rejects file may hold its beginning only" : "");
        row->event.cells = NULL;
    } else if (record.field_count != input->header_fields) {
        input_row_refuse(row, EVENT_MALFORMED, first_unreached(input, record.field_count),
                         "the row has %zu fields, the header %zu", record.field_count, input->header_fields);
        row->event.cells = NULL;
    } else {
        read_cells(input, &record, row);
        read_envelope(input, &record, row);
    }
    return STATUS_OK;
}
