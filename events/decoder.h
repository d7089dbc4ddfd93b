/* Message bytes → event: frame, schema id, compiled plan. One decoder per thread; it caches a plan per writer schema.
 *
 * The plan is a flat program compiled from writer schema × reader schema (events/plan.h); decoding allocates nothing,
 * does bounded work per byte and is strict (docs/ERRORS.md). Nominal cells get their category's code here. */
#ifndef EVENTS_DECODER_H
#define EVENTS_DECODER_H

#include "events/codes.h"
#include "events/event.h"
#include "events/schema.h"

struct decoder;

/* Borrows the schema. Free with decoder_free. */
MUST_USE enum status decoder_new(const struct schema *schema, struct decoder **out, struct error *err);
void decoder_free(struct decoder *decoder);

/* Decodes one framed message into out (out->cells points at column_count cells of the caller's). On anything but
 * EVENT_OK, fault says why and out is undefined. `value` must outlive `out`. Ranges and categories are not judged here.
 */
enum event_code decoder_decode(struct decoder *decoder, struct span value, struct event *out, struct fault *fault);

#endif
