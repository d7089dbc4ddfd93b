/* Rows of a CSV: columns are found by the header's names. Called by input.c through the table of forms, on one thread.
 * Must never drop a line silently: titles above the header and headers of joined files are logged. */
#include <stdio.h>
#include <stdlib.h>

#include "base/csv.h"
#include "base/csv_dialect.h"
#include "base/log.h"
#include "base/memory.h"
#include "producer/input_columns.h"

enum { TITLE_RECORDS_MAX = 20, SHOWN = 20, JSON_HEAD_BYTES = 64 };

static const char where[] = "backfill";

struct csv_reader {
    struct input_columns columns; /* first: input_columns_… are the form's functions */
    const struct input_source *source;
    struct csv *csv;
    size_t header_at; /* where in columns.header the header's own line begins */
    uint64_t headers_passed;
};

/* A table whose lines end in CR here and in LF there would lose its place. */
static enum status check_line_ends(const struct csv_reader *reader, const struct csv_record *header, struct error *err)
{
    const char *cr = memchr(header->raw.data, '\r', header->raw.bytes), *end = header->raw.data + header->raw.bytes;
    while (cr && cr + 1 < end && cr[1] == '\n')
        cr = memchr(cr + 1, '\r', (size_t)(end - cr - 1));
    if (!cr)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "%s:%zu: a carriage return inside the header: lines must all end in LF, all in CRLF or all in CR; "
                     "where CR alone ends some, convert the file with tr '\\r' '\\n'",
                     reader->source->name, header->line);
}

/* Appends the first fields of a line that names no column: the reader sees what was taken for the header. Then a name
 * that is nearly one of the schema's. */
static void name_fields(const struct input_columns *columns, const struct csv_record *record, struct buffer *out)
{
    const char *like = NULL;
    for (size_t i = 0; i < record->field_count && i < 3; i++)
        buffer_printf(out, "%s\"%.*s\"", i ? ", " : "",
                      record->fields[i].bytes < 40 ? (int)record->fields[i].bytes : 40, record->fields[i].data);
    if (record->field_count > 3)
        buffer_printf(out, ", …");
    for (size_t i = 0; i < record->field_count && !like; i++)
        like = input_columns_like(columns, record->fields[i]);
    if (like)
        buffer_printf(out, " (the schema writes \"%s\"; rename the columns, or use --map)", like);
}

/* How many names of columns stand in a text that this delimiter cuts. */
static size_t count_names_cut_by(struct csv_reader *reader, struct span text, char delimiter)
{
    size_t names = 0;
    for (bool more = true; more;) {
        const char *end = memchr(text.data, delimiter, text.bytes);
        size_t bytes = end ? (size_t)(end - text.data) : text.bytes;
        struct span name = csv_trim((struct span){text.data, bytes});
        if (name.bytes >= 2 && name.data[0] == '"' && name.data[name.bytes - 1] == '"')
            name = (struct span){name.data + 1, name.bytes - 2};
        names += input_columns_count_names(&reader->columns, &(struct csv_record){.fields = &name, .field_count = 1});
        more = end != NULL;
        text = (struct span){text.data + bytes + more, text.bytes - bytes - more};
    }
    return names;
}

/* The delimiter that makes a header of a record that is none, or 0. The one in use: its lines are in quotes as a whole.
 */
static char find_other_delimiter(struct csv_reader *reader, const struct csv_record *record)
{
    const char used = csv_delimiter(reader->csv);
    for (const char *delimiter = CSV_DELIMITERS "^:~\x1f"; *delimiter && record->field_count; delimiter++)
        if (*delimiter != used && count_names_cut_by(reader, record->raw, *delimiter) >= 2)
            return *delimiter;
    return record->field_count == 1 && count_names_cut_by(reader, record->fields[0], used) >= 2 ? used : 0;
}

static const char *delimiter_name(char delimiter, char text[static 4])
{
    if (delimiter == '\t')
        return "tab";
    if (delimiter == '\x1f')
        return "$'\\x1f'";
    snprintf(text, 4, "\"%c\"", delimiter);
    return text;
}

/* What would make a header of the first line. */
static void add_hint(struct csv_reader *reader, const struct csv_record *record, struct buffer *out)
{
    char other = find_other_delimiter(reader, record), text[4];
    if (other && other == csv_delimiter(reader->csv))
        buffer_add_text(out, " (whole lines are in quotes: export the table without them)");
    else if (other)
        buffer_printf(out, " (give --delimiter %s)", delimiter_name(other, text));
}

static enum status refuse_two_delimiters(const struct csv_reader *reader, size_t line, char delimiter, size_t next,
                                         struct error *err)
{
    char text[4];
    return error_set(err, STATUS_INVALID,
                     "%s:%zu: a header with the delimiter %s, and line %zu is one with another: two tables were "
                     "joined; make a file of each (head -n %zu, tail -n +%zu)",
                     reader->source->name, line, delimiter_name(delimiter, text), next, next - 1, next);
}

