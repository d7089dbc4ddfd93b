/* Is alert.avsc what the table of alert.h says? Asked once, at load, so that the encoder may write without looking. */
#include "events/alert.h"
#include "events/record_codec.h"

static const char file[] = "alert.avsc";

#define record_form_kind record_form_enum
#define record_form_cause record_form_enum

#define FORM_COUNT(fields) (sizeof(fields) / sizeof *(fields))

static const struct record_field model_fields[] = {ALERT_MODEL(RECORD_FORM)};
static const struct record_form form_model = {"{", "}", model_fields, FORM_COUNT(model_fields)};
static const struct record_field assessment_fields[] = {ALERT_ASSESSMENT(RECORD_FORM, RECORD_FORM_PART)};
static const struct record_field driver_fields[] = {ALERT_DRIVER(RECORD_FORM)};
static const struct record_form form_before = {"[null,{", "}]", assessment_fields, FORM_COUNT(assessment_fields)},
                                form_after = {"{", "}", assessment_fields, FORM_COUNT(assessment_fields)},
                                form_drivers = {"[null,array<{", "}>]", driver_fields, FORM_COUNT(driver_fields)};
static const struct record_field fields[] = {ALERT_RECORD(RECORD_FORM, RECORD_FORM_PART)};

enum { FIELD_KIND = 3, FIELD_AFTER = 5, FIELD_CAUSE = 8 };

static const struct span kinds[] =
    {
#define SYMBOL(id) {#id, sizeof #id - 1},
        ALERT_KIND_TABLE(SYMBOL)},
                         causes[] = {ALERT_CAUSE_TABLE(SYMBOL)
#undef SYMBOL
};

enum status schema_check_alert(const struct schema_parts *parts, struct error *err)
{
    const struct avro_type *type = avro_schema_type(parts->alert);
    enum status status = record_check(type, fields, FORM_COUNT(fields), file, err);
    if (status == STATUS_OK)
        status = schema_check_symbols(type->fields[FIELD_AFTER].type->fields[0].type, parts->schema.target_values,
                                      parts->schema.target_count, file, "prediction", "the target's values", err);
    if (status == STATUS_OK)
        status = schema_check_symbols(type->fields[FIELD_KIND].type, kinds, ALERT_KIND_COUNT, file, "kind",
                                      "FIRST, CROSSED_UP, CROSSED_DOWN, MOVED", err);
    if (status == STATUS_OK)
        status = schema_check_symbols(type->fields[FIELD_CAUSE].type, causes, ALERT_CAUSE_COUNT, file, "cause",
                                      "RECORD, MODEL, BOTH", err);
    return status;
}
