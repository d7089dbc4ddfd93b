/* CSV → training table: see table.h. Called once, at start, on the program's only thread. It must never drop a row
 * silently, nor take a value that the scorer would refuse. */
#include "trainer/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/null_values.h"
#include "base/options.h"
#include "base/text_file.h"
#include "events/validate.h"
#include "pipeline/expr.h"
#include "trainer/hash.h"

enum { SHOWN_FAULTS = 20, ROW_FAULTS = 64, NAMES_SHOWN_BYTES = 200 };
static const size_t max_file_bytes = (size_t)4 << 30;
static const double most_number = 1e150; /* the square of a larger one is beyond a double */

/* What a column of the file is. */
enum { FIELD_PASSED_OVER = -1, FIELD_TARGET = -2, FIELD_UNKNOWN = -3, FIELD_ID = -4 };

struct reader {
    const char *path;
    const struct schema *schema;
    int32_t *fields; /* per column of the file: index of the feature, or one of the above */
    size_t field_count;
    struct table *table;
    size_t cell_capacity, label_capacity, id_capacity, line_capacity; /* rows there is room for */
    size_t faults;
    size_t known_labels, unknown_labels; /* rows; not those without one */
    struct null_values null_values;
};

static int32_t field_of(const struct schema *schema, struct span name)
{
    int32_t column = schema_column(schema, name);
    if (column >= 0)
        return column;
    if (span_equal(name, span_of(schema->target_name)))
        return FIELD_TARGET;
    if (span_equal(name, span_of(schema->id_name)))
        return FIELD_ID;
    return schema_ignores(schema, name) ? FIELD_PASSED_OVER : FIELD_UNKNOWN;
}

static size_t field_uses(const struct reader *reader, int32_t what)
{
    size_t uses = 0;
    for (size_t f = 0; f < reader->field_count; f++)
        uses += reader->fields[f] == what;
    return uses;
}

/* Each feature and the target stand in the header exactly once. */
static enum status header_check(const struct reader *reader, struct error *err)
{
    const struct schema *schema = reader->schema;
    struct buffer missing = {0};
    for (int32_t c = FIELD_TARGET; c < (int32_t)schema->column_count; c++) {
        const char *name = c >= 0 ? schema->columns[c].name : schema->target_name;
        size_t uses = c == FIELD_PASSED_OVER ? 1 : field_uses(reader, c);
        if (uses > 1) {
            buffer_free(&missing);
            return error_set(err, STATUS_INVALID, "%s:1: column \"%s\" occurs %zu times: keep one", reader->path, name,
                             uses);
        }
        if (uses == 0)
            buffer_printf(&missing, "%s%s", missing.bytes ? ", " : "", name);
    }
    buffer_add_u8(&missing, '\0');
    enum status status = STATUS_OK;
    if (*missing.data)
        status =
            error_set(err, STATUS_INVALID, "%s:1: the header lacks %.300s: all features and the label must be there",
                      reader->path, missing.data);
    buffer_free(&missing);
    return status;
}

/* A notice of the columns that are neither in the schema nor ignored there. */
static void name_unknown(const struct reader *reader, const struct csv_record *header)
{
    struct buffer names = {0};
    size_t count = field_uses(reader, FIELD_UNKNOWN);
    for (size_t f = 0; f < reader->field_count && names.bytes < NAMES_SHOWN_BYTES; f++)
        if (reader->fields[f] == FIELD_UNKNOWN)
            buffer_printf(&names, "%s\"%.*s\"", names.bytes ? ", " : "",
                          (int)(header->fields[f].bytes < 60 ? header->fields[f].bytes : 60), header->fields[f].data);
    if (count)
        log_warn("trainer", "%s: %zu column%s not in the schema, passed over: %s", reader->path, count,
                 count == 1 ? " is" : "s are", names.data);
    buffer_free(&names);
}

static enum status table_read_header(struct reader *reader, struct csv *csv, struct error *err)
{
    struct csv_record record;
    bool more;
    if (csv_next(csv, &record, &more, err) != STATUS_OK)
        return err->status;
    if (!more)
        return error_set(err, STATUS_INVALID, "%s: the file is empty: give a CSV file with a header and labelled rows",
                         reader->path);
    reader->fields = mem_zeroed(record.field_count + 1, sizeof *reader->fields);
    reader->field_count = record.field_count;
    for (size_t f = 0; f < record.field_count; f++)
        reader->fields[f] = field_of(reader->schema, record.fields[f]);
    enum status status = header_check(reader, err);
    csv_log_dialect(csv, "trainer");
    if (status == STATUS_OK)
        name_unknown(reader, &record);
    return status;
}

