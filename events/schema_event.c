/* employee_event.avsc → columns, rules, target, id, ignored columns. Called by schema_load only. The attributes read
 * here are those docs/SCHEMAS.md lists; each refusal names the column and what it needs. */
#include <float.h>
#include <stdio.h>

#include "events/record_codec.h"

#define record_form_event_type record_form_enum
#define form_attributes record_form_any
static const struct record_form form_changed = {.open = "[null,array<string>]"};
static const struct record_field fields[] = {EVENT_RECORD(RECORD_FORM, RECORD_FORM_PART)};
static const struct record_field fields_of_whole[] = {EVENT_ENVELOPE(RECORD_FORM) RECORD_FORM_PART(attributes)};
#define FIELD_COUNT(list) (sizeof(list) / sizeof *(list))

static enum status column_refuse(const struct column *column, const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID, "employee_event.avsc: column \"%s\": %s", column->name, what);
}

static const char *text_or(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

/* A list of non-empty, distinct strings. */
static enum status parts_read_texts(struct schema_parts *parts, const json_t *list, const char *what, struct span **out,
                                    size_t *count, struct error *err)
{
    if (!json_is_array(list))
        return error_set(err, STATUS_INVALID, "employee_event.avsc: %s must be a list of strings", what);
    struct span *texts = arena_zeroed(&parts->arena, json_array_size(list), sizeof *texts);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        texts[i] = (struct span){json_string_value(item), json_string_length(item)};
        if (texts[i].bytes == 0 || strlen(texts[i].data) != texts[i].bytes)
            return error_set(err, STATUS_INVALID, "employee_event.avsc: %s must be a list of non-empty strings", what);
        for (size_t j = 0; j < i; j++)
            if (span_equal(texts[i], texts[j]))
                return error_set(err, STATUS_INVALID, "employee_event.avsc: %s: \"%.100s\" is a duplicate", what,
                                 texts[i].data);
    }
    *out = texts;
    *count = json_array_size(list);
    return STATUS_OK;
}

static const char *const *names_of(struct schema_parts *parts, const struct span *texts, size_t count)
{
    const char **names = arena_zeroed(&parts->arena, count, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = texts[i].data;
    return names;
}

/* --- one column --- */

/* The field's scalar type and where its null stands. */
static enum status column_read_type(const struct avro_type *type, struct column *column, struct column_reader *reader,
                                    struct error *err)
{
    static const int types[] = {[AVRO_KIND_INT] = COLUMN_INT,
                                [AVRO_KIND_LONG] = COLUMN_LONG,
                                [AVRO_KIND_FLOAT] = COLUMN_FLOAT,
                                [AVRO_KIND_DOUBLE] = COLUMN_DOUBLE,
                                [AVRO_KIND_STRING] = COLUMN_TEXT};
    column_reader_set_null(reader, NULL_BRANCH_NONE);
    if (type->kind == AVRO_KIND_UNION) {
        if (type->branch_count != 2 ||
            (type->branches[0]->kind == AVRO_KIND_NULL) == (type->branches[1]->kind == AVRO_KIND_NULL))
            return column_refuse(column, "a union must be of null and one other type", err);
        column_reader_set_null(reader, type->branches[1]->kind == AVRO_KIND_NULL);
        type = type->branches[reader->null_branch ^ 1];
    }
    if (type->kind < AVRO_KIND_INT || type->kind > AVRO_KIND_STRING || type->kind == AVRO_KIND_BYTES)
        return column_refuse(column, "the type must be int, long, float, double or string, or a union of that and null",
                             err);
    column->type = (enum column_type)types[type->kind];
    reader->type = (uint8_t)column->type;
    return STATUS_OK;
}

static enum status column_read_kind(const json_t *json, struct column *column, struct error *err)
{
    static const char *const kinds[] = {
        [COLUMN_NUMERIC] = "numeric", [COLUMN_ORDINAL] = "ordinal", [COLUMN_NOMINAL] = "nominal"};
    const char *name = text_or(json, "kind", "");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        if (strcmp(name, kinds[k]) != 0)
            continue;
        column->kind = (enum column_kind)k;
        if ((column->kind == COLUMN_NOMINAL) != (column->type == COLUMN_TEXT))
            return column_refuse(column, "a nominal column is a string, a numeric or ordinal one a number", err);
        return STATUS_OK;
    }
    return column_refuse(column, "needs \"kind\": numeric, ordinal or nominal", err);
}