static size_t filled_fields(const struct csv_record *record)
{
    size_t filled = 0;
    for (size_t i = 0; i < record->field_count; i++)
        filled += record->fields[i].bytes > 0;
    return filled;
}

static enum status no_header(const struct csv_reader *reader, size_t line, const struct buffer *seen, struct error *err)
{
    char text[4];
    if (!line)
        return error_set(err, STATUS_INVALID, "%s: the file is empty: the first line must name the columns",
                         reader->source->name);
    return error_set(err, STATUS_INVALID,
                     "%s:%zu: none of the columns is known to the schema: the first line must name the columns. Read "
                     "with the delimiter %s it begins with %.*s; another one is set with --delimiter, another "
                     "encoding with --encoding",
                     reader->source->name, line, delimiter_name(csv_delimiter(reader->csv), text), (int)seen->bytes,
                     buffer_span(seen).data);
}

/* The first record that names columns of the schema; titles may stand above it. */
static enum status find_header(struct csv_reader *reader, struct csv_record *header, struct error *err)
{
    struct buffer seen = {0};
    struct error first_error = {0};
    size_t first_line = 0, known = 0, other_line = 0;
    char other = 0;
    enum status status = STATUS_OK;
    for (int record = 0; record < TITLE_RECORDS_MAX && status == STATUS_OK && !known; record++) {
        bool more = true;
        status = csv_next(reader->csv, header, &more, err);
        if (status == STATUS_INVALID || status == STATUS_LIMIT) {
            if (!first_line)
                first_error = *err;
        } else if (status != STATUS_OK || !more) {
            break;
        } else if (header->field_count == 1 || filled_fields(header) > 1) {
            status = input_columns_place(&reader->columns, header, &known, err);
            if (status != STATUS_OK)
                break;
        }
        status = STATUS_OK;
        if (!first_line && !first_error.status) {
            name_fields(&reader->columns, header, &seen);
            if (!known)
                add_hint(reader, header, &seen);
        }
        if (!known && !other && (other = find_other_delimiter(reader, header)))
            other_line = header->line;
        first_line = first_line ? first_line : header->line;
    }
    if (status == STATUS_OK && !known)
        status = first_error.status ? error_set(err, first_error.status, "%s", first_error.text)
                                    : no_header(reader, first_line, &seen, err);
    if (status == STATUS_OK && other && other != csv_delimiter(reader->csv))
        status = refuse_two_delimiters(reader, other_line, other, header->line, err);
    if (status == STATUS_OK && header->line > first_line)
        log_warn(where,
                 "%s: the header is line %zu: what is above it, from line %zu on, names no column and is not sent",
                 reader->source->name, header->line, first_line);
    buffer_free(&seen);
    return status;
}

/* What makes the rejects file one that is read the same way. */
static void keep_header(struct csv_reader *reader, const struct csv_record *header)
{
    const char delimiter = csv_delimiter(reader->csv);
    if (reader->source->recoded)
        buffer_add_text(&reader->columns.header, "\xEF\xBB\xBF");
    if (!strchr(CSV_DELIMITERS, delimiter))
        buffer_printf(&reader->columns.header, "sep=%c\n", delimiter);
    reader->header_at = reader->columns.header.bytes;
    buffer_add(&reader->columns.header, header->raw.data, header->raw.bytes);
}

static enum status csv_read_header(struct csv_reader *reader, struct error *err)
{
    struct csv_record header;
    const struct input_settings *settings = reader->source->settings;
    if (find_header(reader, &header, err) != STATUS_OK || check_line_ends(reader, &header, err) != STATUS_OK)
        return err->status;
    if (settings->decimal_comma && csv_delimiter(reader->csv) == ',')
        return error_set(err, STATUS_INVALID,
                         "%s: --decimal-comma: the comma is this file's delimiter, so it cannot be in its numbers too",
                         reader->source->name);
    csv_log_dialect(reader->csv, where);
    keep_header(reader, &header);
    input_columns_begin(&reader->columns, &header);
    return STATUS_OK;
}

static void csv_reader_close(void *opaque)
{
    struct csv_reader *reader = opaque;
    if (reader->headers_passed > SHOWN)
        log_info(where, "%s: the header was repeated %llu times", reader->source->name,
                 (unsigned long long)reader->headers_passed);
    csv_free(reader->csv);
    input_columns_free(&reader->columns);
    free(reader);
}

/* `{"` or `[{`: a name in brackets may begin a header. */
static enum status check_no_json(const struct input_source *source, struct error *err)
{
    struct span head;
    if (byte_reader_peek(source->bytes, JSON_HEAD_BYTES, &head, err) != STATUS_OK)
        return err->status;
    const char wanted = !head.bytes ? '\0' : head.data[0] == '{' ? '"' : head.data[0] == '[' ? '{' : '\0';
    size_t at = 1;
    while (wanted && at < head.bytes && strchr(" \t\r\n", head.data[at]))
        at++;
    if (!wanted || at >= head.bytes || head.data[at] != wanted)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "%s is JSON, whatever it is called: give --format jsonl", source->name);
}

