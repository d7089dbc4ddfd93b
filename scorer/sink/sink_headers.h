/* A record's headers as fields of its row. */
#pragma once

#include "scorer/sink/sink_record.h"

/* The last header of that name, or SPAN_NULL: a record that was sent again may carry older ones before it. */
struct span sink_header_last(const struct sink_record *record, const char *name);

/* All of them as a jsonb field: an array of {key, value}. `scratch` is overwritten. */
void sink_headers_field(struct buffer *out, const struct sink_header *headers, size_t count, struct buffer *scratch);

/* The last header of that name as a text, integer or bigint field; null where it is absent or, as a number, no whole
 * one within the limits. */
void sink_header_text(struct buffer *out, const struct sink_record *record, const char *name, struct buffer *scratch);
void sink_header_int4(struct buffer *out, const struct sink_record *record, const char *name);
void sink_header_int8(struct buffer *out, const struct sink_record *record, const char *name);

/* Bytes that they take. */
size_t sink_headers_bytes(const struct sink_header *headers, size_t count);
