/* Rows of JSON Lines, or of one JSON array (json_array.h): {"employee_id": …, "attributes": {…}} or the attributes
 * themselves with the id among them. Called by input.c through the table of forms, on one thread. Every physical line
 * is a row, blank ones too: a line that is not JSON is malformed. Must never keep a line longer than LINE_BYTES_MAX in
 * memory. */
#include <jansson.h>
#include <stdlib.h>

#include "base/memory.h"
#include "events/json_row.h"
#include "producer/input_form.h"
#include "producer/json_array.h"

enum { LINE_BYTES_MAX = 1 << 20 };

struct jsonl_reader {
    const struct input_source *source;
    size_t line;                     /* physical lines read so far */
    struct json_array_reader *array; /* the input is one JSON array; NULL: JSON Lines */
    struct buffer text, quoted;
    char id_digits[24]; /* the current row's employee id where it is a number */
    json_t *object;     /* what the current row's texts are borrowed from */
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

/* Length of a bare NaN or Infinity at the start of `text`; 0: none. */
static size_t not_finite_bytes(struct span text)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        if (text.bytes >= strlen(words[w]) && memcmp(text.data, words[w], strlen(words[w])) == 0)
            return strlen(words[w]);
    return 0;
}

/* Bare NaN and Infinity are no JSON, but programs write them: quoted, they are refused as values (not_finite). */
static void quote_not_finite(struct span line, struct buffer *out)
{
    bool in_text = false, escaped = false;
    for (size_t i = 0; i < line.bytes;) {
        char c = line.data[i];
        size_t word = in_text ? 0 : not_finite_bytes((struct span){line.data + i, line.bytes - i});
        if (word)
            buffer_printf(out, "\"%.*s\"", (int)word, line.data + i);
        else
            buffer_add_u8(out, (uint8_t)c);
        if (c == '"' && !escaped)
            in_text = !in_text;
        escaped = c == '\\' && !escaped;
        i += word ? word : 1;
    }
}

static json_t *jsonl_parse(struct jsonl_reader *reader, struct span line, json_error_t *at)
{
    json_t *root = json_loadb(line.data, line.bytes, JSON_REJECT_DUPLICATES, at);
    if (root)
        return root;
    buffer_clear(&reader->quoted);
    quote_not_finite(line, &reader->quoted);
    if (reader->quoted.bytes == line.bytes)
        return NULL;
    return json_loadb(reader->quoted.data, reader->quoted.bytes, JSON_REJECT_DUPLICATES, at);
}

/* A scalar as text: strings as they are, integers in decimal (written to `digits`). False: neither, nor null. */
static bool scalar_text(const json_t *value, char digits[24], struct span *out)
{
    if (json_is_string(value))
        *out = (struct span){json_string_value(value), json_string_length(value)};
    else if (json_is_integer(value))
        *out = (struct span){digits, (size_t)snprintf(digits, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value))};
    else if (json_is_null(value))
        *out = SPAN_LITERAL("");
    else
        return false;
    return true;
}

/* The envelope field that a key of the outer object means, or ENVELOPE_FIELD_COUNT. */
static enum envelope_field envelope_field_of(const struct schema *schema, const char *key, bool bare)
{
    if (bare && schema_column(schema, span_of(key)) >= 0)
        return ENVELOPE_FIELD_COUNT;
    for (enum envelope_field f = 0; f < ENVELOPE_FIELD_COUNT; f++)
        if (strcmp(key, envelope_name(f)) == 0)
            return f;
    bool id = (!bare && strcmp(key, "id") == 0) || (schema->id_name && strcmp(key, schema->id_name) == 0);
    return id ? ENVELOPE_EMPLOYEE_ID : ENVELOPE_FIELD_COUNT;
}

static void set_envelope(struct jsonl_reader *reader, struct input_row *row, enum envelope_field field,
                         const json_t *value)
{
    char digits[24];
    struct span text;
    if (field == ENVELOPE_EMPLOYEE_ID && json_is_null(value)) {
        input_row_refuse(row, EVENT_MISSING_REQUIRED, FAULT_EMPLOYEE_ID, "required, but null");
        return;
    }
    if (field == ENVELOPE_EVENT_ID && json_is_string(value) && json_string_length(value) == 0) {
        input_row_refuse(row, EVENT_BAD_ID, FAULT_EVENT_ID, "the id is empty");
        return;
    }
    if (!scalar_text(value, digits, &text)) {
        input_row_refuse(row, EVENT_WRONG_TYPE, envelope_fault_column(field), "must be a text or an integer");
        return;
    }
    if (text.data == digits && field == ENVELOPE_EMPLOYEE_ID) {
        memcpy(reader->id_digits, digits, text.bytes);
        text.data = reader->id_digits;
    }
    if (text.data != digits || field == ENVELOPE_OCCURRED_AT)
        input_row_set_envelope(row, field, text);
    else
        input_row_refuse(row, EVENT_WRONG_TYPE, envelope_fault_column(field), "must be a text");
}

