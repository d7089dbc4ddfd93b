/* Message bytes → event: frame, schema id, compiled plan; or JSON (json_event.h). One decoder per thread; it caches a
 * plan per writer schema.
 *
 * The plan is a flat program compiled from writer schema × reader schema (events/row_plan.h); decoding allocates
 * nothing, does bounded work per byte and is strict (docs/ERRORS.md). Nominal cells get their category's code here.
 * Writers are those of ids.json and, where there is a registry, whatever it knows. */
#pragma once

#include "events/error_codes.h"
#include "events/event.h"
#include "events/frame.h"
#include "events/json_event.h"
#include "avro/registry_client.h"
#include "events/schema.h"
#include "events/time_unit.h"

struct decoder;

/* Borrows the schema. Free with decoder_free. */
MUST_USE enum status decoder_new(const struct schema *schema, struct decoder **out, struct error *err);
void decoder_free(struct decoder *decoder);

/* Ids beyond ids.json are looked up there from now on. Borrows it; NULL: none. */
void decoder_use_registry(struct decoder *decoder, struct registry_client *registry);

/* From now on a value without FRAME_HEADER is a bare datum, written with the schema of this id, or of this .avsc file.
 */
MUST_USE enum status decoder_take_unframed(struct decoder *decoder, const char *id_or_file, struct error *err);

/* What a writer's number without a logical type counts as occurred_at. */
void decoder_use_time_unit(struct decoder *decoder, enum time_unit unit);

/* From now on values that no frame or header gives a schema may be JSON: with INPUT_FORMAT_AUTO those that look so,
 * unless unframed Avro is taken; with INPUT_FORMAT_JSON all. */
void decoder_take_json(struct decoder *decoder, enum input_format format, const struct json_settings *settings);

/* Before each batch: texts of the events before may be gone. */
void decoder_reset(struct decoder *decoder);

/* As decoder_read below, of a record of which more is known than its value. */
enum event_code decoder_read_record(struct decoder *decoder, struct span value, struct span header,
                                    const struct record_context *context, struct event *out, struct fault *fault,
                                    bool *waits);

/* Decodes one message into out (out->cells points at column_count cells of the caller's). `header`: its FRAME_HEADER,
 * or SPAN_NULL. On anything but EVENT_OK, fault says why and out is undefined; with *waits true nothing is known yet:
 * its schema has been asked for, look again when registry_client_answers has moved. `value` must outlive `out`. Ranges
 * and categories are not checked here. */
enum event_code decoder_read(struct decoder *decoder, struct span value, struct span header, struct event *out,
                             struct fault *fault, bool *waits);

/* The same without a header, for bytes that cannot wait: an id that is not known is an unknown one. */
enum event_code decoder_decode(struct decoder *decoder, struct span value, struct event *out, struct fault *fault);