static enum status column_read_range(const json_t *json, struct column *column, struct error *err)
{
    const json_t *range = json_object_get(json, "range");
    column->low = -INFINITY;
    column->high = INFINITY;
    if (!range)
        return STATUS_OK;
    const json_t *low = json_array_get(range, 0), *high = json_array_get(range, 1);
    if (column->kind == COLUMN_NOMINAL)
        return column_refuse(column, "a nominal column has \"values\", no \"range\"", err);
    if (json_array_size(range) != 2 || !json_is_number(low) || !json_is_number(high) ||
        json_number_value(low) > json_number_value(high))
        return column_refuse(column, "\"range\" must be [lowest, highest]", err);
    column->low = json_number_value(low);
    column->high = json_number_value(high);
    return STATUS_OK;
}

static enum status column_read_values(struct schema_parts *parts, const json_t *json, struct column *column,
                                      struct error *err)
{
    bool nominal = column->kind == COLUMN_NOMINAL;
    const json_t *values = json_object_get(json, "values"), *labels = json_object_get(json, "value_labels");
    struct span *texts = NULL;
    char what[128];
    if (nominal ? labels || json_array_size(values) == 0 : values != NULL)
        return column_refuse(column,
                             nominal ? "a nominal column needs \"values\", and has no \"value_labels\""
                                     : "only a nominal column has \"values\"",
                             err);
    if (!nominal && !labels)
        return STATUS_OK;
    if (!nominal && column->kind != COLUMN_ORDINAL)
        return column_refuse(column, "only an ordinal column has \"value_labels\"", err);
    snprintf(what, sizeof what, "column \"%.80s\": %s", column->name, nominal ? "\"values\"" : "\"value_labels\"");
    if (parts_read_texts(parts, nominal ? values : labels, what, &texts, &column->value_count, err) != STATUS_OK)
        return err->status;
    if (nominal)
        column->values = texts;
    else if (column->high - column->low + 1 != (double)column->value_count || column->low != floor(column->low))
        return column_refuse(column, "\"value_labels\" must name each integer of \"range\"", err);
    else
        column->value_labels = names_of(parts, texts, column->value_count);
    return STATUS_OK;
}

/* "unit": true, for what has few values. */
static enum status column_read_unit(const json_t *json, struct column *column, struct error *err)
{
    const json_t *unit = json_object_get(json, "unit");
    if (unit && !json_is_boolean(unit))
        return column_refuse(column, "\"unit\" must be true or false", err);
    column->unit = json_is_true(unit);
    if (column->unit && column->kind == COLUMN_NUMERIC)
        return column_refuse(column, "a \"unit\" is nominal or ordinal; a numeric column has \"group\" and \"bands\"",
                             err);
    return STATUS_OK;
}

/* "group": true, and for numbers "bands": [30, 40]: where each further group begins. */
static enum status column_read_group(struct schema_parts *parts, const json_t *json, struct column *column,
                                     struct error *err)
{
    const json_t *group = json_object_get(json, "group"), *bands = json_object_get(json, "bands");
    if (group && !json_is_boolean(group))
        return column_refuse(column, "\"group\" must be true or false", err);
    column->group = json_is_true(group);
    if (bands && (!column->group || column->kind == COLUMN_NOMINAL || json_array_size(bands) == 0))
        return column_refuse(column, "\"bands\" is a list of numbers, for a number that is a \"group\"", err);
    if (column->group && column->kind == COLUMN_NUMERIC && !bands)
        return column_refuse(column, "a numeric \"group\" needs \"bands\": where each further group begins", err);
    if (column->group && column->kind == COLUMN_ORDINAL && !bands && !isfinite(column->high - column->low))
        return column_refuse(column, "an ordinal \"group\" needs \"range\" or \"bands\"", err);
    column->band_count = json_array_size(bands);
    double *starts = arena_zeroed(&parts->arena, column->band_count, sizeof *starts);
    for (size_t b = 0; b < column->band_count; b++) {
        const json_t *start = json_array_get(bands, b);
        starts[b] = json_number_value(start);
        if (!json_is_number(start) || (b && starts[b] <= starts[b - 1]))
            return column_refuse(column, "\"bands\" must be ascending numbers", err);
    }
    column->bands = starts;
    return STATUS_OK;
}

