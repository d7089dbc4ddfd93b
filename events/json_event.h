/* Events that come as JSON, in any of the forms that publishers have, decoded into the same row as Avro's.
 *
 * Tried in this order: CloudEvents 1.0 (`specversion`, or the header ce_specversion), Debezium's change events (`op`),
 * the event as the schema has it (`employee_id`, …), and, where a mapping is set, any object through that. What is not
 * in the document comes from the record that carried it. docs/EVENTS_AS_JSON.md says it for publishers. */
#ifndef EVENTS_JSON_EVENT_H
#define EVENTS_JSON_EVENT_H

#include "events/event.h"
#include "events/input_map.h"
#include "events/json_row.h"
#include "events/time_unit.h"

/* What a record says besides its value; SPAN_NULL: nothing. */
struct record_about {
    struct span topic;
    int32_t partition;
    int64_t offset, timestamp_ms;                           /* timestamp_ms < 0: none */
    struct span ce_specversion, ce_id, ce_time, ce_subject; /* headers of CloudEvents in binary mode */
};

/* How documents are read: plain data. */
struct json_settings {
    enum time_unit time_unit;    /* of bare integers in occurred_at; TIME_UNIT_NONE: they are refused */
    const struct input_map *map; /* NULL: none */
    bool refuse_deletes;         /* a row that was deleted is a dead letter instead of a termination */
    bool rows;      /* lines of a file: an object without `attributes` may be the attributes themselves, the id
                       among them; `id` and the schema's id column are names of employee_id */
    bool unchecked; /* as of json_row_read */
};

/* Which values are documents: see decoder_take_json. */
enum input_format { INPUT_FORMAT_AUTO, INPUT_FORMAT_AVRO, INPUT_FORMAT_JSON };

struct json_events;

/* Borrows the schema. Free with json_events_free. */
struct json_events *json_events_new(const struct schema *schema, const struct json_settings *settings);
void json_events_free(struct json_events *events);

/* Ids and categories that were written with escapes are of no use any more: before each batch. */
void json_events_reset(struct json_events *events);

/* Reads one document. out->cells are the caller's; out->type is that of an event that names none (SNAPSHOT, in
 * general). Returns whether there are no faults: EVENT_OK, or the first one's code. Ids, ranges, categories and rules
 * are not checked here. out->form says which form it was, also where it has faults. */
enum event_code json_events_read(struct json_events *events, struct span document, const struct record_about *about,
                                 struct event *out, struct json_faults *faults);

/* Whether a value is taken for JSON where that has to be guessed: its first byte that is no white space is '{'. */
bool json_events_recognize(struct span value);

#endif
