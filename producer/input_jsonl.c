/* Rows of JSON Lines, or of one JSON array (json_array.h): {"employee_id": …, "attributes": {…}} or the attributes
 * themselves with the id among them. Called by input.c through the table of forms, on one thread. Every physical line
 * is a row, blank ones too: a line that is not JSON is malformed. Must never keep a line longer than LINE_BYTES_MAX in
 * memory. */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "events/json_event.h"
#include "producer/input_form.h"
#include "producer/json_array.h"

enum { LINE_BYTES_MAX = 1 << 20 };

struct jsonl_reader {
    const struct input_source *source;
    size_t line;                     /* physical lines read so far */
    struct json_array_reader *array; /* the input is one JSON array; NULL: JSON Lines */
    struct buffer text;              /* of the current row, which borrows from it and from `events` */
    struct json_events *events;
    bool hinted; /* that objects of several lines are no JSON Lines */
};

/* Reads to the line's end, of which text keeps the first LINE_BYTES_MAX bytes. *bytes: the line's length without its
 * end. */
static enum status jsonl_read_line(struct jsonl_reader *reader, size_t *bytes, bool *more, struct error *err)
{
    size_t count = 0;
    int c;
    buffer_clear(&reader->text);
    while ((c = byte_reader_byte(reader->source->bytes)) >= 0 && c != '\n')
        if (count++ < LINE_BYTES_MAX)
            buffer_add_u8(&reader->text, (uint8_t)c);
    if (c < 0 && byte_reader_status(reader->source->bytes, err) != STATUS_OK)
        return err->status;
    *more = c >= 0 || count > 0;
    *bytes = count;
    reader->line += *more;
    return STATUS_OK;
}

static void refuse_line(struct input_row *row, enum event_code code, const char *text)
{
    input_row_refuse(row, code, FAULT_NO_COLUMN, "%.150s", text);
    row->event.cells = NULL;
}

/* "{" alone, or a line that ends with a comma: the object goes on in the next line. Said once a file. */
static void hint_at_lines(struct jsonl_reader *reader, struct span line)
{
    char last = '\0';
    if (reader->hinted || reader->array || !line.bytes || line.data[0] != '{')
        return;
    for (size_t i = 0; i < line.bytes; i++)
        if (!strchr(" \t\r", line.data[i]))
            last = line.data[i];
    if (last != '{' && last != ',' && last != '[')
        return;
    reader->hinted = true;
    log_warn("backfill",
             "%s:%zu: an object that goes on in the next line: JSON Lines have one a line (jq -c . FILE | … -)",
             reader->source->name, reader->line);
}

/* Faults of fields leave the row a row; of a line that is no JSON there is nothing to look at. */
static void read_line(struct jsonl_reader *reader, struct input_row *row, struct span line)
{
    const struct record_context context = {.timestamp_ms = -1};
    struct json_faults faults = {.list = row->faults, .capacity = INPUT_FAULTS_MAX};
    json_events_reset(reader->events);
    (void)json_events_read(reader->events, line, &context, &row->event, &faults);
    row->fault_count = faults.count;
    bool is_no_row = faults.count == 1 && faults.list[0].column == FAULT_NO_COLUMN &&
                     (faults.list[0].code == EVENT_MALFORMED || faults.list[0].code == EVENT_LIMIT);
    if (is_no_row) {
        hint_at_lines(reader, line);
        row->event.cells = NULL;
    } else {
        input_row_check_envelope(row);
    }
}

static enum status jsonl_reader_next(void *opaque, struct input_row *row, bool *more, struct error *err)
{
    struct jsonl_reader *reader = opaque;
    size_t bytes = 0;
    enum status status = reader->array
                             ? json_array_reader_next(reader->array, LINE_BYTES_MAX, &reader->text, &bytes, more, err)
                             : jsonl_read_line(reader, &bytes, more, err);
    if (status != STATUS_OK)
        return status;
    if (!*more)
        return STATUS_OK;
    struct span line = buffer_span(&reader->text);
    if (line.bytes >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0)
        line = (struct span){line.data + 3, line.bytes - 3};
    if (line.bytes && line.data[line.bytes - 1] == '\r')
        line.bytes--;
    row->line = reader->array ? json_array_reader_line(reader->array) : reader->line;
    row->element = reader->array ? json_array_reader_element(reader->array) : 0;
    row->raw = line;
    if (bytes > LINE_BYTES_MAX) {
        refuse_line(row, EVENT_LIMIT, "the line is longer than 1 MiB; the rejects file has its beginning");
        return STATUS_OK;
    }
    read_line(reader, row, line);
    return STATUS_OK;
}

static enum status jsonl_reader_open(const struct input_source *source, void **out, struct error *err)
{
    (void)err;
    struct jsonl_reader *reader = mem_zeroed(1, sizeof *reader);
    const struct input_settings *settings = source->settings;
    const struct json_settings how = {
        .time_unit = settings->time_unit, .map = settings->map, .rows = true, .unchecked = !settings->validate};
    reader->source = source;
    if (settings->null_values.count)
        log_warn("backfill", "%s: --null-values is for tables (CSV, Avro, queries): what is missing in JSON is null",
                 source->name);
    if (json_array_begins(source->bytes))
        reader->array = json_array_reader_new(source->bytes, source->name);
    reader->events = json_events_new(settings->schema, &how);
    *out = reader;
    return STATUS_OK;
}

static void jsonl_reader_close(void *opaque)
{
    struct jsonl_reader *reader = opaque;
    json_array_reader_free(reader->array);
    json_events_free(reader->events);
    buffer_free(&reader->text);
    free(reader);
}

static const char *jsonl_field_name(const void *opaque, int32_t column)
{
    const struct jsonl_reader *reader = opaque;
    return input_field_name(reader->source->settings->schema, column);
}

static bool jsonl_recognize(struct span head)
{
    return head.data[0] == '{' || head.data[0] == '[';
}

static const char *const endings[] = {".jsonl", ".ndjson", ".json", NULL};

const struct input_form input_jsonl = {
    .name = "jsonl",
    .endings = endings,
    .recognize = jsonl_recognize,
    .open = jsonl_reader_open,
    .next = jsonl_reader_next,
    .close = jsonl_reader_close,
    .field_name = jsonl_field_name,
};
