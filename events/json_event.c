/* JSON into an event: see json_event.h. Called by decoders on the score loops' threads, and by tools. The plain form is
 * read in one pass; where a name is met that is not its own, the outermost members are read to find the form,
 * and then the part that counts is read. Allocates nothing once it is warm. */
#include "events/json_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "events/frame.h"
#include "events/identity.h"
#include "events/json_fields.h"
#include "events/timestamp.h"

/* Members by which the forms are recognized, and what they bring. */
/* clang-format off */
#define SHAPE_TABLE(SHAPE) \
    SHAPE(specversion) SHAPE(id) SHAPE(time) SHAPE(subject) SHAPE(data) SHAPE(data_base64) \
    SHAPE(op) SHAPE(before) SHAPE(after) SHAPE(source) SHAPE(ts_ms) SHAPE(payload) \
    SHAPE(employee_id) SHAPE(attributes)
/* clang-format on */

/* Each as its bytes in the document; SPAN_NULL: it is not there. */
struct shape {
#define SHAPE_MEMBER(name) struct span name;
    SHAPE_TABLE(SHAPE_MEMBER)
#undef SHAPE_MEMBER
};

struct json_events {
    const struct schema *schema;
    struct json_settings settings;
    struct json_reader reader;
    uint64_t *named, *changed; /* of the document at hand: see json_fields.h */
};

struct json_events *json_events_new(const struct schema *schema, const struct json_settings *settings)
{
    struct json_events *events = mem_zeroed(1, sizeof *events);
    events->schema = schema;
    events->settings = *settings;
    events->named = mem_zeroed(column_bits_words(schema), sizeof *events->named);
    events->changed = mem_zeroed(column_bits_words(schema), sizeof *events->changed);
    return events;
}

void json_events_free(struct json_events *events)
{
    if (!events)
        return;
    json_reader_free(&events->reader);
    free(events->named);
    free(events->changed);
    free(events);
}

void json_events_reset(struct json_events *events)
{
    json_reader_reset(&events->reader);
}

bool json_events_recognize(struct span value)
{
    const char *at = value.data, *end = value.data + value.bytes;
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at < end && *at == '{';
}

static void refuse(struct json_reading *reading, enum event_code code, const char *name, const char *text)
{
    json_fault_add(reading->faults, code, FAULT_NO_COLUMN, span_of(name), "%s", text);
}

static void refuse_absent(struct json_reading *reading, int32_t field, const char *text)
{
    json_fault_add(reading->faults, EVENT_MISSING_REQUIRED, field, span_of(envelope_field_name(field)), "%s", text);
}

/* --- parts of a document that has been looked through --- */

/* Only once the whole document is known to be sound. */
static struct json_value value_at(struct json_reading *reading, struct span part)
{
    return json_read_part(reading->reader, part);
}

static bool is_object(struct span part)
{
    return part.data && *part.data == '{';
}

