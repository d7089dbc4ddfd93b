/* Is employee_state.avsc what the table of employee_state.h says? Asked once, at load, so that the encoder may write
 * without looking. */
#include "events/employee_state.h"
#include "events/record_codec.h"

static const char file[] = "employee_state.avsc";

#define form_attributes record_form_any

#define FORM_COUNT(fields) (sizeof(fields) / sizeof *(fields))

static const struct record_field source_fields[] = {STATE_SOURCE(RECORD_FORM)};
static const struct record_field prediction_fields[] = {STATE_PREDICTION(RECORD_FORM)};
static const struct record_field alerted_fields[] = {STATE_ALERTED(RECORD_FORM)};
static const struct record_form form_source = {"{", "}", source_fields, FORM_COUNT(source_fields)},
                                form_prediction = {"[null,{", "}]", prediction_fields, FORM_COUNT(prediction_fields)},
                                form_alerted = {"[null,{", "}]", alerted_fields, FORM_COUNT(alerted_fields)};
static const struct record_field fields[] = {STATE_RECORD(RECORD_FORM, RECORD_FORM_PART)};

enum { FIELD_PREDICTION = 3, FIELD_ALERTED, FIELD_ATTRIBUTES };

static enum status check_label(const struct schema_parts *parts, const struct avro_type *type, struct error *err)
{
    return schema_check_symbols(type->branches[1]->fields[0].type, parts->schema.target_values,
                                parts->schema.target_count, file, "prediction", "the target's values", err);
}

enum status schema_check_state(const struct schema_parts *parts, struct error *err)
{
    const struct avro_type *type = avro_schema_type(parts->state);
    if (record_check(type, fields, FORM_COUNT(fields), file, err) != STATUS_OK ||
        check_label(parts, type->fields[FIELD_PREDICTION].type, err) != STATUS_OK ||
        check_label(parts, type->fields[FIELD_ALERTED].type, err) != STATUS_OK)
        return err->status;
    const struct avro_type *attributes = type->fields[FIELD_ATTRIBUTES].type;
    if (attributes->kind != AVRO_KIND_UNION || attributes->branch_count != 2 ||
        attributes->branches[0]->kind != AVRO_KIND_NULL)
        return error_set(err, STATUS_INVALID, "%s: field \"attributes\" must be a union of null and a record", file);
    return schema_check_attributes(attributes->branches[1], parts->attributes, file, err);
}
