/* Writing events to files: see event_file.h. Called by generate; allocates nothing once its buffers have grown. */
#include "producer/event_file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "avro/write.h"
#include "base/file.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "events/dead_letter.h"
#include "events/event_encoder.h"
#include "events/frame.h"
#include "producer/table_writer.h"

enum { WRITE_BYTES = 1 << 16, BLOCK_EVENTS = 1000, SYNC_BYTES = 16, SCHEMA_BYTES_MAX = 1 << 20 };

static const char sync_marker[SYNC_BYTES] = "attrition events";

struct event_file {
    enum event_file_form form;
    const struct schema *schema;
    struct output_file *file;
    struct buffer text, value; /* text: not yet written */
    uint64_t events;           /* of the array; of the block */
};

static bool ends_in(struct span name, const char *ending)
{
    size_t bytes = strlen(ending);
    return name.bytes > bytes && name.data[name.bytes - bytes - 1] == '.' &&
           strncasecmp(name.data + name.bytes - bytes, ending, bytes) == 0;
}

enum status event_file_form_of(const char *format, const char *path, enum event_file_form *out, struct error *err)
{
    static const struct {
        const char *name;
        enum event_file_form form;
    } forms[] = {{"csv", EVENT_FILE_CSV},
                 {"jsonl", EVENT_FILE_JSONL},
                 {"ndjson", EVENT_FILE_JSONL},
                 {"json", EVENT_FILE_JSON},
                 {"avro", EVENT_FILE_AVRO}};
    static const char *const others[] = {"parquet", "orc", "xlsx", "xls", "ods", "arrow",
                                         "feather", "bz2", "xz",   "zip", NULL};
    struct span name = span_of(path);
    name.bytes -= ends_in(name, "gz") ? strlen(".gz") : ends_in(name, "zst") ? strlen(".zst") : 0;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        if (format ? strcmp(format, forms[f].name) == 0 : ends_in(name, forms[f].name)) {
            *out = forms[f].form;
            return STATUS_OK;
        }
    static const char writes[] = "generate writes csv, jsonl, json (an array) and avro, also with .gz or .zst";
    if (format)
        return error_set(err, STATUS_INVALID, "--format %s: %s", format, writes);
    for (const char *const *other = others; *other; other++)
        if (ends_in(name, *other))
            return error_set(err, STATUS_INVALID, "--out %s: %s, and no %s", path, writes, *other);
    *out = EVENT_FILE_CSV;
    return STATUS_OK;
}

/* --- forms --- */

/* Avro 1.11, "Object Container Files". */
static enum status begin_avro(struct event_file *file, const char *schemas_dir, struct error *err)
{
    struct buffer path = {0}, schema = {0};
    buffer_printf(&path, "%s/employee_event.avsc", schemas_dir);
    enum status status = file_read(path.data, SCHEMA_BYTES_MAX, &schema, err);
    buffer_add(&file->text, "Obj\x01", 4);
    avro_add_long(&file->text, 2);
    avro_add_text(&file->text, SPAN_LITERAL("avro.schema"));
    avro_add_text(&file->text, buffer_span(&schema));
    avro_add_text(&file->text, SPAN_LITERAL("avro.codec"));
    avro_add_text(&file->text, SPAN_LITERAL("null"));
    avro_add_long(&file->text, 0);
    buffer_add(&file->text, sync_marker, SYNC_BYTES);
    buffer_free(&path);
    buffer_free(&schema);
    return status;
}

static void end_block(struct event_file *file)
{
    if (!file->events)
        return;
    avro_add_long(&file->text, (int64_t)file->events);
    avro_add_text(&file->text, buffer_span(&file->value));
    buffer_add(&file->text, sync_marker, SYNC_BYTES);
    buffer_clear(&file->value);
    file->events = 0;
}

static void add_avro(struct event_file *file, const struct event *event)
{
    size_t start = file->value.bytes;
    event_encode(file->schema, event, &file->value);
    memmove(file->value.data + start, file->value.data + start + FRAME_BYTES, file->value.bytes - start - FRAME_BYTES);
    file->value.bytes -= FRAME_BYTES;
    if (++file->events >= BLOCK_EVENTS)
        end_block(file);
}

