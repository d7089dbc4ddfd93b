/* Records as tables, what is no straight-line code: see record_codec.h. Arrays on the sink's thread, forms when a
 * schema is loaded. */
#include "events/record_codec.h"

/* --- arrays --- */

/* A block's count of items; 0 at the end. *block_end is where a sized block must end. */
static bool read_block(struct record_reading *reading, size_t least, size_t *count, const uint8_t **block_end)
{
    int64_t items, bytes;
    *block_end = NULL;
    if (!record_read_long(reading, &items) || items == INT64_MIN)
        return false;
    if (items < 0) {
        if (!record_read_long(reading, &bytes) || bytes < 0 || (uint64_t)bytes > cursor_left(&reading->in))
            return false;
        *block_end = reading->in.at + bytes;
        items = -items;
    }
    *count = (size_t)items;
    return (uint64_t)items <= cursor_left(&reading->in) / least;
}

bool record_read_array(struct record_reading *reading, const struct record_array *array, void **out, size_t *out_count)
{
    char *items = NULL;
    size_t have = 0, room = 0;
    for (;;) {
        size_t count;
        const uint8_t *block_end;
        if (!read_block(reading, array->least, &count, &block_end))
            return false;
        if (count == 0)
            break;
        if (have + count > room) {
            room = have + count > 2 * room ? have + count : 2 * room;
            char *more = arena_take(reading->arena, room * array->item_bytes);
            if (have)
                memcpy(more, items, have * array->item_bytes);
            items = more;
        }
        for (size_t i = 0; i < count; i++, have++)
            if (!array->read_item(reading, items + have * array->item_bytes))
                return false;
        if (block_end && block_end != reading->in.at)
            return false;
    }
    *out = items;
    *out_count = have;
    return true;
}

/* --- forms --- */

const struct record_form record_form_text = {.open = "string"};
const struct record_form record_form_optional_text = {.open = "[null,string]"};
const struct record_form record_form_int = {.open = "int"};
const struct record_form record_form_long = {.open = "long"};
const struct record_form record_form_double = {.open = "double"};
const struct record_form record_form_time_ms = {.open = "long:timestamp-millis"};
const struct record_form record_form_time_us = {.open = "long:timestamp-micros"};
const struct record_form record_form_enum = {.open = "enum"};
const struct record_form record_form_any = {0};

static void form_describe(const struct record_form *form, struct buffer *out)
{
    buffer_add_text(out, form->open);
    for (size_t f = 0; f < form->field_count; f++) {
        buffer_printf(out, f ? ",%s:" : "%s:", form->fields[f].name);
        form_describe(form->fields[f].form, out);
    }
    buffer_add_text(out, form->close ? form->close : "");
}

enum status record_check_field(const struct avro_field *field, const struct record_field *due, const char *what,
                               struct error *err)
{
    struct buffer type = {0}, form = {0};
    enum status status = STATUS_OK;
    avro_type_describe(field->type, &type);
    if (due->form->open)
        form_describe(due->form, &form);
    if (strcmp(field->name, due->name) != 0)
        status =
            error_set(err, STATUS_INVALID, "%s: found field \"%s\", expected \"%s\"", what, field->name, due->name);
    else if (due->form->open && !span_equal(buffer_span(&type), buffer_span(&form)))
        status = error_set(err, STATUS_INVALID, "%s: field \"%s\" must be %.*s, not %.*s", what, due->name,
                           (int)form.bytes, form.data, (int)(type.bytes < 120 ? type.bytes : 120), type.data);
    buffer_free(&type);
    buffer_free(&form);
    return status;
}

enum status record_check(const struct avro_type *record, const struct record_field *fields, size_t count,
                         const char *what, struct error *err)
{
    if (record->kind != AVRO_KIND_RECORD)
        return error_set(err, STATUS_INVALID, "%s: must be a record", what);
    for (size_t f = 0; f < count; f++) {
        if (f == record->field_count)
            return error_set(err, STATUS_INVALID, "%s: field \"%s\" is missing", what, fields[f].name);
        if (record_check_field(&record->fields[f], &fields[f], what, err) != STATUS_OK)
            return err->status;
    }
    if (record->field_count > count)
        return error_set(err, STATUS_INVALID, "%s: field \"%s\" is one too many", what, record->fields[count].name);
    return STATUS_OK;
}
