/* Fields out of members: see json_fields.h. The score loops' hot path for JSON events; any thread; allocates nothing.
 * Texts of faults name fields and never repeat a value. */
#include "events/json_fields.h"

#include "events/schema_private.h"
#include "events/timestamp.h"

enum { INDEX_DIGITS = 24 };

static unsigned bit_of(int32_t field)
{
    return 1u << (FAULT_NO_COLUMN - 1 - field);
}

bool json_field_given(const struct json_reading *reading, int32_t field)
{
    return reading->given & bit_of(field);
}

void json_field_forget(struct json_reading *reading, int32_t field)
{
    reading->given &= ~bit_of(field);
}

static void __attribute__((format(printf, 4, 5)))
refuse_field(struct json_reading *reading, enum event_code code, int32_t field, const char *format, ...)
{
    char why[160];
    va_list args;
    va_start(args, format);
    text_vprint(why, sizeof why, format, args);
    va_end(args);
    json_fault_add(reading->faults, code, field, span_of(envelope_field_name(field)), "%s", why);
}

/* --- the envelope --- */

static const char unavailable_text[] =
    "the connector sent a placeholder for an unchanged value: ALTER TABLE … REPLICA IDENTITY FULL";

static bool is_unavailable(const struct json_reading *reading, const struct json_value *value)
{
    return reading->out->form == EVENT_FORM_CHANGE && value->kind == JSON_KIND_TEXT &&
           span_equal(value->text, SPAN_LITERAL(DEBEZIUM_UNAVAILABLE));
}

/* A text, or an integer as it stands: ids are numbers in many systems. */
static void read_id(struct json_reading *reading, int32_t field, const struct json_value *value, struct span *out)
{
    if (is_unavailable(reading, value))
        refuse_field(reading, EVENT_MISSING_REQUIRED, field, "%s", unavailable_text);
    else if (value->kind == JSON_KIND_TEXT || (value->kind == JSON_KIND_NUMBER && value->whole))
        *out = value->text;
    else
        refuse_field(reading, EVENT_WRONG_TYPE, field, "neither a text nor an integer");
}

static void read_type(struct json_reading *reading, const struct json_value *value)
{
    const struct schema *schema = reading->schema;
    if (value->kind != JSON_KIND_TEXT) {
        refuse_field(reading, EVENT_WRONG_TYPE, FAULT_EVENT_TYPE, "not a text");
        return;
    }
    for (size_t t = 0; t < schema->event_type_count; t++)
        if (span_equal(value->text, span_of(schema->event_types[t]))) {
            reading->out->type = (int32_t)t;
            return;
        }
    refuse_field(reading, EVENT_UNKNOWN_CATEGORY, FAULT_EVENT_TYPE, "not a symbol of the event schema");
}

/* A number may stand in quotes. */
static void read_time(struct json_reading *reading, const struct json_value *value, enum time_unit unit)
{
    bool is_time = value->kind == JSON_KIND_TEXT || (value->kind == JSON_KIND_NUMBER && value->whole);
    const char *flaw = is_time ? timestamp_read(value->text, unit, &reading->out->occurred_at_ms)
                               : "neither a text in ISO 8601 nor an integer";
    if (flaw)
        refuse_field(reading, EVENT_WRONG_TYPE, FAULT_OCCURRED_AT, "%s", flaw);
}

void json_field_read(struct json_reading *reading, int32_t field, const struct json_value *value, enum time_unit unit)
{
    bool is_null = value->kind == JSON_KIND_NULL || value->kind == JSON_KIND_NONE;
    if (is_null && field != FAULT_EMPLOYEE_ID)
        return;
    reading->given |= bit_of(field);
    if (is_null)
        refuse_field(reading, EVENT_MISSING_REQUIRED, field, "required, but null");
    else if (field == FAULT_EVENT_ID)
        read_id(reading, field, value, &reading->out->event_id);
    else if (field == FAULT_EMPLOYEE_ID)
        read_id(reading, field, value, &reading->out->employee_id);
    else if (field == FAULT_EVENT_TYPE)
        read_type(reading, value);
    else
        read_time(reading, value, unit);
    json_skip_rest(reading->reader, value);
}

/* --- what has changed --- */