static void fault_report(struct reader *reader, size_t line, const char *column, const char *text)
{
    if (reader->faults++ < SHOWN_FAULTS)
        log_error("trainer", "%s:%zu: %s%s%s", reader->path, line, column ? column : "", column ? ": " : "", text);
}

/* A fault's own text names the column. */
static void fault_report_code(struct reader *reader, size_t line, const struct fault *fault)
{
    fault_report(reader, line, NULL, *fault->text ? fault->text : event_code_meaning(fault->code));
}

static void label_read(struct reader *reader, struct span text, size_t line, uint8_t *label)
{
    const struct schema *schema = reader->schema;
    for (size_t v = 0; v < schema->target_count; v++) {
        if (!span_equal(text, schema->target_values[v]))
            continue;
        *label = (uint8_t)v;
        reader->known_labels++;
        return;
    }
    char reason[160];
    reader->unknown_labels += text.bytes > 0;
    snprintf(reason, sizeof reason, "the label is %s: it must be %.*s or %.*s",
             text.bytes ? "none of the schema's" : "missing", (int)schema->target_values[0].bytes,
             schema->target_values[0].data, (int)schema->target_values[1].bytes, schema->target_values[1].data);
    fault_report(reader, line, schema->target_name, reason);
}

/* A category's text as the schema holds it: the record's own bytes are gone with the next line. */
static void cell_settle(const struct column *column, struct cell *cell)
{
    if (column->kind != COLUMN_NOMINAL || cell->code == CELL_MISSING)
        return;
    cell->code = column_code(column, (struct span){cell->text, cell->text_bytes});
    if (cell->code >= 0)
        cell->text = column->values[cell->code].data;
}

static uint64_t id_hash(const struct reader *reader, const struct csv_record *record)
{
    for (size_t f = 0; f < reader->field_count; f++)
        if (reader->fields[f] == FIELD_ID && record->fields[f].bytes)
            return hash_bytes(record->fields[f], hash_seed);
    return 0;
}

static void cells_read(struct reader *reader, const struct csv_record *record, struct cell *cells, uint8_t *label)
{
    struct fault fault;
    for (size_t f = 0; f < reader->field_count; f++) {
        int32_t c = reader->fields[f];
        if (c == FIELD_TARGET)
            label_read(reader, record->fields[f], record->line, label);
        if (c < 0)
            continue;
        const struct column *column = &reader->schema->columns[c];
        struct span text = record->fields[f];
        if (null_values_have(&reader->null_values, text))
            text.bytes = 0;
        if (validate_text_cell(column, text, true, &cells[c], &fault, c) == EVENT_OK) {
            cell_settle(column, &cells[c]);
            continue;
        }
        cells[c] = cell_missing(column);
        fault_report_code(reader, record->line, &fault);
    }
}

static void row_read(struct reader *reader, const struct csv_record *record)
{
    struct table *table = reader->table;
    struct fault faults[ROW_FAULTS];
    size_t columns = reader->schema->column_count, before = reader->faults;
    table->cells = mem_grow(table->cells, &reader->cell_capacity, table->row_count + 1, columns * sizeof *table->cells);
    table->labels = mem_grow(table->labels, &reader->label_capacity, table->row_count + 1, sizeof *table->labels);
    table->ids = mem_grow(table->ids, &reader->id_capacity, table->row_count + 1, sizeof *table->ids);
    table->lines = mem_grow(table->lines, &reader->line_capacity, table->row_count + 1, sizeof *table->lines);
    struct cell *cells = table->cells + table->row_count * columns;
    uint8_t label = 0;
    if (record->field_count != reader->field_count) {
        char text[80];
        snprintf(text, sizeof text, "the row has %zu fields, the header %zu", record->field_count, reader->field_count);
        fault_report(reader, record->line, NULL, text);
    } else {
        cells_read(reader, record, cells, &label);
        validate_impute(reader->schema, cells);
        size_t count = validate_row_all(reader->schema, cells, faults, ROW_FAULTS);
        for (size_t f = 0; f < count; f++)
            fault_report_code(reader, record->line, &faults[f]);
    }
    if (reader->faults > before) {
        table->left_out++;
        return;
    }
    table->ids[table->row_count] = id_hash(reader, record);
    table->lines[table->row_count] = (uint32_t)record->line;
    table->labels[table->row_count++] = label;
    table->positive_count += label;
}

