/* Background rows of `registry import --background`: see import.h. Called once by import.c, on the program's only
 * thread. One faulty row refuses the whole file: means over half of a table would look like means of all of it. */
#include <jansson.h>
#include <stdlib.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text_file.h"
#include "events/json_row.h"
#include "events/validate.h"
#include "registry/import.h"

enum { FIELD_MOST = 4096, FIELD_PASSED_OVER = -1, FIELD_TARGET = -2 };

struct background_reader {
    const char *path;
    const struct schema *schema;
    struct import_rows rows;
    struct import_text text;
    int32_t *fields; /* CSV: column of each field, or one of those above */
    size_t field_count;
    struct error *err;
};

static bool passed_over(const struct schema *schema, struct span name)
{
    return span_equal(span_of(schema->id_name), name) || schema_ignores(schema, name);
}

static enum status line_fault(struct background_reader *reader, size_t line, const char *text)
{
    return error_set(reader->err, STATUS_INVALID,
                     "%.200s line %zu: %s: correct or remove the row (background rows must be ones the scorer accepts)",
                     reader->path, line, text);
}

static int8_t label_of(const struct schema *schema, struct span text)
{
    if (span_equal(text, SPAN_LITERAL("1")) ||
        (schema->target_count && span_equal(text, schema->target_values[schema->target_count - 1])))
        return 1;
    bool other = span_equal(text, SPAN_LITERAL("0"));
    for (size_t t = 0; t + 1 < schema->target_count; t++)
        other |= span_equal(text, schema->target_values[t]);
    return other ? 0 : -1;
}

static bool is_target(const struct schema *schema, struct span name)
{
    return schema->target_name && span_equal(span_of(schema->target_name), name);
}

/* Room for one row more, all missing. */
static struct cell *background_begin_row(struct background_reader *reader)
{
    struct import_rows *rows = &reader->rows;
    size_t columns = reader->schema->column_count;
    rows->cells = mem_grow(rows->cells, &rows->capacity, rows->count + 1, columns * sizeof *rows->cells);
    rows->labels = mem_grow(rows->labels, &rows->label_capacity, rows->count + 1, sizeof *rows->labels);
    rows->labels[rows->count] = -1;
    struct cell *cells = rows->cells + rows->count * columns;
    for (size_t c = 0; c < columns; c++)
        cells[c] = cell_missing(&reader->schema->columns[c]);
    return cells;
}

/* Checks the row; its texts become the schema's own. */
static enum status row_end(struct background_reader *reader, struct cell *cells, size_t line)
{
    struct fault fault;
    validate_impute(reader->schema, cells);
    if (validate_row(reader->schema, cells, &fault) != EVENT_OK)
        return line_fault(reader, line, fault.text);
    for (size_t c = 0; c < reader->schema->column_count; c++) {
        const struct column *column = &reader->schema->columns[c];
        if (column->kind == COLUMN_NOMINAL && cells[c].code >= 0)
            cells[c].text = column->values[cells[c].code].data;
    }
    reader->rows.count++;
    return STATUS_OK;
}

static enum status background_read_header(struct background_reader *reader, const struct csv_record *record)
{
    if (record->field_count > FIELD_MOST)
        return error_set(reader->err, STATUS_LIMIT, "%.200s: the header has more than %d columns", reader->path,
                         FIELD_MOST);
    reader->fields = mem_zeroed(record->field_count, sizeof *reader->fields);
    reader->field_count = record->field_count;
    for (size_t f = 0; f < record->field_count; f++) {
        struct span name = record->fields[f];
        reader->fields[f] = schema_column(reader->schema, name);
        if (reader->fields[f] < 0 && is_target(reader->schema, name))
            reader->fields[f] = FIELD_TARGET;
        if (reader->fields[f] == FIELD_PASSED_OVER && !passed_over(reader->schema, name))
            return error_set(reader->err, STATUS_INVALID,
                             "%.200s: the schema has no column '%.*s': rename or remove it", reader->path,
                             name.bytes < 60 ? (int)name.bytes : 60, name.data);
        for (size_t g = 0; g < f; g++)
            if (reader->fields[f] >= 0 && reader->fields[f] == reader->fields[g])
                return error_set(reader->err, STATUS_INVALID, "%.200s: duplicate column %s in the header", reader->path,
                                 reader->schema->columns[reader->fields[f]].name);
    }
    return STATUS_OK;
}