/* "policy": what becomes of a value that is out of range, of no category or not finite. */
static enum status column_read_policy(const json_t *json, struct column *column, struct error *err)
{
    const char *policy = text_or(json, "policy", json_object_get(json, "policy") ? "" : "reject");
    column->imputes = strcmp(policy, "impute") == 0;
    if (!column->imputes && strcmp(policy, "reject") != 0)
        return column_refuse(column, "\"policy\" must be \"reject\" or \"impute\"", err);
    if (column->imputes && column->required)
        return column_refuse(column, "is required, so its \"policy\" cannot be \"impute\"", err);
    return STATUS_OK;
}

static enum status column_read(struct schema_parts *parts, const struct avro_field *field, uint32_t index,
                               struct error *err)
{
    struct column *column = &parts->schema.columns[index];
    struct column_reader *reader = &parts->readers[index];
    const json_t *required = json_object_get(field->json, "required");
    column->name = field->name;
    column->label = text_or(field->json, "label", field->name);
    column->doc = text_or(field->json, "doc", "");
    reader->column = index;
    if (required && !json_is_boolean(required))
        return column_refuse(column, "\"required\" must be true or false", err);
    enum status status = column_read_type(field->type, column, reader, err);
    column->required = json_is_true(required) || reader->null_branch == NULL_BRANCH_NONE;
    if (status == STATUS_OK)
        status = column_read_policy(field->json, column, err);
    if (status == STATUS_OK)
        status = column_read_kind(field->json, column, err);
    if (status == STATUS_OK)
        status = column_read_range(field->json, column, err);
    if (status == STATUS_OK)
        status = column_read_values(parts, field->json, column, err);
    if (status == STATUS_OK)
        status = column_read_group(parts, field->json, column, err);
    if (status == STATUS_OK)
        status = column_read_unit(field->json, column, err);
    return status;
}

/* --- attributes of the record --- */

static enum status rule_read(struct schema_parts *parts, const json_t *json, struct rule *rule, struct error *err)
{
    const json_t *pair = json_object_get(json, "at_most");
    const char *names[2];
    int32_t columns[2];
    if (json_array_size(pair) != 2)
        return error_set(err, STATUS_INVALID, "employee_event.avsc: a rule must be {\"at_most\": [column, column]}");
    for (size_t side = 0; side < 2; side++) {
        names[side] = json_string_value(json_array_get(pair, side));
        columns[side] = names[side] ? schema_column(&parts->schema, span_of(names[side])) : -1;
        if (columns[side] < 0 || parts->schema.columns[columns[side]].kind == COLUMN_NOMINAL)
            return error_set(err, STATUS_INVALID,
                             "employee_event.avsc: rule \"at_most\": \"%.100s\" is no column of numbers",
                             names[side] ? names[side] : "");
    }
    *rule = (struct rule){(uint32_t)columns[0], (uint32_t)columns[1]};
    return STATUS_OK;
}

static enum status rules_read(struct schema_parts *parts, const json_t *json, struct error *err)
{
    const json_t *rules = json_object_get(json, "rules");
    if (rules && !json_is_array(rules))
        return error_set(err, STATUS_INVALID, "employee_event.avsc: \"rules\" must be a list");
    size_t count = json_array_size(rules);
    parts->schema.rules = arena_zeroed(&parts->arena, count, sizeof *parts->schema.rules);
    parts->schema.rule_count = count;
    for (size_t r = 0; r < count; r++) {
        if (rule_read(parts, json_array_get(rules, r), &parts->schema.rules[r], err) != STATUS_OK)
            return err->status;
    }
    return STATUS_OK;
}

static enum status min_present_read(struct schema_parts *parts, const json_t *json, struct error *err)
{
    const json_t *least = json_object_get(json, "min_present");
    json_int_t number = json_integer_value(least);
    if (least && (!json_is_integer(least) || number < 0 || number > (json_int_t)parts->schema.column_count))
        return error_set(err, STATUS_INVALID,
                         "employee_event.avsc: \"min_present\" must be a number of columns, 0 to %zu",
                         parts->schema.column_count);
    parts->schema.min_present = (size_t)number;
    return STATUS_OK;
}

