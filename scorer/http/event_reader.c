/* Posted events, read and checked: see event_reader.h. On the server's threads; what it allocates lives as long as the
 * request. Texts of faults name fields and never repeat a value. */
#include "scorer/http/event_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "events/event_encoder.h"
#include "events/fault.h"
#include "events/identity.h"
#include "events/validate.h"

struct event_reader {
    const struct settings *settings;
    const struct schema *schema;
    struct json_events *json;
    struct json_reader names;     /* of a document in which a fault was found */
    struct cell *cells, *checked; /* column_count each: as they are sent, and as the scorer will see them */
    struct json_faults found;     /* of the document */
    struct fault *values;         /* of its values; as many */
    int64_t latest_ms;
};

struct event_reader *event_reader_new(const struct settings *settings, int64_t now_us)
{
    const struct schema *schema = settings->schema;
    struct event_reader *reader = mem_zeroed(1, sizeof *reader);
    reader->settings = settings;
    reader->schema = schema;
    reader->json = json_events_new(schema, &settings->json);
    reader->cells = mem_zeroed(schema->column_count, sizeof *reader->cells);
    reader->checked = mem_zeroed(schema->column_count, sizeof *reader->checked);
    reader->found.capacity = schema->column_count + schema->rule_count + FAULTS_REPORTED;
    reader->found.list = mem_zeroed(reader->found.capacity, sizeof *reader->found.list);
    reader->values = mem_zeroed(reader->found.capacity, sizeof *reader->values);
    reader->latest_ms = now_us / 1000 + settings->max_future_us / 1000;
    return reader;
}

void event_reader_free(struct event_reader *reader)
{
    json_events_free(reader->json);
    json_reader_free(&reader->names);
    free(reader->cells);
    free(reader->checked);
    free(reader->found.list);
    free(reader->values);
    free(reader);
}

/* --- where a fault stands --- */

static bool is_member(struct event_reader *reader, struct span document, struct span wanted)
{
    struct json_value root;
    struct span name, part;
    bool found = false;
    json_reader_start(&reader->names, document);
    if (!json_read_value(&reader->names, &root) || root.kind != JSON_KIND_OBJECT)
        return false;
    for (bool first = true; json_next_name(&reader->names, &first, &name);) {
        found |= span_equal(name, wanted);
        json_skip_value(&reader->names, &part);
    }
    json_reader_reset(&reader->names);
    return found;
}

/* As if the event were written in full, whatever form it has. */
static void report(struct event_reader *reader, struct span document, struct loc loc, const struct fault *fault,
                   struct faults *faults)
{
    char text[sizeof fault->text];
    size_t bytes = fault->named ? fault->named - FAULT_NAME_END : 0;
    memcpy(text, fault->text, bytes);
    text[bytes] = '\0';
    const char *name = fault->column >= 0 ? reader->schema->columns[fault->column].name : text;
    bool is_attribute = fault->column >= 0 || (fault->code == EVENT_UNKNOWN_FIELD &&
                                               !is_member(reader, document, (struct span){text, bytes}));
    if (is_attribute)
        loc = loc_name(loc, "attributes");
    faults_add(faults, *name ? loc_name(loc, name) : loc, fault->code, fault_reason(fault));
}

/* --- checking --- */

static bool is_reported(const struct event_reader *reader, int32_t column)
{
    for (size_t i = 0; i < reader->found.count && i < reader->found.capacity; i++)
        if (reader->found.list[i].column == column)
            return true;
    return false;
}

static void add(struct event_reader *reader, const struct fault *fault)
{
    if (reader->found.count < reader->found.capacity)
        reader->found.list[reader->found.count++] = *fault;
}

static void check_id(struct event_reader *reader, struct span id, int32_t field)
{
    struct fault fault;
    const char *flaw = id.data && !is_reported(reader, field) ? id_flaw(id) : NULL;
    if (!flaw)
        return;
    (void)fault_set_field(&fault, EVENT_BAD_ID, field, envelope_field_name(field), "%s", flaw);
    add(reader, &fault);
}

