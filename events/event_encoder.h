/* Events into bytes: what the producer sends. Frame (event_schema_id) and Avro binary of the event schema, appended. */
#pragma once

#include "events/event.h"
#include "events/schema.h"

/* Whether the cells fit the schema's types: no null where there is no null branch, integers within an int's or
 * long's range, texts for text. What validate_row passes does. */
bool event_is_encodable(const struct schema *schema, const struct cell *cells);

/* Asserts on cells that are not encodable. */
void event_encode(const struct schema *schema, const struct event *event, struct buffer *out);

/* Only the attributes record, unframed: shared with the prediction encoder. */
void attributes_encode(const struct schema *schema, const struct cell *cells, struct buffer *out);