/* A column of that name in somebody's table is his own. */
static bool is_changed(const struct json_reading *reading, struct span name)
{
    return span_equal(name, SPAN_LITERAL("changed")) && schema_parts(reading->schema)->has_changed &&
           reading->out->form != EVENT_FORM_CHANGE;
}

static void list_name(struct json_reading *reading, const struct json_value *item)
{
    int32_t column = item->kind == JSON_KIND_TEXT ? schema_column(reading->schema, item->text) : -1;
    if (item->kind != JSON_KIND_TEXT)
        refuse_field(reading, EVENT_WRONG_TYPE, FAULT_CHANGED, "an item is not a text");
    else if (column < 0)
        refuse_field(reading, EVENT_UNKNOWN_FIELD, FAULT_CHANGED, "names no attribute of the schema");
    else if (column_bits_set(reading->changed, (size_t)column))
        json_fault_add(reading->faults, EVENT_UNKNOWN_FIELD, column, item->text, "a duplicate in changed");
    reading->changed_count++;
}

/* null, unlike an absent one: the record is whole. */
static void read_changed(struct json_reading *reading, const struct json_value *value)
{
    struct json_value item;
    reading->changed_given = true;
    if (value->kind == JSON_KIND_ARRAY) {
        reading->listed = true;
        for (bool first = true; json_next_item(reading->reader, &first);)
            if (json_read_value(reading->reader, &item)) {
                list_name(reading, &item);
                json_skip_rest(reading->reader, &item);
            }
        return;
    }
    if (value->kind != JSON_KIND_NULL)
        refuse_field(reading, EVENT_WRONG_TYPE, FAULT_CHANGED, "not a list of attributes' names");
    json_skip_rest(reading->reader, value);
}

/* A change of a row holds all of it but what the connector did not send. */
static void leave_unavailable(struct json_reading *reading)
{
    struct event *out = reading->out;
    out->partial = out->type != EVENT_TYPE_TERMINATED;
    if (out->type == EVENT_TYPE_SNAPSHOT)
        out->type = EVENT_TYPE_CHANGED;
    for (size_t c = 0; c < reading->schema->column_count && !out->partial; c++)
        if (out->cells[c].code == CELL_UNLISTED)
            out->cells[c] = cell_missing(&reading->schema->columns[c]);
}

void json_fields_leave(struct json_reading *reading)
{
    struct event *out = reading->out;
    bool by_names = out->type == EVENT_TYPE_CHANGED && out->form != EVENT_FORM_CHANGE && !reading->changed_given &&
                    schema_parts(reading->schema)->has_changed;
    const uint64_t *kept = reading->listed ? reading->changed : reading->named;
    if (reading->unavailable)
        leave_unavailable(reading);
    if (!reading->listed && !by_names)
        return;
    out->partial = true;
    for (size_t c = 0; c < reading->schema->column_count; c++)
        if (!column_bits_have(kept, c))
            out->cells[c] = (struct cell){.code = CELL_UNLISTED};
}

/* FAULT_EVENT_ID, …; FAULT_NO_COLUMN: none. */
static int32_t field_of(struct span name)
{
    static const struct span names[] = {
#define FIELD_NAME(codec, id, name, ...) [FAULT_POSITION_##id] = SPAN_LITERAL(name),
        EVENT_ENVELOPE(FIELD_NAME)
#undef FIELD_NAME
    };
    for (int32_t f = 0; f < (int32_t)(sizeof names / sizeof *names); f++)
        if (span_equal(name, names[f]))
            return FAULT_NO_COLUMN - 1 - f;
    return FAULT_NO_COLUMN;
}

/* --- by the schema's names --- */

static bool is_id(const struct json_reading *reading, struct span name)
{
    return reading->schema->id_name && span_equal(name, span_of(reading->schema->id_name));
}

/* The value is what the employee's current record has; a schema without partial events has no place for that. */
static void leave_cell(struct json_reading *reading, int32_t column)
{
    reading->unavailable = true;
    reading->out->cells[column] = (struct cell){.code = CELL_UNLISTED};
    if (!schema_parts(reading->schema)->has_changed)
        json_fault_add(reading->faults, EVENT_MISSING_REQUIRED, column, span_of(reading->schema->columns[column].name),
                       "%s", unavailable_text);
}

