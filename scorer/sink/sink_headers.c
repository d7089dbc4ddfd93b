/* Headers → fields: see sink_headers.h. Called by sink_rows.c and sink_batch.c on the sink's thread. Whoever wrote the
 * record chose them: nothing here may take them for valid text or numbers. */
#include "scorer/sink/sink_headers.h"

#include <string.h>

#include "base/json.h"
#include "events/dead_letter.h"
#include "scorer/sink/copy_fields.h"
#include "scorer/sink/sink_text.h"

struct span sink_header_last(const struct sink_record *record, const char *name)
{
    for (size_t h = record->header_count; h-- > 0;)
        if (!strcmp(record->headers[h].name, name))
            return record->headers[h].value;
    return SPAN_NULL;
}

static void json_add_hex(struct buffer *out, struct span bytes)
{
    static const char digits[] = "0123456789abcdef";
    buffer_add_text(out, "{\"hex\":\"");
    char *at = buffer_reserve(out, bytes.bytes * 2);
    for (size_t i = 0; i < bytes.bytes; i++) {
        *at++ = digits[(unsigned char)bytes.data[i] >> 4];
        *at++ = digits[(unsigned char)bytes.data[i] & 15];
    }
    out->bytes += bytes.bytes * 2;
    buffer_add_text(out, "\"}");
}

void sink_headers_field(struct buffer *out, const struct sink_header *headers, size_t count, struct buffer *scratch)
{
    size_t at = jsonb_start(out);
    buffer_add_u8(out, '[');
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(out, i ? ",{\"key\":" : "{\"key\":");
        json_add_text(out, sink_text_valid(span_of(headers[i].name), scratch));
        buffer_add_text(out, ",\"value\":");
        if (!headers[i].value.data)
            buffer_add_text(out, "null");
        else if (sink_text_is_valid(headers[i].value))
            json_add_text(out, headers[i].value);
        else
            json_add_hex(out, headers[i].value);
        buffer_add_u8(out, '}');
    }
    buffer_add_u8(out, ']');
    jsonb_end(out, at);
}

void sink_header_text(struct buffer *out, const struct sink_record *record, const char *name, struct buffer *scratch)
{
    field_bytes(out, sink_text_valid(sink_header_last(record, name), scratch));
}

void sink_header_int4(struct buffer *out, const struct sink_record *record, const char *name)
{
    field_int4_or_null(out, dead_letter_number(sink_header_last(record, name), -1));
}

void sink_header_int8(struct buffer *out, const struct sink_record *record, const char *name)
{
    field_int8_or_null(out, dead_letter_number(sink_header_last(record, name), -1));
}

size_t sink_headers_bytes(const struct sink_header *headers, size_t count)
{
    size_t bytes = count * sizeof *headers;
    for (size_t h = 0; h < count; h++)
        bytes += strlen(headers[h].name) + headers[h].value.bytes;
    return bytes;
}
