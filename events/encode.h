/* Events into bytes: what the producer sends. Frame (event_schema_id) and Avro binary of the event schema, appended. */
#ifndef EVENTS_ENCODE_H
#define EVENTS_ENCODE_H

#include "events/event.h"
#include "events/schema.h"

void event_encode(const struct schema *schema, const struct event *event, struct buffer *out);

/* Only the attributes record, unframed: shared with the prediction encoder. */
void attributes_encode(const struct schema *schema, const struct cell *cells, struct buffer *out);

#endif
