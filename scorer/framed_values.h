/* Values as they lie in a topic, for people: a frame of any schema of ids.json or of a schema registry, JSON, or null.
 * For `scorer decode --framed`; main thread. */
#pragma once

#include "base/options.h"
#include "events/error_codes.h"

struct framed_values;

/* Reads every schema that the schema directory's ids.json names; a registry where one is set is asked for others. */
MUST_USE enum status framed_values_new(const struct options *options, struct framed_values **out, struct error *err);
void framed_values_free(struct framed_values *values);

/* Appends the value as one line's JSON (Avro's JSON encoding; a JSON value without its blanks). On anything but
 * EVENT_OK fault says why, and what was appended is void. */
enum event_code framed_values_write(struct framed_values *values, struct span value, struct buffer *out,
                                    struct fault *fault);