static enum status target_read(struct schema_parts *parts, const json_t *json, struct error *err)
{
    struct schema *schema = &parts->schema;
    const json_t *target = json_object_get(json, "target"), *ignored = json_object_get(json, "ignored");
    struct span *values = NULL, *names = NULL;
    schema->target_name = json_string_value(json_object_get(target, "name"));
    schema->id_name = json_string_value(json_object_get(json_object_get(json, "id"), "name"));
    if (!schema->target_name || !schema->id_name)
        return error_set(err, STATUS_INVALID,
                         "employee_event.avsc: the attributes record needs \"target\": {\"name\", \"values\"} and "
                         "\"id\": {\"name\"}");
    enum status status = parts_read_texts(parts, json_object_get(target, "values"), "the target's \"values\"", &values,
                                          &schema->target_count, err);
    if (status == STATUS_OK && ignored)
        status = parts_read_texts(parts, ignored, "\"ignored\"", &names, &schema->ignored_count, err);
    if (status != STATUS_OK)
        return status;
    if (schema->target_count < 2)
        return error_set(err, STATUS_INVALID, "employee_event.avsc: the target needs two \"values\" or more");
    schema->target_values = values;
    schema->ignored = names_of(parts, names, schema->ignored_count);
    return STATUS_OK;
}

/* "words": {"one": "employee", …}: what people read. Whoever shows them takes them from the JSON. */
static enum status words_check(const json_t *json, struct error *err)
{
    const json_t *words = json_object_get(json, "words"), *word;
    const char *name;
    if (words && !json_is_object(words))
        return error_set(err, STATUS_INVALID, "employee_event.avsc: \"words\" must be an object of texts");
    json_object_foreach ((json_t *)words, name, word)
        if (json_string_length(word) == 0)
            return error_set(err, STATUS_INVALID,
                             "employee_event.avsc: \"words\": \"%.80s\" must be a text, and not empty", name);
    return STATUS_OK;
}

/* No name may mean two things. */
static enum status check_names(const struct schema *schema, struct error *err)
{
    const char *twice = NULL;
    if (schema_column(schema, span_of(schema->target_name)) >= 0 || strcmp(schema->target_name, schema->id_name) == 0)
        twice = schema->target_name;
    else if (schema_column(schema, span_of(schema->id_name)) >= 0)
        twice = schema->id_name;
    for (size_t i = 0; i < schema->ignored_count && !twice; i++)
        if (schema_column(schema, span_of(schema->ignored[i])) >= 0 ||
            strcmp(schema->ignored[i], schema->target_name) == 0 || strcmp(schema->ignored[i], schema->id_name) == 0)
            twice = schema->ignored[i];
    return twice ? error_set(err, STATUS_INVALID,
                             "employee_event.avsc: \"%s\" is a duplicate among columns, target, id and ignored", twice)
                 : STATUS_OK;
}

static enum status event_types_read(struct schema_parts *parts, const struct avro_type *type, struct error *err)
{
    static const char *const known[] = {
#define EVENT_TYPE_NAME(id) #id,
        EVENT_TYPE_TABLE(EVENT_TYPE_NAME)
#undef EVENT_TYPE_NAME
    };
#define EVENT_TYPE_LISTED(id) ", " #id
    static const char list[] = EVENT_TYPE_TABLE(EVENT_TYPE_LISTED);
#undef EVENT_TYPE_LISTED
    for (size_t s = 0; s < sizeof known / sizeof *known; s++)
        if (s >= type->symbol_count || strcmp(type->symbols[s], known[s]) != 0)
            return error_set(err, STATUS_INVALID,
                             "employee_event.avsc: the symbols of \"event_type\" must start with %s", list + 2);
    parts->schema.event_types = type->symbols;
    parts->schema.event_type_count = type->symbol_count;
    return STATUS_OK;
}