static enum status record_read(struct background_reader *reader, const struct csv_record *record)
{
    struct fault fault;
    if (!reader->fields)
        return background_read_header(reader, record);
    if (record->field_count != reader->field_count)
        return line_fault(reader, record->line, "it has another number of fields than the header");
    struct cell *cells = background_begin_row(reader);
    for (size_t f = 0; f < record->field_count; f++) {
        int32_t column = reader->fields[f];
        if (column == FIELD_TARGET)
            reader->rows.labels[reader->rows.count] = label_of(reader->schema, record->fields[f]);
        if (column >= 0 && validate_text_cell(&reader->schema->columns[column], record->fields[f], true, &cells[column],
                                              &fault, column) != EVENT_OK)
            return line_fault(reader, record->line, fault.text);
    }
    return row_end(reader, cells, record->line);
}

static enum status csv_read(struct background_reader *reader, struct span bytes)
{
    struct byte_reader *text = byte_reader_of_memory(bytes);
    struct csv *csv = NULL;
    struct csv_record record;
    bool more = true;
    enum status status = text_file_open(&text, "registry", reader->path, NULL, reader->err);
    if (status == STATUS_OK)
        csv = csv_new(text, reader->path, 0);
    while (status == STATUS_OK && more) {
        status = csv_next(csv, &record, &more, reader->err);
        if (status == STATUS_OK && more)
            status = record_read(reader, &record);
    }
    csv_free(csv);
    byte_reader_free(text);
    free(reader->fields);
    return status;
}

/* What a table's row has beside the features. */
static void drop_passed_over(const struct schema *schema, json_t *attributes)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(attributes, next, key,
                             value) if (passed_over(schema, span_of(key)) && schema_column(schema, span_of(key)) < 0)
        json_object_del(attributes, key);
}

static enum status object_read(struct background_reader *reader, json_t *attributes, size_t line)
{
    struct fault fault;
    struct cell *cells = background_begin_row(reader);
    const json_t *target =
        reader->schema->target_name ? json_object_get(attributes, reader->schema->target_name) : NULL;
    if (json_is_string(target))
        reader->rows.labels[reader->rows.count] = label_of(reader->schema, span_of(json_string_value(target)));
    drop_passed_over(reader->schema, attributes);
    if (!import_row_read(&reader->text, reader->schema, attributes, true, cells, &fault))
        return line_fault(reader, line, fault.text);
    return row_end(reader, cells, line);
}

static enum status background_read_lines(struct background_reader *reader, struct span rest)
{
    struct span line;
    enum status status = STATUS_OK;
    for (size_t number = 1; status == STATUS_OK && import_next_line(&rest, &line); number++) {
        json_t *root, *attributes;
        if (line.bytes == 0)
            continue;
        if (import_line(line, reader->path, number, &root, &attributes, reader->err) != STATUS_OK)
            return reader->err->status;
        status = object_read(reader, attributes, number);
        json_decref(root);
    }
    return status;
}

void import_rows_free(struct import_rows *rows)
{
    free(rows->cells);
    free(rows->labels);
}

enum status import_background(const char *path, const struct schema *schema, struct import_rows *out, struct error *err)
{
    struct buffer file = {0};
    struct background_reader reader = {.path = path, .schema = schema, .err = err};
    enum status status = file_read(path, IMPORT_MAX_ROWS_BYTES, &file, err);
    struct span bytes = buffer_span(&file);
    size_t blank = 0;
    while (blank < bytes.bytes && strchr(" \t\r\n", bytes.data[blank]))
        blank++;
    if (status == STATUS_OK && blank < bytes.bytes)
        status = bytes.data[blank] == '{' ? background_read_lines(&reader, bytes) : csv_read(&reader, bytes);
    buffer_free(&file);
    import_text_free(&reader.text);
    if (status == STATUS_OK && reader.rows.count == 0)
        status = error_set(err, STATUS_INVALID, "%.300s has no rows: give a table of employees", path);
    if (status == STATUS_OK)
        *out = reader.rows;
    else
        import_rows_free(&reader.rows);
    return status;
}
