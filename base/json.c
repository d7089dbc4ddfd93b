/* JSON text: see json.h. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>

void json_add_text(struct buffer *out, struct span text)
{
    static const char hex[] = "0123456789abcdef";
    char *at = buffer_reserve(out, text.bytes * 6 + 2), *start = at;
    *at++ = '"';
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            *at++ = '\\';
            *at++ = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            memcpy(at, "\\u00", 4);
            at[4] = hex[c >> 4];
            at[5] = hex[c & 15];
            at += 6;
        } else {
            *at++ = (char)c;
        }
    }
    *at++ = '"';
    out->bytes += (size_t)(at - start);
}

void json_add_uint(struct buffer *out, uint64_t number)
{
    char digits[20], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    buffer_add(out, at, (size_t)(digits + sizeof digits - at));
}

void json_add_int(struct buffer *out, int64_t number)
{
    if (number < 0)
        buffer_add_u8(out, '-');
    json_add_uint(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void json_add_double(struct buffer *out, double number)
{
    if (isnan(number)) {
        buffer_add_text(out, "\"NaN\"");
    } else if (isinf(number)) {
        buffer_add_text(out, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else if (fabs(number) < 9007199254740992.0 && number == (double)(int64_t)number &&
               (number != 0 || !signbit(number))) {
        json_add_int(out, (int64_t)number);
    } else if (number == 0) {
        buffer_add_text(out, "-0.0");
    } else {
        char *at = buffer_reserve(out, 32);
        out->bytes += (size_t)snprintf(at, 32, "%.17g", number);
    }
}

void json_add_row(struct buffer *out, const struct column *columns, size_t column_count, const struct cell *cells)
{
    size_t start = out->bytes;
    for (size_t c = 0; c < column_count; c++) {
        if (cells[c].code == CELL_UNLISTED)
            continue;
        buffer_add_u8(out, out->bytes > start ? ',' : '{');
        json_add_text(out, span_of(columns[c].name));
        buffer_add_u8(out, ':');
        if (cells[c].code == CELL_MISSING)
            buffer_add_text(out, "null");
        else if (columns[c].kind == COLUMN_NOMINAL)
            json_add_text(out, (struct span){cells[c].text, cells[c].text_bytes});
        else
            json_add_double(out, cells[c].number);
    }
    buffer_add_text(out, out->bytes > start ? "}" : "{}");
}
