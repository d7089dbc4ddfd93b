/* MLflow's little YAML: see yaml.h. Called by the store when it reads and writes small files; pure, any thread. The
 * input may be anything: what is not understood is as good as absent, and no byte beyond the span is looked at. */
#include "registry/yaml.h"

#include <inttypes.h>
#include <stdlib.h>

/* One line of a block; `next` is where the one after it starts. */
struct line {
    struct span text; /* without its end */
    size_t indent;
    size_t next;
};

static bool line_at(struct span block, size_t at, struct line *out)
{
    if (!block.data || at >= block.bytes)
        return false;
    const char *start = block.data + at, *end = memchr(start, '\n', block.bytes - at);
    size_t bytes = end ? (size_t)(end - start) : block.bytes - at;
    out->next = at + bytes + 1;
    if (bytes && start[bytes - 1] == '\r')
        bytes--;
    out->text = (struct span){start, bytes};
    out->indent = 0;
    while (out->indent < bytes && start[out->indent] == ' ')
        out->indent++;
    return true;
}

static bool line_is_blank(const struct line *line)
{
    return line->indent == line->text.bytes || line->text.data[line->indent] == '#';
}

static bool line_is_document_mark(const struct line *line)
{
    return line->text.bytes >= 3 && memcmp(line->text.data, "---", 3) == 0;
}

/* Does the line start an entry of that key? *value is where its value starts, counted from the line's start. */
static bool line_has_key(const struct line *line, const char *key, size_t *value)
{
    size_t bytes = strlen(key), colon = line->indent + bytes;
    if (line->text.bytes <= colon || memcmp(line->text.data + line->indent, key, bytes) != 0)
        return false;
    if (line->text.data[colon] != ':' || (line->text.bytes > colon + 1 && line->text.data[colon + 1] != ' '))
        return false;
    *value = colon + 1;
    return true;
}

/* What belongs to the entry that starts on `line`: everything up to the next line that is not indented deeper. */
static size_t entry_end(struct span block, const struct line *line)
{
    struct line next;
    size_t end = line->next;
    while (line_at(block, end, &next) && (line_is_blank(&next) || next.indent > line->indent))
        end = next.next;
    return end < block.bytes ? end : block.bytes;
}

/* *first: the rest of the key's line; *nested: the deeper lines below it. */
static bool yaml_find_entry(struct span block, const char *key, struct span *first, struct span *nested)
{
    struct line line;
    size_t value, base = SIZE_MAX;
    for (size_t at = 0; line_at(block, at, &line); at = line.next) {
        if (line_is_blank(&line) || line_is_document_mark(&line))
            continue;
        if (base == SIZE_MAX)
            base = line.indent;
        if (line.indent != base || !line_has_key(&line, key, &value))
            continue;
        size_t end = entry_end(block, &line), below = line.next < end ? line.next : end;
        *first = (struct span){line.text.data + value, line.text.bytes - value};
        *nested = (struct span){block.data + below, end - below};
        return true;
    }
    return false;
}

/* Reading position in a scalar that may run over several lines. */
struct scalar {
    const char *at, *end;
    struct buffer *out;
};

/* At a line's end: one break is a space, further ones are themselves; spaces around breaks are not part of the text. */
static void scalar_fold(struct scalar *scalar, size_t keep)
{
    struct buffer *out = scalar->out;
    size_t breaks = 0;
    while (out->bytes > keep && out->data[out->bytes - 1] == ' ')
        out->bytes--;
    for (; scalar->at < scalar->end && strchr(" \t\r\n", *scalar->at); scalar->at++)
        breaks += *scalar->at == '\n';
    for (size_t b = 1; b < breaks; b++)
        buffer_add_u8(out, '\n');
    if (breaks == 1)
        buffer_add_u8(out, ' ');
}

static bool scalar_read_single(struct scalar *scalar)
{
    while (scalar->at < scalar->end) {
        char byte = *scalar->at;
        if (byte == '\n') {
            scalar_fold(scalar, 0);
            continue;
        }
        scalar->at++;
        if (byte == '\'') {
            if (scalar->at == scalar->end || *scalar->at != '\'')
                return true;
            scalar->at++;
        }
        buffer_add_u8(scalar->out, (uint8_t)byte);
    }
    return false;
}

static void add_utf8(struct buffer *out, uint32_t code)
{
    if (code < 0x80) {
        buffer_add_u8(out, (uint8_t)code);
        return;
    }
    unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    buffer_add_u8(out, (uint8_t)(lead[more] | (code >> 6 * more)));
    while (more--)
        buffer_add_u8(out, (uint8_t)(0x80 | ((code >> 6 * more) & 0x3F)));
}

static bool scalar_read_hex(struct scalar *scalar, size_t digits)
{
    char text[9] = "", *end;
    if ((size_t)(scalar->end - scalar->at) < digits)
        return false;
    memcpy(text, scalar->at, digits);
    unsigned long code = strtoul(text, &end, 16);
    if (*end || text[0] == '-' || text[0] == '+' || text[0] == ' ' || code > 0x10FFFF)
        return false;
    scalar->at += digits;
    add_utf8(scalar->out, (uint32_t)code);
    return true;
}

