/* fuzz: any bytes as the field lines of a request's head. A strict reader of the bytes themselves, and framing.c on what
 * libmicrohttpd makes of them, agree; each field then goes through the checks of names and values. */
#include <assert.h>
#include <stdlib.h>

#include "scorer/http/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* What the library does to a line: its end, and a header's colon, become NULs. Past the line; NULL: it refuses. */
static char *take_line(char *line, char *end, bool is_field, bool *strict, bool *empty)
{
    char *newline = memchr(line, '\n', (size_t)(end - line));
    if (!newline)
        return NULL;
    bool crlf = newline > line && newline[-1] == '\r';
    *strict &= crlf;
    *newline = '\0';
    if (crlf)
        newline[-1] = '\0';
    *empty = !*line;
    if (is_field && !*empty) {
        char *colon = strchr(line, ':');
        *strict &= *line != ' ' && *line != '\t';
        if (!colon)
            return NULL;
        *colon = '\0';
    }
    return newline + 1;
}

static void add_fields(struct span head)
{
    struct framing framing = {0};
    const char *at = head.data + 2, *end = head.data + head.bytes;
    while (at < end && *at) {
        const char *value = at + strlen(at) + 1;
        framing_add(&framing, at, value);
        at = value + strlen(value) + 2;
    }
    const char *flaw = framing_flaw(&framing);
    assert(flaw || (framing.hosts <= 1 && framing.lengths + framing.codings <= 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *head = malloc(bytes + 1), *end = head + bytes;
    bool strict = true, empty = true, odd = memchr(data, '\0', bytes) != NULL;
    memcpy(head, data, bytes);
    *end = '\0';
    char *at = take_line(head, end, false, &strict, &empty); /* the end of the request line */
    bool begins_so = empty;
    for (empty = false; at && !empty;)
        at = take_line(at, end, true, &strict, &empty);
    const struct span whole = {head, at ? (size_t)(at - head) : 0};
    const char *flaw = framing_lines_flaw(whole);
    if (at && begins_so && !odd) {
        assert(strict == !flaw);
        if (!flaw)
            add_fields(whole);
    }
    free(head);
    return 0;
}
