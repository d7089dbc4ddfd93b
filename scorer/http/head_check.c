/* Strict reading of a head's fields and line ends: see head_check.h. On the server's threads, for each request. */
#include "scorer/http/head_check.h"

#include <string.h>
#include <strings.h>

#include "base/hex_digit.h"

static bool is_name(const char *name)
{
    static const char letters[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t bytes = strspn(name, letters);
    return bytes && !name[bytes];
}

static bool is_value(const char *value)
{
    for (; *value; value++)
        if (((unsigned char)*value < ' ' && *value != '\t') || *value == 127)
            return false;
    return true;
}

static bool is_length(const char *value)
{
    size_t digits = strspn(value, "0123456789");
    return digits && !value[digits];
}

void head_check_add(struct head_check *head, const char *name, const char *value)
{
    const char *flaw = NULL;
    if (!is_name(name))
        flaw = "a header's name has a character that names do not have";
    else if (!is_value(value))
        flaw = "a header's value has a control character";
    else if (!strcasecmp(name, "Host") && head->hosts++)
        flaw = "two Host headers";
    else if (!strcasecmp(name, "Content-Length") && (head->lengths++ || !is_length(value)))
        flaw = "two Content-Length headers, or one that is no number";
    else if (!strcasecmp(name, "Transfer-Encoding") && (head->codings++ || strcasecmp(value, "chunked")))
        flaw = "a Transfer-Encoding other than chunked";
    if (!head->flaw)
        head->flaw = flaw;
}

const char *head_check_flaw(const struct head_check *head)
{
    if (!head->flaw && head->lengths && head->codings)
        return "both Content-Length and Transfer-Encoding";
    if (!head->flaw && head->is_old && head->codings)
        return "Transfer-Encoding in HTTP/1.0";
    return head->flaw;
}

size_t head_check_unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    char *to = text;
    for (const char *at = text; *at; at++) {
        int high = *at == '%' ? hex_digit(at[1]) : -1, low = high >= 0 ? hex_digit(at[2]) : -1;
        bool is_encoded = low >= 0 && (high || low);
        *to++ = is_encoded ? (char)(high << 4 | low) : *at;
        at += is_encoded ? 2 : 0;
    }
    *to = '\0';
    return (size_t)(to - text);
}

/* Moves past a text and its NUL. */
static bool skip_text(struct cursor *cursor)
{
    const void *end = memchr(cursor->at, '\0', cursor_left(cursor));
    if (!end)
        return false;
    cursor->at = (const uint8_t *)end + 1;
    return true;
}

/* Moves past one NUL. */
static bool skip_end(struct cursor *cursor)
{
    return cursor_left(cursor) && !*cursor->at++;
}

const char *head_check_lines_flaw(struct span lines)
{
    struct cursor cursor = cursor_of(lines);
    static const char bare[] = "a line does not end with CR and LF";
    if (!skip_end(&cursor) || !skip_end(&cursor))
        return bare;
    while (cursor_left(&cursor) && *cursor.at) {
        if (*cursor.at == ' ' || *cursor.at == '\t')
            return "a header goes on in a second line";
        /* the name and its colon; the value and its CR; its LF */
        if (!skip_text(&cursor) || !skip_text(&cursor) || !skip_end(&cursor))
            return bare;
    }
    return cursor_left(&cursor) == 2 && !cursor.at[0] && !cursor.at[1] ? NULL : bare;
}