/* Behind a backslash. */
static bool scalar_read_escape(struct scalar *scalar)
{
    static const char names[] = "0abtnvfre \"/\\", values[] = "\0\a\b\t\n\v\f\r\x1b \"/\\";
    if (scalar->at == scalar->end)
        return false;
    char byte = *scalar->at++;
    if (byte == 'x' || byte == 'u' || byte == 'U')
        return scalar_read_hex(scalar, byte == 'x' ? 2 : byte == 'u' ? 4 : 8);
    if (byte == '\n') {
        while (scalar->at < scalar->end && (*scalar->at == ' ' || *scalar->at == '\t'))
            scalar->at++;
        return true;
    }
    const char *name = memchr(names, byte, sizeof names - 1);
    if (!name)
        return false;
    buffer_add_u8(scalar->out, (uint8_t)values[name - names]);
    return true;
}

static bool scalar_read_double(struct scalar *scalar)
{
    size_t keep = 0; /* what escapes wrote is kept, even if it is a space before a break */
    while (scalar->at < scalar->end) {
        char byte = *scalar->at;
        if (byte == '\n') {
            scalar_fold(scalar, keep);
            continue;
        }
        scalar->at++;
        if (byte == '"')
            return true;
        if (byte != '\\') {
            buffer_add_u8(scalar->out, (uint8_t)byte);
            continue;
        }
        if (!scalar_read_escape(scalar))
            return false;
        keep = scalar->out->bytes;
    }
    return false;
}

/* Up to the end or a comment; null in YAML's spellings is no text. */
static bool scalar_read_plain(struct scalar *scalar)
{
    struct buffer *out = scalar->out;
    if (scalar->at < scalar->end && strchr("[{|>&*!%@`", *scalar->at))
        return false;
    while (scalar->at < scalar->end) {
        char byte = *scalar->at;
        if (byte == '\n') {
            scalar_fold(scalar, 0);
            continue;
        }
        if (byte == '#' && (out->bytes == 0 || out->data[out->bytes - 1] == ' '))
            break;
        buffer_add_u8(out, (uint8_t)byte);
        scalar->at++;
    }
    while (out->bytes && strchr(" \t\r\n", out->data[out->bytes - 1]))
        out->bytes--;
    struct span text = buffer_span(out);
    return text.bytes && !span_equal(text, SPAN_LITERAL("null")) && !span_equal(text, SPAN_LITERAL("~"));
}

bool yaml_scalar(struct span block, const char *key, struct buffer *out)
{
    struct span first, nested;
    buffer_clear(out);
    if (!yaml_find_entry(block, key, &first, &nested))
        return false;
    struct scalar scalar = {first.data, nested.data + nested.bytes, out};
    while (scalar.at < first.data + first.bytes && *scalar.at == ' ')
        scalar.at++;
    if (scalar.at == first.data + first.bytes || *scalar.at == '\r')
        return false; /* nothing on the line: a nested map, or null */
    char quote = *scalar.at;
    scalar.at += quote == '\'' || quote == '"';
    bool read = quote == '\''  ? scalar_read_single(&scalar)
                : quote == '"' ? scalar_read_double(&scalar)
                               : scalar_read_plain(&scalar);
    *buffer_reserve(out, 1) = '\0';
    return read;
}

bool yaml_block(struct span block, const char *key, struct span *out)
{
    struct span first, nested;
    if (!yaml_find_entry(block, key, &first, &nested) || nested.bytes == 0)
        return false;
    *out = nested;
    return true;
}

/* Texts that need no quotes, and that no reader takes for a number, a date, null or a boolean. */
static bool is_plain(const char *value)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    bool letter = (value[0] >= 'a' && value[0] <= 'z') || (value[0] >= 'A' && value[0] <= 'Z') || value[0] == '/';
    if (!letter || value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-")])
        return false;
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        if (strcasecmp(value, words[w]) == 0)
            return false;
    return true;
}

static void add_quoted(struct buffer *out, const char *value)
{
    buffer_add_u8(out, '"');
    for (; *value; value++) {
        uint8_t byte = (uint8_t)*value;
        if (byte == '"' || byte == '\\')
            buffer_printf(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7F)
            buffer_printf(out, "\\x%02x", byte);
        else
            buffer_add_u8(out, byte);
    }
    buffer_add_u8(out, '"');
}

static void add_key(struct buffer *out, unsigned indent, const char *key)
{
    buffer_printf(out, "%*s", (int)indent, "");
    if (is_plain(key))
        buffer_add_text(out, key);
    else
        add_quoted(out, key);
    buffer_add_text(out, ": ");
}

void yaml_add_text(struct buffer *out, unsigned indent, const char *key, const char *value)
{
    add_key(out, indent, key);
    if (!value)
        buffer_add_text(out, "null");
    else if (is_plain(value))
        buffer_add_text(out, value);
    else
        add_quoted(out, value);
    buffer_add_u8(out, '\n');
}

void yaml_add_int(struct buffer *out, unsigned indent, const char *key, int64_t value)
{
    add_key(out, indent, key);
    buffer_printf(out, "%" PRId64 "\n", value);
}