static enum status csv_reader_open(const struct input_source *source, void **out, struct error *err)
{
    if (check_no_json(source, err) != STATUS_OK)
        return err->status;
    struct csv_reader *reader = mem_zeroed(1, sizeof *reader);
    reader->source = source;
    reader->csv = csv_new(source->bytes, source->name, source->settings->delimiter);
    input_columns_init(&reader->columns, source);
    reader->columns.decimal_comma = source->settings->decimal_comma;
    enum status status = csv_read_header(reader, err);
    if (status == STATUS_OK)
        *out = reader;
    else
        csv_reader_close(reader);
    return status;
}

/* The reader's text begins with the place, which our report says itself. */
static const char *without_place(const struct csv_reader *reader, const struct csv_record *record, const char *text)
{
    char place[512];
    int bytes = snprintf(place, sizeof place, "%s:%zu: ", reader->source->name, record->line);
    return bytes > 0 && strncmp(text, place, (size_t)bytes) == 0 ? text + bytes : text;
}

static void pass_header(struct csv_reader *reader, const struct csv_record *record)
{
    if (reader->headers_passed++ < SHOWN)
        log_info(where, "%s:%zu: the header again (joined files): passed over", reader->source->name, record->line);
}

/* Files that were joined bring their header along. */
static bool is_header_again(struct csv_reader *reader, const struct csv_record *record)
{
    struct span header = {reader->columns.header.data + reader->header_at,
                          reader->columns.header.bytes - reader->header_at};
    if (!span_equal(record->raw, header))
        return false;
    pass_header(reader, record);
    return true;
}

static enum status next_record(struct csv_reader *reader, struct csv_record *record, bool *more, struct error *err)
{
    enum status status;
    do
        status = csv_next(reader->csv, record, more, err);
    while (status == STATUS_OK && *more && is_header_again(reader, record));
    return status;
}

/* Called for rows with faults: does another table begin here? */
static bool is_header(struct csv_reader *reader, const struct csv_record *record)
{
    size_t names = input_columns_count_names(&reader->columns, record);
    return names >= 2 && names * 2 >= record->field_count;
}

static enum status refuse_another_header(struct csv_reader *reader, const struct csv_record *record, struct error *err)
{
    return error_set(
        err, STATUS_INVALID,
        "%s:%zu: another header, with other columns than the first: two tables were joined. The rows above "
        "it were read; make a file of its own of what begins here (tail -n +%zu)",
        reader->source->name, record->line, record->line);
}

static void refuse_record(const struct csv_reader *reader, const struct csv_record *record, enum status status,
                          const struct error *why, struct input_row *row)
{
    bool limit = status == STATUS_LIMIT;
    input_row_refuse(row, limit ? EVENT_LIMIT : EVENT_MALFORMED, FAULT_NO_COLUMN, "%.100s%s",
                     without_place(reader, record, why->text),
                     limit ? " The rejects file may have its beginning only" : "");
    row->event.cells = NULL;
}

/* *again: it was the header, written in another way. */
static enum status read_row(struct csv_reader *reader, struct input_row *row, bool *again, bool *more,
                            struct error *err)
{
    struct csv_record record;
    enum status status = next_record(reader, &record, more, err);
    *again = false;
    if (status != STATUS_OK && status != STATUS_INVALID && status != STATUS_LIMIT)
        return status;
    if (status == STATUS_OK && !*more)
        return STATUS_OK;
    *more = true;
    row->line = record.line;
    row->raw = record.raw;
    if (status != STATUS_OK) {
        refuse_record(reader, &record, status, err, row);
        return STATUS_OK;
    }
    if (record.field_count == reader->columns.field_count) {
        input_columns_read(&reader->columns, &record, row);
    } else {
        input_row_refuse(row, EVENT_MALFORMED, input_columns_first_unreached(&reader->columns, record.field_count),
                         "the row has %zu fields, the header %zu", record.field_count, reader->columns.field_count);
        row->event.cells = NULL;
    }
    if (!row->fault_count || !is_header(reader, &record))
        return STATUS_OK;
    *again = input_columns_are_placed(&reader->columns, &record);
    if (!*again)
        return refuse_another_header(reader, &record, err);
    pass_header(reader, &record);
    return STATUS_OK;
}

static enum status csv_reader_next(void *opaque, struct input_row *row, bool *more, struct error *err)
{
    struct csv_reader *reader = opaque;
    struct cell *cells = row->event.cells;
    bool again = false;
    enum status status;
    do {
        if (again)
            input_row_begin(row, reader->source->settings, cells);
        status = read_row(reader, row, &again, more, err);
    } while (status == STATUS_OK && again);
    return status;
}

static const char *const endings[] = {".csv", ".tsv", NULL};

const struct input_form input_csv = {
    .name = "csv",
    .endings = endings,
    .open = csv_reader_open,
    .next = csv_reader_next,
    .close = csv_reader_close,
    .field_name = input_columns_field_name,
    .field_write = input_columns_field_write,
    .header = input_columns_header,
};