/* Every fault was reported; whether the sound rows may go on without the others is the caller's word. */
static enum status check_faults(const struct reader *reader, int64_t most_left_out, struct error *err)
{
    const struct schema *schema = reader->schema;
    size_t rows = reader->table->left_out;
    if (reader->faults > SHOWN_FAULTS)
        log_error("trainer", "%s: of %zu faults the first %d are shown", reader->path, reader->faults, SHOWN_FAULTS);
    if (reader->unknown_labels && !reader->known_labels)
        return error_set(
            err, STATUS_INVALID,
            "%s: no row's %s is %.*s or %.*s (the values of the schema's target): write the labels so, in the same "
            "alphabet and case",
            reader->path, schema->target_name, (int)schema->target_values[0].bytes, schema->target_values[0].data,
            (int)schema->target_values[1].bytes, schema->target_values[1].data);
    if (most_left_out >= 0 && rows && reader->table->row_count == 0)
        return error_set(
            err, STATUS_INVALID,
            "%s: %zu fault%s in %zu row%s, and no row without one, so nothing was trained: correct the rows, "
            "or widen the schema's ranges and categories",
            reader->path, reader->faults, reader->faults == 1 ? "" : "s", rows, rows == 1 ? "" : "s");
    if (most_left_out >= 0 && rows > (size_t)most_left_out)
        return error_set(err, STATUS_INVALID,
                         "%s: %zu fault%s in %zu row%s, so nothing was trained: correct or remove the rows, widen the "
                         "schema's ranges, or leave them out with --max-rejects %zu",
                         reader->path, reader->faults, reader->faults == 1 ? "" : "s", rows, rows == 1 ? "" : "s",
                         rows);
    if (rows)
        log_warn("trainer", "%s: %zu row%s with faults %s left out of the training", reader->path, rows,
                 rows == 1 ? "" : "s", rows == 1 ? "is" : "are");
    return STATUS_OK;
}

static enum status rows_read(struct reader *reader, struct csv *csv, int64_t most_left_out, struct error *err)
{
    struct csv_record record;
    for (bool more = true; more;) {
        enum status status = csv_next(csv, &record, &more, err);
        if (status == STATUS_INVALID || status == STATUS_LIMIT) {
            if (reader->faults++ < SHOWN_FAULTS)
                log_error("trainer", "%s", err->text);
            reader->table->left_out++;
            more = true;
            continue;
        }
        if (status != STATUS_OK)
            return status;
        if (more)
            row_read(reader, &record);
    }
    size_t columns = reader->schema->column_count;
    reader->table->cells =
        mem_resize(reader->table->cells, reader->table->row_count + 1, columns * sizeof *reader->table->cells);
    return check_faults(reader, most_left_out, err);
}

static bool column_has_values(const struct table *table, size_t column)
{
    for (size_t row = 0; row < table->row_count; row++)
        if (table_row(table, row)[column].code != CELL_MISSING)
            return true;
    return false;
}

/* What no model could be fitted to, or no scorer would load. */
static enum status column_check(const struct table *table, size_t column, const char *path, struct error *err)
{
    const struct column *about = &table->schema->columns[column];
    bool nominal = about->kind == COLUMN_NOMINAL;
    bool *seen = mem_zeroed(about->value_count + 1, sizeof *seen);
    size_t categories = 0, large = SIZE_MAX;
    for (size_t row = 0; row < table->row_count; row++) {
        const struct cell *cell = &table_row(table, row)[column];
        if (nominal && cell->code >= 0 && !seen[cell->code])
            categories += seen[cell->code] = true;
        if (!nominal && cell->code != CELL_MISSING && large == SIZE_MAX && fabs(cell->number) > most_number)
            large = row;
    }
    free(seen);
    if (categories > EXPR_MAX_KEYS)
        return error_set(
            err, STATUS_INVALID,
            "%s: column \"%s\" has %zu categories, and a scorer loads %d at most: group rare ones, or leave "
            "it out with --exclude %s",
            path, about->name, categories, EXPR_MAX_KEYS, about->name);
    if (large != SIZE_MAX)
        return error_set(err, STATUS_INVALID,
                         "%s:%u: column \"%s\" has a number beyond %g, with which no mean can be taken: correct it, or "
                         "leave the column out with --exclude %s",
                         path, table->lines[large], about->name, most_number, about->name);
    if (!column_has_values(table, column))
        return error_set(err, STATUS_INVALID,
                         "%s: column \"%s\" has no value in any row: fill it, or leave it out with --exclude %s", path,
                         about->name, about->name);
    return STATUS_OK;
}

