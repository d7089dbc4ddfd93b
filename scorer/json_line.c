/* One pass over a line's tokens: see json_line.h. Called by cmd_score, on its only thread. It decides nothing: what is
 * not JSON goes through unchanged, and the parser after this one refuses it. */
#include "scorer/json_line.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { DEPTH_MAX = 2048, NUMBER_TEXT_MAX = 2048 };

struct scan {
    struct cursor cursor;
    struct buffer *out;
    char before; /* the last byte outside strings and white space; 0 at the start */
    unsigned depth;
    bool in_array[DEPTH_MAX];
    bool key_is_id;          /* the outermost object's latest key */
    size_t id_start, id_end; /* in out; equal: none */
    size_t suffix;           /* bytes put after the latest word */
};

static bool scan_at_value(const struct scan *scan)
{
    bool array = scan->depth > 0 && scan->depth <= DEPTH_MAX && scan->in_array[scan->depth - 1];
    return scan->before == ':' || scan->before == 0 || (array && (scan->before == '[' || scan->before == ','));
}

/* Called around a scalar's bytes in out. */
static void scan_scalar(struct scan *scan, size_t start, bool value)
{
    if (value && scan->depth == 1 && scan->before == ':' && scan->key_is_id) {
        scan->id_start = start;
        scan->id_end = scan->out->bytes - scan->suffix;
    }
    scan->before = '"';
}

/* The opening quote has been read. */
static void scan_string(struct scan *scan)
{
    size_t start = scan->out->bytes;
    bool value = scan_at_value(scan);
    scan->suffix = 0;
    uint8_t byte = '"';
    buffer_add_u8(scan->out, byte);
    while (cursor_u8(&scan->cursor, &byte)) {
        buffer_add_u8(scan->out, byte);
        if (byte == '"')
            break;
        if (byte == '\\' && cursor_u8(&scan->cursor, &byte))
            buffer_add_u8(scan->out, byte);
    }
    if (!value && scan->depth == 1) {
        struct span key = {scan->out->data + start, scan->out->bytes - start};
        scan->key_is_id = span_equal(key, SPAN_LITERAL("\"id\""));
    }
    scan_scalar(scan, start, value);
}

static size_t digits_length(const char *text)
{
    size_t count = 0;
    while (isdigit((unsigned char)text[count]))
        count++;
    return count;
}

/* JSON's grammar of a number. *whole: neither fraction nor exponent. */
static bool number_is_json(const char *text, bool *whole)
{
    *whole = true;
    text += *text == '-';
    size_t digits = digits_length(text);
    if (digits == 0 || (digits > 1 && *text == '0'))
        return false;
    text += digits;
    if (*text == '.') {
        *whole = false;
        digits = digits_length(++text);
        if (digits == 0)
            return false;
        text += digits;
    }
    if (*text == 'e' || *text == 'E') {
        *whole = false;
        text++;
        text += *text == '+' || *text == '-';
        digits = digits_length(text);
        if (digits == 0)
            return false;
        text += digits;
    }
    return *text == '\0';
}

static void word_add(struct scan *scan, struct span word)
{
    char text[NUMBER_TEXT_MAX];
    bool whole = false;
    if (word.bytes >= sizeof text) {
        buffer_add(scan->out, word.data, word.bytes);
        return;
    }
    memcpy(text, word.data, word.bytes);
    text[word.bytes] = '\0';
    bool number = number_is_json(text, &whole);
    bool named = !strcmp(text, "NaN") || !strcmp(text, "Infinity") || !strcmp(text, "-Infinity");
    if (named || (number && isinf(strtod(text, NULL)))) {
        buffer_printf(scan->out, "\"%s\"", named ? text : *text == '-' ? "-Infinity" : "Infinity");
        return;
    }
    buffer_add(scan->out, text, word.bytes);
    errno = 0;
    if (number && whole && (strtoll(text, NULL, 10), errno == ERANGE)) {
        scan->suffix = 2;
        buffer_add(scan->out, "e0", scan->suffix);
    }
}

static bool is_word_byte(uint8_t byte)
{
    return isalnum(byte) || byte == '-' || byte == '+' || byte == '.' || byte == '_';
}

/* A number, true, null, NaN, …: its first byte has been read. */
static void scan_word(struct scan *scan)
{
    const char *first = (const char *)scan->cursor.at - 1;
    while (scan->cursor.at < scan->cursor.end && is_word_byte(*scan->cursor.at))
        scan->cursor.at++;
    struct span word = {first, (size_t)((const char *)scan->cursor.at - first)};
    size_t start = scan->out->bytes;
    bool value = scan_at_value(scan);
    scan->suffix = 0;
    if (value)
        word_add(scan, word);
    else
        buffer_add(scan->out, word.data, word.bytes);
    scan_scalar(scan, start, value);
}

static void scan_sign(struct scan *scan, uint8_t byte)
{
    buffer_add_u8(scan->out, byte);
    if (byte == '{' || byte == '[') {
        if (scan->depth < DEPTH_MAX)
            scan->in_array[scan->depth] = byte == '[';
        scan->depth++;
    } else if ((byte == '}' || byte == ']') && scan->depth > 0) {
        scan->depth--;
    }
    scan->before = (char)byte;
}

void json_line_prepare(struct span line, struct buffer *out, struct span *id)
{
    struct scan scan = {.cursor = cursor_of(line), .out = out};
    uint8_t byte = 0;
    buffer_clear(out);
    while (cursor_u8(&scan.cursor, &byte)) {
        if (byte == '"')
            scan_string(&scan);
        else if (is_word_byte(byte))
            scan_word(&scan);
        else if (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n')
            buffer_add_u8(out, byte);
        else
            scan_sign(&scan, byte);
    }
    *id =
        scan.id_end > scan.id_start ? (struct span){out->data + scan.id_start, scan.id_end - scan.id_start} : SPAN_NULL;
}