/* The members of an object that has just been opened. */
static void shape_read(struct json_reader *reader, struct shape *shape)
{
    uint64_t object = json_object_begin(reader);
    struct span name, part;
    *shape = (struct shape){0};
    for (bool first = true; json_next_name(reader, &first, &name);) {
        if (!json_name_is_new(reader, object, name))
            json_refuse(reader, JSON_FLAW_DUPLICATE);
        json_skip_value(reader, &part);
        if (reader->flaw != JSON_FLAW_NONE)
            return;
#define SHAPE_SET(member) \
    if (span_equal(name, SPAN_LITERAL(#member))) \
        shape->member = part;
        SHAPE_TABLE(SHAPE_SET)
#undef SHAPE_SET
    }
}

static void shape_at(struct json_reading *reading, struct span part, struct shape *shape)
{
    *shape = (struct shape){0};
    if (is_object(part) && value_at(reading, part).kind == JSON_KIND_OBJECT)
        shape_read(reading->reader, shape);
}

static void field_at(struct json_reading *reading, int32_t field, struct span part, enum time_unit unit)
{
    struct json_value value = value_at(reading, part);
    if (part.data && !json_field_given(reading, field))
        json_field_read(reading, field, &value, unit);
}

/* --- rows and plain events --- */

/* An object of somebody's columns: through the mapping, else by the schema's names. */
static void read_columns(struct json_reading *reading, struct span part)
{
    const struct input_map *map = reading->settings->map;
    (void)value_at(reading, part);
    if (map)
        json_read_mapped(reading, input_map_root(map));
    else
        json_read_row(reading);
}

/* Has `attributes`; with a mapping that leads into a member of that name, also an id that the mapping does not read. */
static bool is_plain(const struct json_reading *reading, const struct shape *shape)
{
    const struct map_node *root = reading->settings->map ? input_map_root(reading->settings->map) : NULL;
    if (!shape->attributes.data)
        return false;
    return !root || !map_node_find(root, SPAN_LITERAL("attributes")) ||
           (shape->employee_id.data && !map_node_find(root, SPAN_LITERAL("employee_id")));
}

static void read_plain(struct json_reading *reading, struct span part)
{
    reading->out->form = EVENT_FORM_PLAIN;
    (void)value_at(reading, part);
    json_read_event(reading, false);
}

/* --- Debezium --- */

static bool is_change(const struct shape *shape)
{
    return shape->op.data && (shape->before.data || shape->after.data || shape->source.data);
}

static void read_change_time(struct json_reading *reading, const struct shape *shape)
{
    struct shape source;
    shape_at(reading, shape->source, &source);
    field_at(reading, FAULT_OCCURRED_AT, source.ts_ms.data ? source.ts_ms : shape->ts_ms, TIME_UNIT_EXACT_MS);
}

/* Whose row it was; nothing else of it is needed: its event_id and occurred_at are those of its last change. */
static void read_deleted(struct json_reading *reading, const struct shape *shape)
{
    size_t before = reading->faults->count;
    if (reading->settings->refuse_deletes) {
        refuse(reading, EVENT_UNRESOLVABLE, "op", "a row was deleted, and CDC_DELETE is dead-letter");
        return;
    }
    if (is_object(shape->before))
        read_columns(reading, shape->before);
    reading->faults->count = before;
    json_field_forget(reading, FAULT_EVENT_ID);
    json_field_forget(reading, FAULT_OCCURRED_AT);
    reading->out->event_id = SPAN_NULL;
    reading->out->occurred_at_ms = INT64_MIN;
    json_row_clear(reading->schema, reading->out->cells);
    reading->has_attributes = reading->unavailable = false;
    reading->out->type = EVENT_TYPE_TERMINATED;
    if (!reading->out->employee_id.data)
        refuse_absent(reading, FAULT_EMPLOYEE_ID,
                      "the deleted row's \"before\" does not have it: set REPLICA IDENTITY");
}

static void read_change(struct json_reading *reading, const struct shape *shape)
{
    struct json_value op = value_at(reading, shape->op);
    char letter = op.kind == JSON_KIND_TEXT && op.text.bytes == 1 ? op.text.data[0] : 0;
    reading->out->form = EVENT_FORM_CHANGE;
    if (letter == 't' || letter == 'm')
        reading->out->ignored = true;
    else if (letter == 'd')
        read_deleted(reading, shape);
    else if (letter != 'c' && letter != 'r' && letter != 'u')
        refuse(reading, EVENT_UNRESOLVABLE, "op", "none of c, r, u, d, t, m");
    else if (is_object(shape->after))
        read_columns(reading, shape->after);
    else
        refuse(reading, EVENT_MISSING_REQUIRED, "after", "no row");
    read_change_time(reading, shape);
}

/* --- CloudEvents --- */

static void read_inner(struct json_reading *reading, struct span part, const struct shape *shape);

static void read_cloud(struct json_reading *reading, const struct shape *shape)
{
    struct json_value version = value_at(reading, shape->specversion);
    struct shape data;
    reading->out->form = EVENT_FORM_CLOUD;
    if (version.kind != JSON_KIND_TEXT || !span_equal(version.text, SPAN_LITERAL("1.0"))) {
        refuse(reading, EVENT_UNRESOLVABLE, "specversion", "not \"1.0\"");
        return;
    }
    if (!is_object(shape->data)) {
        refuse(reading, shape->data.data || shape->data_base64.data ? EVENT_WRONG_TYPE : EVENT_MISSING_REQUIRED, "data",
               shape->data_base64.data ? "data_base64 is not read: send an object as data" : "no object");
        return;
    }
    shape_at(reading, shape->data, &data);
    read_inner(reading, shape->data, &data);
    field_at(reading, FAULT_EVENT_ID, shape->id, TIME_UNIT_NONE);
    field_at(reading, FAULT_OCCURRED_AT, shape->time, TIME_UNIT_NONE);
    field_at(reading, FAULT_EMPLOYEE_ID, shape->subject, TIME_UNIT_NONE);
}

/* The headers of binary mode, whose value is the data. */
static void header_read(struct json_reading *reading, int32_t field, struct span header)
{
    const struct json_value value = {.kind = JSON_KIND_TEXT, .text = header};
    if (header.data && !json_field_given(reading, field))
        json_field_read(reading, field, &value, TIME_UNIT_NONE);
}

static void read_cloud_binary(struct json_reading *reading, struct span document, const struct shape *shape,
                              const struct record_context *context)
{
    reading->out->form = EVENT_FORM_CLOUD;
    if (!span_equal(context->ce_specversion, SPAN_LITERAL("1.0"))) {
        refuse(reading, EVENT_UNRESOLVABLE, "ce_specversion", "not 1.0");
        return;
    }
    read_inner(reading, document, shape);
    header_read(reading, FAULT_EVENT_ID, context->ce_id);
    header_read(reading, FAULT_OCCURRED_AT, context->ce_time);
    header_read(reading, FAULT_EMPLOYEE_ID, context->ce_subject);
}

/* What is within a CloudEvent: a change event, a plain event, or its attributes. */
static void read_inner(struct json_reading *reading, struct span part, const struct shape *shape)
{
    if (is_change(shape)) {
        read_change(reading, shape);
    } else if (is_plain(reading, shape)) {
        read_plain(reading, part);
        reading->out->form = EVENT_FORM_CLOUD;
    } else {
        read_columns(reading, part);
    }
}

/* --- the forms in their order --- */

static const char none_text[] =
    "is absent, and it is no CloudEvent (specversion) and no change of Debezium's (op); for "
    "other objects set INPUT_MAP";

static void read_form(struct json_reading *reading, struct span document, const struct shape *shape,
                      const struct record_context *context)
{
    struct shape payload;
    bool wraps = false;
    if (!shape->op.data && is_object(shape->payload)) {
        shape_at(reading, shape->payload, &payload);
        wraps = is_change(&payload);
    }
    if (shape->specversion.data) {
        read_cloud(reading, shape);
    } else if (context->ce_specversion.data) {
        read_cloud_binary(reading, document, shape, context);
    } else if (wraps || is_change(shape)) {
        read_change(reading, wraps ? &payload : shape);
    } else if (is_plain(reading, shape) ||
               (shape->employee_id.data && !reading->settings->map && !reading->settings->rows)) {
        read_plain(reading, document);
    } else if (reading->settings->map || reading->settings->rows) {
        reading->out->form = EVENT_FORM_MAPPED;
        read_columns(reading, document);
    } else {
        refuse_absent(reading, FAULT_EMPLOYEE_ID, none_text);
    }
}

/* --- what the document leaves open --- */

enum { TOPIC_BYTES_KEPT = 200, MADE_ID_BYTES = 256 };

/* The same each time the record is read. */
static struct span make_event_id(struct json_reading *reading, const struct record_context *context)
{
    char id[MADE_ID_BYTES];
    struct span topic = context->topic;
    if (topic.bytes > TOPIC_BYTES_KEPT)
        topic = (struct span){topic.data + topic.bytes - TOPIC_BYTES_KEPT, TOPIC_BYTES_KEPT};
    int bytes = context->partition < 0
                    ? snprintf(id, sizeof id, "%.*s/%" PRId64, (int)topic.bytes, topic.data, context->offset)
                    : snprintf(id, sizeof id, "%.*s/%" PRId32 "/%" PRId64, (int)topic.bytes, topic.data,
                               context->partition, context->offset);
    return (struct span){arena_text(&reading->reader->texts, id, (size_t)bytes), (size_t)bytes};
}

/* A bare row of a file is called by its number where it has no id. */
static bool needs_id(const struct json_reading *reading, const struct record_context *context)
{
    enum event_form form = reading->out->form;
    return context->topic.data || reading->settings->map || (form != EVENT_FORM_PLAIN && form != EVENT_FORM_MAPPED);
}

static void fill_absent(struct json_reading *reading, const struct record_context *context)
{
    struct event *out = reading->out;
    if (!json_field_given(reading, FAULT_EMPLOYEE_ID) && needs_id(reading, context))
        refuse_absent(reading, FAULT_EMPLOYEE_ID, out->form == EVENT_FORM_PLAIN ? none_text : "required, but missing");
    if (!json_field_given(reading, FAULT_EVENT_ID) && context->topic.data)
        out->event_id = make_event_id(reading, context);
    if (!json_field_given(reading, FAULT_OCCURRED_AT)) {
        if (context->timestamp_ms >= 0)
            out->occurred_at_ms = context->timestamp_ms;
        else if (context->topic.data)
            refuse_absent(reading, FAULT_OCCURRED_AT, "missing, and the record has no timestamp");
    }
    json_fields_leave(reading);
    out->without_attributes = !reading->has_attributes && !out->partial;
    if (!reading->has_attributes && out->type != EVENT_TYPE_TERMINATED && (!reading->listed || reading->changed_count))
        refuse(reading, EVENT_MISSING_REQUIRED, "attributes",
               "required, unless the event_type is TERMINATED, or changed an empty list");
}

static void event_clear(struct json_reading *reading, int32_t type)
{
    struct event *out = reading->out;
    *out = (struct event){.cells = out->cells, .type = type, .form = EVENT_FORM_PLAIN, .occurred_at_ms = INT64_MIN};
    reading->given = 0;
    reading->has_attributes = reading->strange = reading->changed_given = reading->listed = reading->unavailable =
        false;
    reading->changed_count = 0;
    reading->faults->count = 0;
    json_row_clear(reading->schema, out->cells);
    column_bits_clear(reading->schema, reading->named);
    column_bits_clear(reading->schema, reading->changed);
}

/* The usual case, in one pass. False: it has names of its own, so that it may be of another form. */
static bool read_at_once(struct json_reading *reading, const struct record_context *context)
{
    if (reading->settings->map || context->ce_specversion.data)
        return false;
    json_read_event(reading, true);
    return !reading->strange && (!reading->settings->rows || reading->has_attributes);
}

static bool document_open(struct json_reader *reader, struct span document)
{
    struct json_value root;
    json_reader_start(reader, document);
    if (json_read_value(reader, &root) && root.kind != JSON_KIND_OBJECT)
        json_refuse(reader, JSON_FLAW_NO_OBJECT);
    return reader->flaw == JSON_FLAW_NONE;
}

static void read_by_shape(struct json_reading *reading, struct span document, const struct record_context *context)
{
    struct json_reader *reader = reading->reader;
    struct shape shape;
    if (!document_open(reader, document))
        return;
    shape_read(reader, &shape);
    if (json_reader_end(reader) != JSON_FLAW_NONE)
        return;
    reading->sound = true;
    reader->at = reader->start;
    read_form(reading, document, &shape, context);
    reader->at = reader->end;
}

enum event_code json_events_read(struct json_events *events, struct span document, const struct record_context *context,
                                 struct event *out, struct json_faults *faults)
{
    struct json_reading reading = {.schema = events->schema,
                                   .settings = &events->settings,
                                   .reader = &events->reader,
                                   .out = out,
                                   .faults = faults,
                                   .named = events->named,
                                   .changed = events->changed};
    const int32_t type = out->type;
    event_clear(&reading, type);
    if (document_open(reading.reader, document) && !read_at_once(&reading, context)) {
        event_clear(&reading, type);
        read_by_shape(&reading, document, context);
    }
    if (json_reader_end(reading.reader) != JSON_FLAW_NONE)
        return json_refuse_flaw(reading.reader, faults);
    if (!faults->count && !out->ignored)
        fill_absent(&reading, context);
    return faults->count ? faults->list[0].code : EVENT_OK;
}

bool json_events_ignores(struct json_events *events, struct span value, struct cell *cells)
{
    const struct record_context context = {.timestamp_ms = -1};
    struct json_faults faults = {0};
    struct event event = {.cells = cells};
    struct frame frame = {.datum = value};
    if (value.bytes && (uint8_t)value.data[0] <= 1 && frame_read(value, SPAN_NULL, &frame, NULL) != EVENT_OK)
        return false;
    if (!json_events_recognize(frame.datum))
        return false;
    json_events_reset(events);
    return json_events_read(events, frame.datum, &context, &event, &faults) == EVENT_OK && event.ignored;
}