/* Is there something to learn from? */
static enum status table_check(const struct table *table, const char *path, struct error *err)
{
    const struct schema *schema = table->schema;
    if (table->row_count == 0 && table->left_out)
        return error_set(err, STATUS_INVALID, "%s: none of the %zu rows is without a fault: nothing to train on", path,
                         table->left_out);
    if (table->row_count == 0)
        return error_set(err, STATUS_INVALID, "%s: there are no rows below the header: nothing to train on", path);
    size_t negatives = table->row_count - table->positive_count;
    if (table->positive_count == 0 || negatives == 0) {
        struct span only = schema->target_values[negatives == 0];
        return error_set(err, STATUS_INVALID, "%s: every row's %s is \"%.*s\": training needs rows of both classes",
                         path, schema->target_name, (int)only.bytes, only.data);
    }
    for (size_t c = 0; c < schema->column_count; c++)
        if (!table->excluded[c] && column_check(table, c, path, err) != STATUS_OK)
            return err->status;
    return STATUS_OK;
}

/* Marks the columns of the list; some feature must be left. */
static enum status table_exclude(struct table *table, const char *list, struct error *err)
{
    const struct schema *schema = table->schema;
    size_t left = schema->column_count;
    table->excluded = mem_zeroed(schema->column_count + 1, sizeof *table->excluded);
    for (const char *end; list; list = end) {
        size_t bytes = strcspn(list, (const char[]){OPTION_SEPARATOR, '\0'});
        int32_t column = schema_column(schema, (struct span){list, bytes});
        if (column < 0)
            return error_set(err, STATUS_INVALID, "--exclude %.*s: the schema has no such feature",
                             (int)(bytes < 80 ? bytes : 80), list);
        left -= !table->excluded[column];
        table->excluded[column] = true;
        end = list[bytes] ? list + bytes + 1 : NULL;
    }
    return left ? STATUS_OK : error_set(err, STATUS_INVALID, "--exclude leaves no feature to learn from: leave one in");
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Ids matter only where one stands in two rows. */
static void ids_settle(struct table *table)
{
    uint64_t *sorted = mem_zeroed(table->row_count + 1, sizeof *sorted);
    bool repeated = false;
    memcpy(sorted, table->ids, table->row_count * sizeof *sorted);
    qsort(sorted, table->row_count, sizeof *sorted, compare_ids);
    for (size_t r = 1; r < table->row_count && !repeated; r++)
        repeated = sorted[r] && sorted[r] == sorted[r - 1];
    free(sorted);
    if (repeated)
        return;
    free(table->ids);
    table->ids = NULL;
}

/* The bytes that were hashed are the bytes that are read. */
static enum status reader_run(struct reader *reader, struct span bytes, int64_t most_left_out, struct error *err)
{
    struct byte_reader *text = byte_reader_of_memory(bytes);
    struct csv *csv = NULL;
    enum status status = text_file_open(&text, "trainer", reader->path, NULL, err);
    if (status == STATUS_OK) {
        csv = csv_new(text, reader->path, 0);
        status = table_read_header(reader, csv, err);
    }
    if (status == STATUS_OK)
        status = rows_read(reader, csv, most_left_out, err);
    if (status == STATUS_OK)
        status = table_check(reader->table, reader->path, err);
    csv_free(csv);
    byte_reader_free(text);
    free(reader->fields);
    return status;
}

enum status table_read(const char *path, const struct schema *schema, int64_t most_left_out, const char *null_values,
                       const char *exclude, struct table *out, struct error *err)
{
    struct buffer file = {0};
    struct reader reader = {.path = path, .schema = schema};
    if (!null_values_parse(null_values, &reader.null_values))
        return error_set(err, STATUS_INVALID, "--null-values has more than %d texts", NULL_VALUES_MAX);
    if (schema->target_count != 2 || !schema->target_name)
        return error_set(err, STATUS_UNSUPPORTED, "the schema's target has %zu values: training needs exactly two",
                         schema->target_count);
    enum status status = file_read(path, max_file_bytes, &file, err);
    if (status != STATUS_OK) {
        buffer_free(&file);
        return status;
    }
    struct table table = {.schema = schema};
    reader.table = &table;
    status = table_exclude(&table, exclude, err);
    sha256_hex(buffer_span(&file), table.sha256);
    if (status == STATUS_OK)
        status = reader_run(&reader, buffer_span(&file), most_left_out, err);
    buffer_free(&file);
    if (status == STATUS_OK) {
        ids_settle(&table);
        *out = table;
    } else {
        table_free(&table);
    }
    return status;
}

void table_name_excluded(const struct table *table, struct buffer *out)
{
    for (size_t c = 0, named = 0; c < table->schema->column_count; c++)
        if (table->excluded && table->excluded[c])
            buffer_printf(out, "%s%s", named++ ? ", " : "", table->schema->columns[c].name);
}

void table_free(struct table *table)
{
    free(table->cells);
    free(table->labels);
    free(table->ids);
    free(table->lines);
    free(table->excluded);
    *table = (struct table){0};
}