static struct column_check check_make(const struct column *column)
{
    bool is_int = column->type == COLUMN_INT, is_long = column->type == COLUMN_LONG;
    double lowest = is_int ? INT32_MIN : is_long ? -0x1p63 : column->type == COLUMN_FLOAT ? -(double)FLT_MAX : -DBL_MAX;
    double highest = is_int                         ? INT32_MAX
                     : is_long                      ? nextafter(0x1p63, 0)
                     : column->type == COLUMN_FLOAT ? (double)FLT_MAX
                                                    : DBL_MAX;
    return (struct column_check){.low = fmax(column->low, lowest),
                                 .high = fmin(column->high, highest),
                                 .nominal = column->kind == COLUMN_NOMINAL,
                                 .required = column->required,
                                 .imputes = column->imputes,
                                 .whole = is_int || is_long};
}

/* A table of names is made as one of categories. */
static void names_index(struct schema_parts *parts)
{
    size_t count = parts->schema.column_count;
    struct span *names = arena_zeroed(&parts->arena, count, sizeof *names);
    for (size_t c = 0; c < count; c++)
        names[c] = span_of(parts->schema.columns[c].name);
    const struct column all = {.values = names, .value_count = count};
    categories_init(&parts->column_names, &all);
}

static void tables_make(struct schema_parts *parts)
{
    const struct schema *schema = &parts->schema;
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct column *column = &schema->columns[c];
        if (column->kind == COLUMN_NOMINAL)
            categories_init(&parts->categories[c], column);
        parts->checks[c] = check_make(column);
        parts->missing[c] = cell_missing(column);
        parts->imputes |= column->imputes;
        parts->readers[c].categories = &parts->categories[c];
    }
    names_index(parts);
}

static enum status columns_make(struct schema_parts *parts, const struct avro_type *record, struct error *err)
{
    struct schema *schema = &parts->schema;
    if (record->kind != AVRO_KIND_RECORD || record->field_count == 0 || record->field_count > SCHEMA_COLUMNS_MAX)
        return error_set(err, STATUS_INVALID, "employee_event.avsc: \"attributes\" must be a record of 1 to %d fields",
                         SCHEMA_COLUMNS_MAX);
    schema->columns = arena_zeroed(&parts->arena, record->field_count, sizeof *schema->columns);
    parts->readers = arena_zeroed(&parts->arena, record->field_count, sizeof *parts->readers);
    parts->categories = arena_zeroed(&parts->arena, record->field_count, sizeof *parts->categories);
    parts->checks = arena_zeroed(&parts->arena, record->field_count, sizeof *parts->checks);
    parts->missing = arena_zeroed(&parts->arena, record->field_count, sizeof *parts->missing);
    for (size_t c = 0; c < record->field_count; c++) {
        if (column_read(parts, &record->fields[c], (uint32_t)c, err) != STATUS_OK)
            return err->status;
    }
    schema->column_count = record->field_count;
    parts->attributes = record;
    tables_make(parts);
    return STATUS_OK;
}

/* A schema without `changed` is one of whole records alone. */
static enum status envelope_check(struct schema_parts *parts, const struct avro_type *type, struct error *err)
{
    static const char file[] = "employee_event.avsc";
    parts->has_changed = type->kind == AVRO_KIND_RECORD && type->field_count > ENVELOPE_COUNT &&
                         !strcmp(type->fields[ENVELOPE_COUNT].name, "changed");
    return parts->has_changed ? record_check(type, fields, FIELD_COUNT(fields), file, err)
                              : record_check(type, fields_of_whole, FIELD_COUNT(fields_of_whole), file, err);
}

enum status schema_read_event(struct schema_parts *parts, struct error *err)
{
    const struct avro_type *type = avro_schema_type(parts->event);
    if (envelope_check(parts, type, err) != STATUS_OK ||
        event_types_read(parts, type->fields[ENVELOPE_EVENT_TYPE].type, err) != STATUS_OK ||
        columns_make(parts, type->fields[type->field_count - 1].type, err) != STATUS_OK)
        return err->status;
    const json_t *json = parts->attributes->json;
    if (target_read(parts, json, err) != STATUS_OK || check_names(&parts->schema, err) != STATUS_OK ||
        rules_read(parts, json, err) != STATUS_OK || words_check(json, err) != STATUS_OK)
        return err->status;
    return min_present_read(parts, json, err);
}
