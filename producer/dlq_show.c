/* `producer dlq show PARTITION:OFFSET…`: letters in full, decoded as far as they go, their faults marked by the schema
 * as it is today. Main thread; changes nothing. It prints people's data, and so only what was asked for by its place.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "base/log.h"
#include "events/fault.h"
#include "events/schema.h"
#include "producer/dlq.h"
#include "producer/dlq_content.h"
#include "producer/stop.h"

enum { HEX_ROW = 16, HEX_BYTES_MAX = 512, TEXT_BYTES_MAX = 1024 };

struct show {
    const struct options *options;
    const struct schema *schema;
    struct dlq_content_reader *contents;
    const struct dlq_letter *letter;
    struct dlq_content read; /* of the letter */
    struct buffer out;
};

/* --- on the terminal --- */

/* Bytes of anybody's, as text that can do nothing to a terminal. */
static void show_add_text(struct show *show, struct span text)
{
    size_t start = show->out.bytes, bytes = text.bytes < TEXT_BYTES_MAX ? text.bytes : TEXT_BYTES_MAX;
    buffer_add(&show->out, text.data, bytes);
    buffer_add_u8(&show->out, 0);
    text_flatten(show->out.data + start);
    show->out.bytes = start + strlen(show->out.data + start);
    if (bytes < text.bytes)
        buffer_add_text(&show->out, " …");
}

static void show_add_row(struct show *show, const char *name, struct span text)
{
    if (!text.data)
        return;
    buffer_printf(&show->out, "  %-26s ", name);
    show_add_text(show, text);
    buffer_add_u8(&show->out, '\n');
}

static void show_add_hex(struct show *show, struct span bytes)
{
    for (size_t at = 0; at < bytes.bytes && at < HEX_BYTES_MAX; at += HEX_ROW) {
        buffer_printf(&show->out, "  %06zx ", at);
        for (size_t i = at; i < at + HEX_ROW; i++)
            if (i < bytes.bytes)
                buffer_printf(&show->out, " %02x", (uint8_t)bytes.data[i]);
            else
                buffer_add_text(&show->out, "   ");
        buffer_add_text(&show->out, "  ");
        for (size_t i = at; i < at + HEX_ROW && i < bytes.bytes; i++)
            buffer_add_u8(&show->out, bytes.data[i] >= ' ' && bytes.data[i] <= '~' ? (uint8_t)bytes.data[i] : '.');
        buffer_add_u8(&show->out, '\n');
    }
    if (bytes.bytes > HEX_BYTES_MAX)
        buffer_printf(&show->out, "  … and %zu bytes more\n", bytes.bytes - HEX_BYTES_MAX);
}

/* "   <-- out_of_range: outside 18 to 100", for each fault of this column. */
static void show_mark_faults(struct show *show, int32_t column)
{
    for (size_t f = 0; f < show->read.fault_count; f++)
        if (show->read.faults[f].column == column)
            buffer_printf(&show->out, "   <-- %s: %s", event_code_name(show->read.faults[f].code),
                          fault_reason(&show->read.faults[f]));
    buffer_add_u8(&show->out, '\n');
}

static void show_add_id(struct show *show, const char *name, struct span id, int32_t column)
{
    if (!id.data)
        return;
    buffer_printf(&show->out, "  %-26s ", name);
    show_add_text(show, id);
    show_mark_faults(show, column);
}

static void show_add_envelope(struct show *show)
{
    const struct event *event = &show->read.event;
    char time[DEAD_LETTER_TIME_BYTES];
    show_add_id(show, "event_id", event->event_id, FAULT_EVENT_ID);
    show_add_id(show, "employee_id", event->employee_id, FAULT_EMPLOYEE_ID);
    if (event->type >= 0) {
        buffer_printf(&show->out, "  %-26s %s%s", "event_type", show->schema->event_types[event->type],
                      event->partial ? ", with what has changed alone" : "");
        show_mark_faults(show, FAULT_CHANGED);
    }
    if (event->occurred_at_ms == INT64_MIN)
        return;
    dead_letter_time(event->occurred_at_ms * 1000, time);
    buffer_printf(&show->out, "  %-26s %s", "occurred_at", time);
    show_mark_faults(show, FAULT_OCCURRED_AT);
}

