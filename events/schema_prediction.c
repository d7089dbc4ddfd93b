/* Is prediction.avsc what the table of prediction.h says? Asked once, at load, so that the encoder may write without
 * looking. */
#include "events/prediction.h"

#include <stdio.h>

#include "events/record_codec.h"

static const char prediction_avsc[] = "prediction.avsc";

/* --- forms of this record --- */

#define record_form_channel record_form_enum
#define form_feature record_form_text
#define form_attributes record_form_any

#define FORM_COUNT(fields) (sizeof(fields) / sizeof *(fields))

static const struct record_field reason_fields[] = {PREDICTION_REASON(RECORD_FORM, RECORD_FORM_PART)};
static const struct record_field challenger_fields[] = {PREDICTION_CHALLENGER(RECORD_FORM)};
static const struct record_field model_fields[] = {PREDICTION_MODEL(RECORD_FORM)};
static const struct record_field source_fields[] = {PREDICTION_SOURCE(RECORD_FORM)};
static const struct record_field change_fields[] = {PREDICTION_CHANGE(RECORD_FORM)};

static const struct record_form form_reasons = {"array<{", "}>", reason_fields, FORM_COUNT(reason_fields)},
                                form_challengers = {"array<{", "}>", challenger_fields, FORM_COUNT(challenger_fields)},
                                form_model = {"{", "}", model_fields, FORM_COUNT(model_fields)},
                                form_source = {"[null,{", "}]", source_fields, FORM_COUNT(source_fields)},
                                form_change = {"[null,{", "}]", change_fields, FORM_COUNT(change_fields)};

static const struct record_field fields[] = {PREDICTION_RECORD(RECORD_FORM, RECORD_FORM_PART)};
static const struct record_field fields_without_change[] = {PREDICTION_BEFORE_CHANGE(RECORD_FORM, RECORD_FORM_PART)
                                                                RECORD_FORM_PART(attributes)};

enum {
#define FIELD_POSITION(codec, id, ...) FIELD_##id,
#define PART_POSITION(part) FIELD_##part,
    PREDICTION_RECORD(FIELD_POSITION, PART_POSITION)
#undef FIELD_POSITION
#undef PART_POSITION
};

/* --- what no form says --- */

enum status schema_check_symbols(const struct avro_type *type, const struct span *symbols, size_t count,
                                 const char *file, const char *field, const char *source, struct error *err)
{
    bool same = type->symbol_count == count;
    for (size_t s = 0; same && s < count; s++)
        same = span_equal(span_of(type->symbols[s]), symbols[s]);
    return same ? STATUS_OK
                : error_set(err, STATUS_INVALID, "%s: the symbols of \"%s\" must be %s, in that order", file, field,
                            source);
}

static enum status check_channels(const struct avro_type *type, struct error *err)
{
    struct span channels[CHANNEL_COUNT];
    struct buffer list = {0};
    for (size_t c = 0; c < CHANNEL_COUNT; c++) {
        channels[c] = channel_name((enum channel)c);
        buffer_printf(&list, c ? ", %s" : "%s", channels[c].data);
    }
    buffer_add_u8(&list, '\0');
    enum status status =
        schema_check_symbols(type, channels, CHANNEL_COUNT, prediction_avsc, "channel", list.data, err);
    buffer_free(&list);
    return status;
}

enum status schema_check_attributes(const struct avro_type *mine, const struct avro_type *events, const char *file,
                                    struct error *err)
{
    char what[64];
    if (mine->kind != AVRO_KIND_RECORD)
        return error_set(err, STATUS_INVALID, "%s: field \"attributes\" must be a record", file);
    if (mine->field_count != events->field_count)
        return error_set(err, STATUS_INVALID, "%s: \"attributes\" has %zu fields, the event's has %zu", file,
                         mine->field_count, events->field_count);
    snprintf(what, sizeof what, "%s: attributes", file);
    for (size_t f = 0; f < mine->field_count; f++) {
        struct buffer type = {0};
        avro_type_describe(events->fields[f].type, &type);
        buffer_add_u8(&type, '\0');
        const struct record_form form = {.open = type.data};
        const struct record_field due = {events->fields[f].name, &form};
        enum status status = record_check_field(&mine->fields[f], &due, what, err);
        buffer_free(&type);
        if (status != STATUS_OK)
            return error_prefix(err, "the columns of both files must be the same");
    }
    return STATUS_OK;
}

static enum status check_fields(struct schema_parts *parts, const struct avro_type *type, struct error *err)
{
    parts->has_change = type->kind == AVRO_KIND_RECORD && type->field_count > FIELD_change &&
                        !strcmp(type->fields[FIELD_change].name, "change");
    return parts->has_change
               ? record_check(type, fields, FORM_COUNT(fields), prediction_avsc, err)
               : record_check(type, fields_without_change, FORM_COUNT(fields_without_change), prediction_avsc, err);
}

enum status schema_check_prediction(struct schema_parts *parts, struct error *err)
{
    const struct avro_type *type = avro_schema_type(parts->prediction);
    enum status status = check_fields(parts, type, err);
    if (status == STATUS_OK)
        status =
            schema_check_symbols(type->fields[FIELD_prediction].type, parts->schema.target_values,
                                 parts->schema.target_count, prediction_avsc, "prediction", "the target's values", err);
    if (status == STATUS_OK)
        status = check_channels(type->fields[FIELD_channel].type, err);
    if (status == STATUS_OK)
        status =
            schema_check_attributes(type->fields[type->field_count - 1].type, parts->attributes, prediction_avsc, err);
    return status;
}
