/* Rows of Avro container files, whatever their writer's schema: events as the topic has them, or tables. Called by
 * input.c through the table of forms, on one thread. Its rejects are CSV, which can be fixed and fed again. Must never
 * drop a field silently: what the schema does not know is logged once. */
#include <stdlib.h>

#include "base/memory.h"
#include "events/schema.h"
#include "base/text_file.h"
#include "producer/avro_file.h"
#include "producer/avro_row.h"
#include "producer/input_columns.h"

struct avro_reader {
    struct input_columns columns; /* first: input_columns_… are the form's functions */
    const struct input_source *source;
    struct avro_file *file;
    struct avro_row *record;
    size_t number; /* of records read */
    struct buffer line;
};

static bool avro_recognize(struct span head)
{
    const struct span magic = AVRO_FILE_MAGIC;
    return head.bytes >= magic.bytes && memcmp(head.data, magic.data, magic.bytes) == 0;
}

static void avro_reader_close(void *opaque)
{
    struct avro_reader *reader = opaque;
    avro_row_free(reader->record);
    avro_file_free(reader->file);
    input_columns_free(&reader->columns);
    buffer_free(&reader->line);
    free(reader);
}

static struct csv_record record_of(const struct avro_reader *reader, const struct span *fields)
{
    return (struct csv_record){fields, avro_row_field_count(reader->record), reader->number, SPAN_NULL};
}

static enum status read_schema(struct avro_reader *reader, struct error *err)
{
    const struct input_source *source = reader->source;
    if (avro_file_open(source->bytes, source->name, &reader->file, err) != STATUS_OK)
        return err->status;
    const struct avro_type *writer = avro_file_writer(reader->file);
    if (writer->kind != AVRO_KIND_RECORD)
        return error_set(err, STATUS_INVALID, "%s: its Avro schema is no record, but %.60s: there are no columns in it",
                         source->name, writer->name);
    reader->record = avro_row_new(writer, source->settings->time_unit);
    const struct csv_record header = record_of(reader, avro_row_names(reader->record));
    size_t known;
    if (input_columns_place(&reader->columns, &header, &known, err) != STATUS_OK)
        return err->status;
    if (!known)
        return error_set(err, STATUS_INVALID, "%s: no field of its Avro schema (%.60s) is a column of the event schema",
                         source->name, writer->name);
    input_columns_begin_written(&reader->columns, &header);
    return STATUS_OK;
}

static enum status avro_reader_open(const struct input_source *source, void **out, struct error *err)
{
    struct avro_reader *reader = mem_zeroed(1, sizeof *reader);
    reader->source = source;
    input_columns_init(&reader->columns, source);
    enum status status = read_schema(reader, err);
    if (status == STATUS_OK)
        *out = reader;
    else
        avro_reader_close(reader);
    return status;
}

static enum status avro_reader_next(void *opaque, struct input_row *row, bool *more, struct error *err)
{
    struct avro_reader *reader = opaque;
    struct cursor *in;
    enum status status = avro_file_next(reader->file, &in, err);
    *more = status == STATUS_OK && in;
    if (!*more)
        return status;
    const struct span *fields = avro_row_read(reader->record, in);
    if (!fields)
        return error_set(
            err, STATUS_INVALID,
            "%s: record %zu is damaged, or nested deeper than 64 levels: what follows it has no place; the "
            "records before it were read",
            reader->source->name, reader->number + 1);
    avro_file_taken(reader->file);
    reader->number++;
    input_columns_read_written(&reader->columns, record_of(reader, fields), &reader->line, row);
    return STATUS_OK;
}

static const char *const endings[] = {".avro", NULL};

const struct input_form input_avro = {
    .name = "avro",
    .endings = endings,
    .binary = true,
    .recognize = avro_recognize,
    .open = avro_reader_open,
    .next = avro_reader_next,
    .close = avro_reader_close,
    .field_name = input_columns_field_name,
    .header = input_columns_header,
};
