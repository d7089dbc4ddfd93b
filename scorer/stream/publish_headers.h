/* The headers of what a score loop writes: the event's trace, the position of its source, and why it is a dead letter.
 *
 * Each makes new headers, for the record to take. `topic` is the input's. Of each name there is one: a source that
 * somebody sent again may carry those of its last time. */
#pragma once

#include "events/error_codes.h"
#include "scorer/stream/input_consumer.h"

/* The event's trace goes on in its prediction, which says whether the event was HIRED. Costs next to nothing where it
 * was not and a message has no headers; NULL: none. */
rd_kafka_headers_t *publish_headers_prediction(const struct input_message *source, bool hired);
/* Which record it is from. */
rd_kafka_headers_t *publish_headers_erasure(const char *topic, const struct input_message *source);
/* The same, and the event's trace. */
rd_kafka_headers_t *publish_headers_alert(const char *topic, const struct input_message *source);
/* Which record it is from, added to the source's own; without those that say what the value is (schema, JSON,
 * CloudEvent) where it is another one than came. */
rd_kafka_headers_t *publish_headers_outcome(const char *topic, const struct input_message *source, bool as_it_came);
/* Kafka Connect's names, and ours (events/dead_letter.h), added to the source's own unless bare. Never a payload value.
 * field: NULL: none. */
rd_kafka_headers_t *publish_headers_dead_letter(const char *topic, const struct input_message *source, bool bare,
                                                enum event_code code, const char *field, const char *text);
