/* Events that come as JSON, in any of the forms that publishers have, decoded into the same row as Avro's.
 *
 * Tried in this order: CloudEvents 1.0 (`specversion`, or the header ce_specversion), Debezium's change events (`op`),
 * the event as the schema has it (`employee_id`, …), and, where a mapping is set, any object through that. What is not
 * in the document comes from the record that carried it. docs/EVENTS_AS_JSON.md says it for publishers. */
#pragma once

#include "events/event.h"
#include "events/json_row.h"
#include "events/json_settings.h"

struct json_events;

/* Borrows the schema. Free with json_events_free. */
struct json_events *json_events_new(const struct schema *schema, const struct json_settings *settings);
void json_events_free(struct json_events *events);

/* Ids and categories that were written with escapes are of no use any more: before each batch. */
void json_events_reset(struct json_events *events);

/* Reads one document. out->cells are the caller's; out->type is that of an event that names none (SNAPSHOT, in
 * general). Returns whether there are no faults: EVENT_OK, or the first one's code. Ids, ranges, categories and rules
 * are not checked here. out->form says which form it was, also where it has faults. */
enum event_code json_events_read(struct json_events *events, struct span document, const struct record_context *context,
                                 struct event *out, struct json_faults *faults);

/* Whether a value, in a frame or not, is JSON that reports no change of an employee. `cells`: room for one row. */
bool json_events_ignores(struct json_events *events, struct span value, struct cell *cells);

/* Whether a value is taken for JSON where that has to be guessed: its first byte that is no white space is '{'. */
bool json_events_recognize(struct span value);