static void write_attributes(struct json_writer *json, const struct schema *schema, const struct event *event)
{
    json_begin_object(json, "attributes");
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct cell *cell = &event->cells[c];
        const char *name = schema->columns[c].name;
        if (cell->code == CELL_UNLISTED)
            continue;
        if (cell->code == CELL_MISSING)
            json_write_null(json, name);
        else if (schema->columns[c].kind == COLUMN_NOMINAL)
            json_write_text(json, name, (struct span){cell->text, cell->text_bytes});
        else
            json_write_double(json, name, cell->number);
    }
    json_end_object(json);
}

static void add_json(struct event_file *file, const struct event *event)
{
    char time[DEAD_LETTER_TIME_BYTES];
    const struct schema *schema = file->schema;
    struct json_writer json = json_writer_of(&file->text);
    json.comma = ", ";
    json_begin_object(&json, NULL);
    json_write_text(&json, "event_id", event->event_id);
    json_write_string(&json, "event_type", schema->event_types[event->type]);
    json_write_text(&json, "employee_id", event->employee_id);
    dead_letter_time(event->occurred_at_ms * 1000, time);
    json_write_string(&json, "occurred_at", time);
    if (event->partial) {
        json_begin_array(&json, "changed");
        for (size_t c = 0; c < schema->column_count; c++)
            if (event->cells[c].code != CELL_UNLISTED)
                json_write_string(&json, NULL, schema->columns[c].name);
        json_end_array(&json);
    }
    write_attributes(&json, schema, event);
    json_end_object(&json);
}

/* --- the file --- */

static enum status flush_text(struct event_file *file, struct error *err)
{
    enum status status = output_file_write(file->file, buffer_span(&file->text), err);
    buffer_clear(&file->text);
    return status;
}

static enum status event_file_free(struct event_file *file, struct error *err)
{
    enum status status = output_file_close(file->file, err);
    buffer_free(&file->text);
    buffer_free(&file->value);
    free(file);
    return status;
}

enum status event_file_open(const char *path, enum event_file_form form, const struct schema *schema,
                            const char *schemas_dir, struct event_file **out, struct error *err)
{
    struct event_file *file = mem_zeroed(1, sizeof *file);
    *file = (struct event_file){.form = form, .schema = schema};
    enum status status = output_file_open(path, &file->file, err);
    if (status == STATUS_OK && form == EVENT_FILE_AVRO)
        status = begin_avro(file, schemas_dir, err);
    else if (status == STATUS_OK && form == EVENT_FILE_CSV)
        table_write_event_header(schema, &file->text);
    if (status == STATUS_OK) {
        *out = file;
        return STATUS_OK;
    }
    event_file_free(file, &(struct error){0});
    return status;
}

static void add_text(struct event_file *file, const struct event *event, struct poison *poison, enum poison_kind kind)
{
    if (file->form == EVENT_FILE_JSON)
        buffer_add_text(&file->text, file->events++ ? ",\n" : "[\n");
    size_t start = file->text.bytes;
    if (file->form == EVENT_FILE_CSV)
        table_write_event(file->schema, event, &file->text);
    else
        add_json(file, event);
    poison_text(poison, kind, file->form, &file->text, start);
    if (file->form != EVENT_FILE_JSON)
        buffer_add_u8(&file->text, '\n');
}

enum status event_file_add(struct event_file *file, struct event *event, struct poison *poison, uint64_t index,
                           struct error *err)
{
    struct span key;
    enum poison_kind kind = poison_event(poison, index, event, &key);
    if (file->form == EVENT_FILE_AVRO)
        add_avro(file, event);
    else
        add_text(file, event, poison, kind);
    return file->text.bytes < WRITE_BYTES ? STATUS_OK : flush_text(file, err);
}

enum status event_file_close(struct event_file *file, struct error *err)
{
    struct error closing;
    if (file->form == EVENT_FILE_JSON)
        buffer_add_text(&file->text, file->events ? "\n]\n" : "[]\n");
    if (file->form == EVENT_FILE_AVRO)
        end_block(file);
    enum status status = flush_text(file, err);
    if (event_file_free(file, &closing) == STATUS_OK || status != STATUS_OK)
        return status;
    *err = closing;
    return closing.status;
}