/* What was read of it. */
static void show_add_event(struct show *show)
{
    const struct event *event = &show->read.event;
    const struct schema *schema = show->schema;
    struct buffer cell = {0};
    show_add_envelope(show);
    for (size_t c = 0; c < schema->column_count; c++) {
        const char *name = schema->columns[c].name;
        if (event->cells[c].code == CELL_UNLISTED)
            continue;
        buffer_clear(&cell);
        json_add_row(&cell, &schema->columns[c], 1, &event->cells[c]); /* {"NAME":41} */
        size_t before = strlen(name) + strlen("{\"\":");
        buffer_printf(&show->out, "  %-26s %.*s", name, (int)(cell.bytes - before - 1), cell.data + before);
        show_mark_faults(show, (int32_t)c);
    }
    for (size_t f = 0; f < show->read.fault_count; f++)
        if (show->read.faults[f].column == FAULT_NO_COLUMN)
            buffer_printf(&show->out, "  <-- %s: %s\n", event_code_name(show->read.faults[f].code),
                          fault_reason(&show->read.faults[f]));
    buffer_free(&cell);
}

static void show_add_headers(struct show *show)
{
    for (enum dead_letter_header h = 0; h < DEAD_LETTER_HEADER_COUNT; h++) {
        const char *name = dead_letter_header_name(h);
        const char *last = strrchr(name, '.');
        show_add_row(show,
                     h == DEAD_LETTER_CLASS ? "class"
                     : last                 ? last + 1
                                            : name,
                     dlq_letter_header(show->letter, h));
    }
}

static void show_print_text(struct show *show)
{
    const struct dlq_letter *letter = show->letter;
    const struct dlq_content *read = &show->read;
    buffer_printf(&show->out, "letter %" PRId32 ":%" PRId64 " of %s\n", letter->partition, letter->offset,
                  options_text(show->options, OPTION_DLQ_TOPIC));
    show_add_headers(show);
    buffer_add_text(&show->out, "key\n");
    show_add_row(show, "names", read->key_id.data ? read->key_id : span_of("nobody that can be read"));
    if (!read->key_id.data || !span_equal(read->key_id, letter->key))
        show_add_hex(show, letter->key);
    if (!letter->value.data) {
        buffer_add_text(&show->out, "value\n  null: it was left out, or it was a request to erase without a key\n");
    } else if (read->value_code == EVENT_OK) {
        buffer_printf(&show->out, "value, %zu bytes%s\n", letter->value.bytes,
                      read->fault_count ? "" : ", which the schema of today takes: it may be replayed");
        show_add_event(show);
    } else {
        buffer_printf(&show->out, "value, %zu bytes, cannot be decoded: %s: %s\n", letter->value.bytes,
                      event_code_name(read->value_code), read->value_fault.text);
        if (read->event.form == EVENT_FORM_AVRO && read->event.event_id.data) {
            show_add_event(show);
            buffer_printf(&show->out, "  …   <-- %s: read up to here\n", event_code_name(read->value_code));
        }
        show_add_hex(show, letter->value);
    }
}

/* --- as JSON --- */

static void json_write_anybodys(struct json_writer *json, const char *name, struct span text)
{
    char copy[TEXT_BYTES_MAX];
    if (!text.data) {
        json_write_null(json, name);
        return;
    }
    snprintf(copy, sizeof copy, "%.*s", (int)(text.bytes < sizeof copy ? text.bytes : sizeof copy - 1), text.data);
    text_flatten(copy);
    json_write_string(json, name, copy);
}

static void json_write_hex(struct json_writer *json, const char *name, struct span bytes)
{
    struct buffer hex = {0};
    for (size_t i = 0; i < bytes.bytes; i++)
        buffer_printf(&hex, "%02x", (uint8_t)bytes.data[i]);
    json_write_text(json, name, bytes.data ? buffer_span(&hex) : SPAN_NULL);
    buffer_free(&hex);
}

static void json_write_fault(struct json_writer *json, const struct show *show, const struct fault *fault)
{
    json_begin_object(json, NULL);
    json_write_string(json, "code", event_code_name(fault->code));
    json_write_string(json, "field",
                      fault->column >= 0 ? show->schema->columns[fault->column].name
                                         : envelope_field_name(fault->column));
    json_write_string(json, "message", fault_reason(fault));
    json_end_object(json);
}

static void show_write_event(struct json_writer *json, const struct show *show)
{
    const struct event *event = &show->read.event;
    json_begin_object(json, "event");
    json_write_anybodys(json, "event_id", event->event_id);
    json_write_anybodys(json, "employee_id", event->employee_id);
    json_write_string(json, "event_type", show->schema->event_types[event->type]);
    json_write_int(json, "occurred_at_ms", event->occurred_at_ms);
    json_add_row(json_write_raw(json, "attributes"), show->schema->columns, show->schema->column_count, event->cells);
    json_end_object(json);
}

