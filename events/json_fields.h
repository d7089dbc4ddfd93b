/* The fields of an event out of an object's members: by the schema's own names, or through a mapping. Which object that
 * is, and what stands where a field is absent, is json_event.c's to know. Only events/ includes this. */
#pragma once

#include "events/event.h"
#include "events/json_row.h"
#include "events/json_settings.h"

/* What PostgreSQL's connector sends for a large value that did not change. */
#define DEBEZIUM_UNAVAILABLE "__debezium_unavailable_value"

/* One event on its way out of its document. */
struct json_reading {
    const struct schema *schema;
    const struct json_settings *settings;
    struct json_reader *reader;
    struct event *out;
    struct json_faults *faults;
    unsigned given; /* bit FAULT_POSITION_…: fields of the envelope that the document has, be they faulty */
    bool has_attributes;
    uint64_t *named, *changed; /* bits of columns: those that have a value or null, those that `changed` lists */
    size_t changed_count;
    bool changed_given; /* `changed` is there, be it null */
    bool listed;        /* and is a list */
    bool unavailable;   /* cells that the connector did not send are CELL_UNLISTED already */
    bool strange;       /* a name that is none of the event's: maybe another form */
    bool sound;         /* the document was read to its end before: it is JSON, without a duplicate */
};

/* Whether a field of the envelope (FAULT_EVENT_ID, …) was given. */
bool json_field_given(const struct json_reading *reading, int32_t field);
/* As if it had not been given; its value is the caller's to clear. */
void json_field_forget(struct json_reading *reading, int32_t field);
/* A value for a field of the envelope; null is as good as absent. unit: of a bare integer as occurred_at. */
void json_field_read(struct json_reading *reading, int32_t field, const struct json_value *value, enum time_unit unit);

/* Of this and the next two: the reader has just read the opening of an object, and leaves it behind.
 *
 * The event as the schema has it. tentative: a name that it does not know ends it, with reading->strange. */
void json_read_event(struct json_reading *reading, bool tentative);
/* Its attributes, with the envelope's fields, the id column and the columns that are known and not used among them. */
void json_read_row(struct json_reading *reading);
/* Once all is read: whether the event is partial, and which cells it leaves to the employee's current record. */
void json_fields_leave(struct json_reading *reading);
/* Any object, through a mapping's node. */
void json_read_mapped(struct json_reading *reading, const struct map_node *node);