static void read_cell(struct json_reading *reading, int32_t column, const struct json_value *value)
{
    reading->has_attributes = true;
    (void)column_bits_set(reading->named, (size_t)column);
    if (is_unavailable(reading, value))
        leave_cell(reading, column);
    else
        json_cell_read(reading->reader, reading->schema, column, value, !reading->settings->unchecked,
                       &reading->out->cells[column], reading->faults);
}

static void refuse_name(struct json_reading *reading, struct span name, const struct json_value *value, bool in_row)
{
    bool is_column = schema_column(reading->schema, name) >= 0;
    if (!reading->settings->unchecked)
        json_fault_add(reading->faults, EVENT_UNKNOWN_FIELD, FAULT_NO_COLUMN, name,
                       in_row      ? "the schema has no such field"
                       : is_column ? "no field of an event: attributes belong into \"attributes\""
                                   : "no field of an event");
    json_skip_rest(reading->reader, value);
}

/* A member of a row: of the attributes, and what stands among them. */
static void read_row_member(struct json_reading *reading, struct span name, struct json_value *value)
{
    int32_t column = schema_column(reading->schema, name);
    int32_t field = column < 0 ? field_of(name) : FAULT_NO_COLUMN;
    if (column >= 0)
        read_cell(reading, column, value);
    else if (field != FAULT_NO_COLUMN)
        json_field_read(reading, field, value, reading->settings->time_unit);
    else if (is_id(reading, name))
        json_field_read(reading, FAULT_EMPLOYEE_ID, value, TIME_UNIT_NONE);
    else if (is_changed(reading, name))
        read_changed(reading, value);
    else if (schema_ignores(reading->schema, name))
        json_skip_rest(reading->reader, value);
    else
        refuse_name(reading, name, value, true);
}

void json_read_row(struct json_reading *reading)
{
    uint64_t object = json_object_begin(reading->reader);
    struct json_value value;
    struct span name;
    for (bool first = true; json_next_name(reading->reader, &first, &name);) {
        if (!reading->sound && !json_name_is_new(reading->reader, object, name))
            json_refuse(reading->reader, JSON_FLAW_DUPLICATE);
        if (json_read_value(reading->reader, &value))
            read_row_member(reading, name, &value);
    }
}

/* Null is as good as absent. */
static void read_attributes(struct json_reading *reading)
{
    struct json_reader *reader = reading->reader;
    const uint8_t *start = reader->at;
    struct json_value value;
    if (!json_read_value(reader, &value) || value.kind == JSON_KIND_NULL)
        return;
    reading->has_attributes = true;
    if (reading->settings->rows && value.kind == JSON_KIND_OBJECT) {
        json_read_row(reading);
        return;
    }
    reader->depth -= value.kind == JSON_KIND_OBJECT || value.kind == JSON_KIND_ARRAY;
    reader->at = start;
    json_row_read_named(reader, reading->schema, !reading->settings->unchecked, reading->out->cells, reading->named,
                        reading->faults);
}

/* The members of an event, fields of the envelope first; attributes mostly come behind them. */
enum { MEMBER_ATTRIBUTES = FAULT_POSITION_COUNT, MEMBER_CHANGED, MEMBER_STRANGE, MEMBER_NONE };

/* Rows have other names for the id. */
static unsigned member_of(const struct json_reading *reading, struct span name)
{
    int32_t field = field_of(name);
    if (field == FAULT_NO_COLUMN && reading->settings->rows &&
        (span_equal(name, SPAN_LITERAL("id")) || is_id(reading, name)))
        field = FAULT_EMPLOYEE_ID;
    if (field != FAULT_NO_COLUMN)
        return (unsigned)(FAULT_NO_COLUMN - 1 - field);
    return span_equal(name, SPAN_LITERAL("attributes")) ? MEMBER_ATTRIBUTES
           : is_changed(reading, name)                  ? MEMBER_CHANGED
                                                        : MEMBER_STRANGE;
}

