/* What the bytes of a dead letter (or of an event) say: whom it is of, and the event as far as it can be decoded. One
 * thread. */
#pragma once

#include "base/options.h"
#include "events/decoder.h"
#include "events/key.h"

struct dlq_content_reader;

/* Values' schemas: ids.json's, and the schema registry's where one is set; JSON, and the mapping where one is set.
 * Borrows the schema. */
MUST_USE enum status dlq_content_reader_new(const struct options *options, const struct schema *schema,
                                            struct dlq_content_reader **out, struct error *err);
void dlq_content_reader_free(struct dlq_content_reader *reader);

enum { DLQ_CONTENT_FAULTS_MAX = 64 };

/* Plain data; spans borrow from the bytes given and from the reader, until its next call. */
struct dlq_content {
    struct span key_id;         /* whom the key names; SPAN_NULL: nobody that can be read */
    enum event_code value_code; /* EVENT_OK: `event` was decoded; else value_fault says why not */
    struct fault value_fault;
    struct event event; /* of Avro that was not decoded: what was read before the fault; the rest is SPAN_NULL,
                           INT64_MIN, type -1, CELL_UNLISTED */
    size_t fault_count; /* of the event, by the schema as it is today */
    struct fault faults[DLQ_CONTENT_FAULTS_MAX];
};

/* Waits some seconds for a schema that the registry is asked for. `context`: of the event's record; NULL where
 * there is no value. */
void dlq_content_read(struct dlq_content_reader *reader, struct span key, struct span value, struct span frame_header,
                      const struct record_context *context, struct dlq_content *out);

/* Whether a JSON event says no time of its own, so that it has that of its record, whose timestamp this is; also one
 * that cannot be decoded, where that is not known. */
bool dlq_content_has_records_time(const struct dlq_content *content, int64_t timestamp_ms);

/* Whom the value names, as far as that could be read; SPAN_NULL: nobody. */
struct span dlq_content_value_id(const struct dlq_content *content);