/* Takes the envelope's fields, and names that are known but not sent, out of `object`; what is left are attributes.
 * What is taken out stays alive in `taken`, because the row borrows its texts. */
static void take_envelope(struct jsonl_reader *reader, struct input_row *row, json_t *object, bool bare, json_t *taken)
{
    const struct schema *schema = row->settings->schema;
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, key, value)
    {
        enum envelope_field field = envelope_field_of(schema, key, bare);
        if (field == ENVELOPE_FIELD_COUNT && !(bare && input_name_ignored(schema, span_of(key))))
            continue;
        json_array_append(taken, value);
        if (field != ENVELOPE_FIELD_COUNT)
            set_envelope(reader, row, field, value);
        json_object_del(object, key);
    }
}

static void read_object(struct jsonl_reader *reader, struct input_row *row, json_t *root)
{
    json_t *taken = json_array();
    json_t *attributes = json_incref(json_object_get(root, "attributes"));
    bool enveloped = json_is_object(attributes);
    if (enveloped) {
        json_object_del(root, "attributes");
        take_envelope(reader, row, attributes, true, taken);
    }
    take_envelope(reader, row, root, !enveloped, taken);
    if (enveloped && json_object_size(root))
        input_row_refuse(row, EVENT_UNKNOWN_FIELD, FAULT_NO_COLUMN, "\"%.60s\" is not a field of an event",
                         json_object_iter_key(json_object_iter(root)));
    row->fault_count +=
        json_row_read(row->settings->schema, enveloped ? attributes : root, row->settings->validate, row->event.cells,
                      row->faults + row->fault_count, INPUT_FAULTS_MAX - row->fault_count);
    if (attributes)
        json_array_append_new(taken, attributes);
    json_array_append(taken, root);
    reader->object = taken;
}

static void refuse_line(struct input_row *row, enum event_code code, const char *text)
{
    input_row_refuse(row, code, FAULT_NO_COLUMN, "%.150s", text);
    row->event.cells = NULL;
}

static void refuse_json(struct input_row *row, struct span line, const json_error_t *at)
{
    switch (json_error_code(at)) {
    case json_error_duplicate_key:
        refuse_line(row, EVENT_MALFORMED, "a duplicate key");
        break;
    case json_error_numeric_overflow:
        refuse_line(row, EVENT_NOT_FINITE, "a number is too large");
        break;
    case json_error_stack_overflow:
        refuse_line(row, EVENT_LIMIT, "nested too deep");
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        refuse_line(row, EVENT_MALFORMED, "a NUL character in a text");
        break;
    default:
        refuse_line(row, EVENT_MALFORMED,
                    memchr(line.data, '\0', line.bytes) ? "a NUL byte: the line is not UTF-8" : "not JSON");
    }
}

static void release_object(struct jsonl_reader *reader)
{
    json_decref(reader->object);
    reader->object = NULL;
}

static enum status jsonl_reader_next(void *opaque, struct input_row *row, bool *more, struct error *err)
{
    struct jsonl_reader *reader = opaque;
    size_t bytes = 0;
    json_error_t at;
    release_object(reader);
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
    json_t *root = jsonl_parse(reader, line, &at);
    if (json_is_object(root))
        read_object(reader, row, root);
    else if (root)
        refuse_line(row, EVENT_MALFORMED, "not a JSON object");
    else
        refuse_json(row, line, &at);
    json_decref(root);
    return STATUS_OK;
}

static enum status jsonl_reader_open(const struct input_source *source, void **out, struct error *err)
{
    (void)err;
    struct jsonl_reader *reader = mem_zeroed(1, sizeof *reader);
    reader->source = source;
    if (json_array_begins(source->bytes))
        reader->array = json_array_reader_new(source->bytes, source->name);
    *out = reader;
    return STATUS_OK;
}

static void jsonl_reader_close(void *opaque)
{
    struct jsonl_reader *reader = opaque;
    release_object(reader);
    json_array_reader_free(reader->array);
    buffer_free(&reader->text);
    buffer_free(&reader->quoted);
    free(reader);
}

static const char *jsonl_field_name(const void *opaque, int32_t column)
{
    const struct jsonl_reader *reader = opaque;
    return input_field_name(reader->source->settings->schema, column);
}

static void jsonl_field_write(const void *opaque, int32_t column, const char *name, struct buffer *out)
{
    (void)opaque;
    (void)column;
    buffer_printf(out, "field %s", name);
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
    .field_write = jsonl_field_write,
};