/* The next one; publishers mostly keep the schema's order, so that `expected` comes. *name: of a strange one. */
static unsigned next_member(struct json_reading *reading, bool *first, unsigned expected, struct span *name)
{
#define QUOTED(name) \
    { \
        "\"" name "\":\0\0\0\0\0\0\0", sizeof name + 2 \
    }
    static const struct span quoted[] = {
#define FIELD_QUOTED(codec, id, name, ...) [FAULT_POSITION_##id] = QUOTED(name),
        EVENT_ENVELOPE(FIELD_QUOTED)
#undef FIELD_QUOTED
            [MEMBER_ATTRIBUTES] = QUOTED("attributes"),
    };
#undef QUOTED
    if (expected <= MEMBER_ATTRIBUTES && json_take_name(reading->reader, first, quoted[expected]))
        return expected;
    return json_next_name(reading->reader, first, name) ? member_of(reading, *name) : MEMBER_NONE;
}

static void read_member(struct json_reading *reading, unsigned member, struct span name)
{
    struct json_value value;
    if (member == MEMBER_ATTRIBUTES)
        read_attributes(reading);
    else if (!json_read_value(reading->reader, &value))
        return;
    else if (member == MEMBER_CHANGED)
        read_changed(reading, &value);
    else if (member == MEMBER_STRANGE)
        refuse_name(reading, name, &value, false);
    else
        json_field_read(reading, FAULT_NO_COLUMN - 1 - (int32_t)member, &value, reading->settings->time_unit);
}

void json_read_event(struct json_reading *reading, bool tentative)
{
    bool first = true;
    struct span name;
    for (unsigned seen = 0, expected = 0, member;
         (member = next_member(reading, &first, expected, &name)) != MEMBER_NONE; expected = member + 1) {
        unsigned bit = member == MEMBER_STRANGE ? 0 : 1u << member;
        if (seen & bit)
            json_refuse(reading->reader, JSON_FLAW_DUPLICATE);
        seen |= bit;
        reading->strange |= !bit;
        if (!bit && tentative)
            return;
        read_member(reading, member, name);
    }
}

/* --- through a mapping --- */

static void read_target(struct json_reading *reading, const struct map_target *target, struct json_value *value)
{
    map_target_translate(target, value);
    if (target->column >= 0)
        read_cell(reading, target->column, value);
    else
        json_field_read(reading, target->column, value, target->unit ? target->unit : reading->settings->time_unit);
}

static void read_mapped_items(struct json_reading *reading, const struct map_node *node);

/* A value at a node; `name` is its own, for messages. */
static void read_node(struct json_reading *reading, const struct map_node *node, struct span name)
{
    struct json_value value;
    if (!json_read_value(reading->reader, &value))
        return;
    if (node && node->target) {
        read_target(reading, node->target, &value);
    } else if (node && node->below_count && value.kind == JSON_KIND_OBJECT) {
        json_read_mapped(reading, node);
    } else if (node && node->below_count && value.kind == JSON_KIND_ARRAY) {
        read_mapped_items(reading, node);
    } else {
        if (!node)
            json_fault_add(reading->faults, EVENT_UNKNOWN_FIELD, FAULT_NO_COLUMN, name,
                           "the mapping has no such path: add it, or to \"ignore\"");
        else if (!node->ignored && value.kind != JSON_KIND_NULL)
            json_fault_add(reading->faults, EVENT_WRONG_TYPE, FAULT_NO_COLUMN, name,
                           "neither an object nor an array, though the mapping has paths into it");
        json_skip_rest(reading->reader, &value);
    }
}

static void read_mapped_items(struct json_reading *reading, const struct map_node *node)
{
    char digits[INDEX_DIGITS];
    size_t index = 0;
    for (bool first = true; json_next_item(reading->reader, &first); index++) {
        const size_t bytes = (size_t)snprintf(digits, sizeof digits, "%zu", index);
        const struct span name = {digits, bytes};
        struct span rest;
        const struct map_node *below = map_node_find(node, name);
        if (below)
            read_node(reading, below, name);
        else
            json_skip_value(reading->reader, &rest);
    }
}

void json_read_mapped(struct json_reading *reading, const struct map_node *node)
{
    struct span name;
    for (bool first = true; json_next_name(reading->reader, &first, &name);)
        read_node(reading, map_node_find(node, name), name);
}