static void show_print_json(struct show *show)
{
    const struct dlq_content *read = &show->read;
    struct json_writer json = json_begin_document(&show->out);
    json_write_int(&json, "partition", show->letter->partition);
    json_write_int(&json, "offset", show->letter->offset);
    json_begin_object(&json, "headers");
    for (enum dead_letter_header h = 0; h < DEAD_LETTER_HEADER_COUNT; h++)
        json_write_anybodys(&json, dead_letter_header_name(h), dlq_letter_header(show->letter, h));
    json_end_object(&json);
    json_write_anybodys(&json, "key_names", read->key_id);
    json_write_hex(&json, "key_hex", show->letter->key);
    json_write_hex(&json, "value_hex", show->letter->value);
    if (read->value_code == EVENT_OK)
        show_write_event(&json, show);
    json_begin_array(&json, "faults");
    if (read->value_code != EVENT_OK)
        json_write_fault(&json, show, &read->value_fault);
    for (size_t f = 0; f < read->fault_count; f++)
        json_write_fault(&json, show, &read->faults[f]);
    json_end_array(&json);
    json_end_document(&json);
}

/* --- finding it --- */

static void show_print(struct show *show, const struct dlq_letter *letter)
{
    const struct record_context context = dlq_letter_context(letter);
    show->letter = letter;
    dlq_content_read(show->contents, letter->key, letter->value, dlq_letter_frame_header(letter), &context,
                     &show->read);
    buffer_clear(&show->out);
    (options_flag(show->options, OPTION_JSON) ? show_print_json : show_print_text)(show);
    fwrite(show->out.data, 1, show->out.bytes, stdout);
}

static enum status show_one(struct show *show, int64_t partition, int64_t offset, struct error *err)
{
    struct dlq_reader *reader = NULL;
    struct dlq_letter letter;
    bool more = true;
    enum status status = dlq_reader_new(show->options, partition, DLQ_UNMARKED, &stop_requested, &reader, err);
    while (status == STATUS_OK && more) {
        status = dlq_reader_next(reader, &letter, &more, err);
        if (status == STATUS_OK && more && letter.offset >= offset)
            break;
    }
    if (status == STATUS_OK && more && letter.offset == offset)
        show_print(show, &letter);
    else if (status == STATUS_OK)
        status = error_set(err, STATUS_NOT_FOUND, "%s holds no letter %" PRId64 ":%" PRId64 "%s",
                           options_text(show->options, OPTION_DLQ_TOPIC), partition, offset,
                           stop_requested ? " up to where this was stopped" : " (`producer dlq list` names some)");
    dlq_reader_free(reader);
    return status;
}

static bool place_parse(const char *text, int64_t *partition, int64_t *offset)
{
    const char *colon = strchr(text, ':');
    if (!colon)
        return false;
    *partition = dead_letter_number((struct span){text, (size_t)(colon - text)}, -1);
    *offset = dead_letter_number(span_of(colon + 1), -1);
    return *partition >= 0 && *partition <= INT32_MAX && *offset >= 0;
}

static enum status show_all(struct show *show, struct error *err)
{
    int64_t partition, offset;
    enum status status = dlq_content_reader_new(show->options, show->schema, &show->contents, err);
    for (size_t a = 1; a < options_argument_count(show->options) && status == STATUS_OK; a++)
        if (place_parse(options_argument(show->options, a), &partition, &offset))
            status = show_one(show, partition, offset, err);
    return status;
}

int dlq_show(const struct options *options)
{
    struct show show = {.options = options};
    struct schema *schema = NULL;
    struct error err;
    int64_t partition, offset;
    size_t count = options_argument_count(options);
    for (size_t a = 1; a < count || count < 2; a++)
        if (count < 2 || !place_parse(options_argument(options, a), &partition, &offset)) {
            log_error("dlq", "dlq show takes places of letters, as PARTITION:OFFSET; `producer dlq list` names some");
            return 2;
        }
    enum status status = schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, &err);
    show.schema = schema;
    if (status == STATUS_OK)
        status = show_all(&show, &err);
    if (status != STATUS_OK)
        log_error("dlq", "%s", err.text);
    dlq_content_reader_free(show.contents);
    schema_free(schema);
    buffer_free(&show.out);
    return status == STATUS_OK ? 0 : 1;
}
