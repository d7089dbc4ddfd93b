/* Rows as CSV: id, the schema's columns in its order, the label; and events: id, the event's own fields, columns. RFC
 * 4180 quoting, LF. */
#pragma once

#include "events/event.h"
#include "events/schema.h"

void table_write_header(const struct schema *schema, struct buffer *out);
/* Rows are without their line end. */
void table_write_row(const struct schema *schema, struct span id, const struct cell *cells, uint32_t label,
                     struct buffer *out);

void table_write_event_header(const struct schema *schema, struct buffer *out);
void table_write_event(const struct schema *schema, const struct event *event, struct buffer *out); /* a whole one */

/* A field of CSV, quoted where it must be. */
void table_add_field(struct buffer *out, struct span text);