static void check_envelope(struct event_reader *reader, const struct event *event)
{
    struct fault fault;
    check_id(reader, event->event_id, FAULT_EVENT_ID);
    check_id(reader, event->employee_id, FAULT_EMPLOYEE_ID);
    if (event->occurred_at_ms != INT64_MIN && !is_reported(reader, FAULT_OCCURRED_AT) &&
        occurred_at_check(event->occurred_at_ms, reader->latest_ms, &fault) != EVENT_OK)
        add(reader, &fault);
    if (!event->partial || event->type == EVENT_TYPE_CHANGED)
        return;
    (void)fault_set_field(&fault, EVENT_RULE, FAULT_CHANGED, "changed", "only an event of type CHANGED has a list");
    add(reader, &fault);
}

/* Of a partial event, what is missing and what contradicts shows when it is merged; of one that has other faults,
 * what is missing may be what they are about. */
static bool shows_later(const struct event *event, const struct fault *fault, bool has_faults)
{
    return (event->partial && (fault->code == EVENT_MISSING_REQUIRED || fault->code == EVENT_RULE)) ||
           (has_faults && fault->code == EVENT_MISSING_REQUIRED);
}

static void check_values(struct event_reader *reader, const struct event *event)
{
    const struct schema *schema = reader->schema;
    bool has_faults = reader->found.count;
    if (validate_is_without_attributes(schema, event))
        return;
    memcpy(reader->checked, event->cells, schema->column_count * sizeof *reader->checked);
    validate_impute(schema, reader->checked);
    for (size_t c = 0; c < schema->column_count; c++)
        if (reader->checked[c].code == CELL_UNLISTED)
            reader->checked[c] = cell_missing(&schema->columns[c]);
    size_t count = validate_row_all(schema, reader->checked, reader->values, reader->found.capacity);
    for (size_t i = 0; i < count; i++)
        if (!shows_later(event, &reader->values[i], has_faults) &&
            (reader->values[i].column < 0 || !is_reported(reader, reader->values[i].column)))
            add(reader, &reader->values[i]);
}

/* What the schema's policy takes for missing is sent as it is, as far as Avro has a place for it. */
static void check_encodable(struct event_reader *reader, struct event *event)
{
    struct fault fault;
    if (event_is_encodable(reader->schema, event->cells))
        return;
    validate_impute(reader->schema, event->cells);
    if (event_is_encodable(reader->schema, event->cells))
        return;
    (void)fault_set_field(&fault, EVENT_MISSING_REQUIRED, FAULT_NO_COLUMN, "attributes",
                          "the schema has columns that cannot be null, so the event must have them");
    add(reader, &fault);
}

static void check_event(struct event_reader *reader, struct event *event)
{
    struct fault fault;
    if (event->ignored) {
        (void)fault_set_field(&fault, EVENT_UNRESOLVABLE, FAULT_NO_COLUMN, "op",
                              "it reports no change of an employee, so there is nothing to send");
        add(reader, &fault);
        return;
    }
    check_envelope(reader, event);
    check_values(reader, event);
    if (!reader->found.count)
        check_encodable(reader, event);
}

bool event_reader_read(struct event_reader *reader, struct span document, const struct record_context *context,
                       struct loc loc, struct event *event, struct faults *faults)
{
    *event = (struct event){.cells = reader->cells, .type = EVENT_TYPE_SNAPSHOT};
    reader->found.count = 0;
    json_events_reset(reader->json);
    enum event_code code = json_events_read(reader->json, document, context, event, &reader->found);
    bool is_document = code != EVENT_MALFORMED && code != EVENT_LIMIT;
    if (is_document)
        check_event(reader, event);
    for (size_t i = 0; i < reader->found.count && i < reader->found.capacity; i++)
        report(reader, document, loc, &reader->found.list[i], faults);
    return reader->found.count == 0;
}
