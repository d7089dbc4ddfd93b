/* Writing CSV: see csv_write.h. */
#include "base/csv_write.h"

#include <string.h>

/* OWASP's list, and the wide forms that some spreadsheets take for the same. */
static bool is_formula(struct span text)
{
    static const char *const wide[] = {"\xEF\xBC\x9D", "\xEF\xBC\x8B", "\xEF\xBC\x8D", "\xEF\xBC\xA0"};
    if (!text.bytes)
        return false;
    for (size_t w = 0; w < sizeof wide / sizeof *wide; w++)
        if (text.bytes >= 3 && !memcmp(text.data, wide[w], 3))
            return true;
    return memchr("=+-@\t\r\n", *text.data, 7) != NULL;
}

static bool is_number(struct span text)
{
    for (size_t b = 0; b < text.bytes; b++)
        if (!memchr("0123456789+-.eE", text.data[b], 15))
            return false;
    return true;
}

static bool needs_quotes(struct span text)
{
    for (size_t b = 0; b < text.bytes; b++)
        if (memchr(",\"\r\n\t;", text.data[b], 6))
            return true;
    return text.bytes && (text.data[0] == ' ' || text.data[text.bytes - 1] == ' ');
}

void csv_add_cell(struct buffer *out, struct span text, bool is_first, bool takes_number)
{
    bool guarded = is_formula(text) && !(takes_number && is_number(text)), quoted = guarded || needs_quotes(text);
    if (!is_first)
        buffer_add_u8(out, ',');
    if (quoted)
        buffer_add_u8(out, '"');
    if (guarded)
        buffer_add_u8(out, '\'');
    for (size_t b = 0; b < text.bytes; b++) {
        if (text.data[b] == '"')
            buffer_add_u8(out, '"');
        buffer_add_u8(out, (uint8_t)text.data[b]);
    }
    if (quoted)
        buffer_add_u8(out, '"');
}

void csv_end_line(struct buffer *out)
{
    buffer_add_text(out, "\r\n");
}

void csv_add_sql(struct buffer *sql, const struct csv_column *columns, size_t count)
{
    for (size_t c = 0; c < count; c++)
        buffer_printf(sql, ", %s", columns[c].sql);
}

void csv_add_names(struct buffer *out, const struct csv_column *columns, size_t count, bool is_first)
{
    for (size_t c = 0; c < count; c++)
        csv_add_cell(out, span_of(columns[c].name), is_first && !c, false);
}
