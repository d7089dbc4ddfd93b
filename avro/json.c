/* See json.h. Used by the JSON executor and for defaults. */
#include "avro/json.h"

#include "base/json.h"

void avro_json_double(struct buffer *out, double number)
{
    size_t before = out->bytes;
    json_add_double(out, number);
    for (size_t i = before; i < out->bytes; i++)
        if (out->data[i] != '-' && (out->data[i] < '0' || out->data[i] > '9'))
            return;
    buffer_add_text(out, ".0");
}

void avro_json_raw(struct buffer *out, struct span raw)
{
    char *at = buffer_reserve(out, raw.bytes * 6 + 2);
    *at++ = '"';
    for (size_t i = 0; i < raw.bytes; i++) {
        uint8_t byte = (uint8_t)raw.data[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
            *at++ = (char)byte;
            continue;
        }
        memcpy(at, "\\u00", 4);
        at[4] = "0123456789abcdef"[byte >> 4];
        at[5] = "0123456789abcdef"[byte & 15];
        at += 6;
    }
    *at++ = '"';
    buffer_end_at(out, at);
}
