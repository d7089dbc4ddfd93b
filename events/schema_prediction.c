/* Is prediction.avsc what prediction.c writes? Asked once, at load, so that the encoder may write without looking. */
#include "events/schema_private.h"

static const struct field_form layout[] = {
    {"event_id", "string"},
    {"employee_id", "[null,string]"},
    {"occurred_at", "long:timestamp-millis"},
    {"prediction", "enum"},
    {"probability", "double"},
    {"threshold", "double"},
    {"margin", "double"},
    {"base", "double"},
    {"reasons", "array<{feature:string,contribution:double}>"},
    {"model", "{name:string,version:string,alias:[null,string],run_id:[null,string]}"},
    {"challengers", "array<{model:string,probability:double}>"},
    {"scored_at", "long:timestamp-micros"},
    {"latency_us", "long"},
    {"source", "[null,{topic:string,partition:int,offset:long}]"},
    {"channel", "enum"},
    {"attributes", NULL},
};
enum { LAYOUT_COUNT = sizeof layout / sizeof *layout, FIELD_PREDICTION = 3, FIELD_CHANNEL = 14, FIELD_ATTRIBUTES = 15 };

static enum status check_form(const struct avro_field *field, const struct field_form *form, const char *what,
                              struct error *err)
{
    struct buffer type = {0};
    avro_type_describe(field->type, &type);
    enum status status = STATUS_OK;
    if (strcmp(field->name, form->name) != 0)
        status = error_set(err, STATUS_INVALID, "%s: field \"%s\" stands where \"%s\" is due", what, field->name,
                           form->name);
    else if (form->type && !span_equal(buffer_span(&type), span_of(form->type)))
        status = error_set(err, STATUS_INVALID, "%s: field \"%s\" must be %s, not %.*s", what, form->name, form->type,
                           (int)(type.bytes < 120 ? type.bytes : 120), type.data);
    buffer_free(&type);
    return status;
}

enum status schema_check_fields(const struct avro_type *record, const struct field_form *forms, size_t count,
                                const char *what, struct error *err)
{
    if (record->kind != AVRO_KIND_RECORD)
        return error_set(err, STATUS_INVALID, "%s: must be a record", what);
    for (size_t f = 0; f < count; f++) {
        if (f == record->field_count)
            return error_set(err, STATUS_INVALID, "%s: field \"%s\" is missing", what, forms[f].name);
        enum status status = check_form(&record->fields[f], &forms[f], what, err);
        if (status != STATUS_OK)
            return status;
    }
    if (record->field_count > count)
        return error_set(err, STATUS_INVALID, "%s: field \"%s\" is one too many", what, record->fields[count].name);
    return STATUS_OK;
}

static enum status check_symbols(const struct avro_type *type, const struct span *symbols, size_t count,
                                 const char *field, const char *source, struct error *err)
{
    bool same = type->symbol_count == count;
    for (size_t s = 0; same && s < count; s++)
        same = span_equal(span_of(type->symbols[s]), symbols[s]);
    return same ? STATUS_OK
                : error_set(err, STATUS_INVALID, "prediction.avsc: the symbols of \"%s\" must be %s, in that order",
                            field, source);
}

static enum status check_attributes(const struct avro_type *mine, const struct avro_type *events, struct error *err)
{
    if (mine->kind != AVRO_KIND_RECORD)
        return error_set(err, STATUS_INVALID, "prediction.avsc: field \"attributes\" must be a record");
    if (mine->field_count != events->field_count)
        return error_set(err, STATUS_INVALID, "prediction.avsc: \"attributes\" has %zu fields, the event's has %zu",
                         mine->field_count, events->field_count);
    for (size_t f = 0; f < mine->field_count; f++) {
        struct buffer type = {0};
        avro_type_describe(events->fields[f].type, &type);
        buffer_add_u8(&type, '\0');
        const struct field_form form = {events->fields[f].name, type.data};
        enum status status = check_form(&mine->fields[f], &form, "prediction.avsc: attributes", err);
        buffer_free(&type);
        if (status != STATUS_OK)
            return error_prefix(err, "the columns of both files must be the same");
    }
    return STATUS_OK;
}

enum status schema_check_prediction(const struct schema_parts *parts, struct error *err)
{
    static const struct span channels[] = {{"STREAM", 6}, {"HTTP", 4}};
    const struct avro_type *type = avro_schema_type(parts->prediction);
    enum status status = schema_check_fields(type, layout, LAYOUT_COUNT, "prediction.avsc", err);
    if (status == STATUS_OK)
        status = check_symbols(type->fields[FIELD_PREDICTION].type, parts->schema.target_values,
                               parts->schema.target_count, "prediction", "the target's values", err);
    if (status == STATUS_OK)
        status = check_symbols(type->fields[FIELD_CHANNEL].type, channels, 2, "channel", "STREAM, HTTP", err);
    if (status == STATUS_OK)
        status = check_attributes(type->fields[FIELD_ATTRIBUTES].type, parts->attributes, err);
    return status;
}
