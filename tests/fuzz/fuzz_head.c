/* fuzz: any bytes as the field lines of a request's head. What a strict reader of the bytes themselves refuses,
 * head_check.c refuses, from what libmicrohttpd makes of them; and it finds no fault with the lines of a strict head.
 */
#include <assert.h>
#include <stdlib.h>

#include "scorer/http/head_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct head {
    bool strict;              /* so far: lines end with CR and LF, none goes on in the next, none lacks its name */
    struct head_check fields; /* of the fields, as the library hands them out */
};

static void take_field(struct head *head, char *line, char *colon)
{
    char *value = colon + 1 + strspn(colon + 1, " \t");
    head->strict &= !strchr(" \t:", *line);
    *colon = '\0';
    head_check_add(&head->fields, line, value);
}

/* The library makes NULs of a line's end and of a field's colon. Past the line; NULL: it refuses the request. */
static char *take_line(struct head *head, char *line, char *end, bool is_field, bool *empty)
{
    char *newline = memchr(line, '\n', (size_t)(end - line));
    if (!newline)
        return NULL;
    bool crlf = newline > line && newline[-1] == '\r';
    head->strict &= crlf;
    newline[-crlf] = *newline = '\0';
    *empty = !*line;
    char *colon = strchr(line, ':');
    if (is_field && !*empty && !colon)
        return NULL;
    if (is_field && !*empty)
        take_field(head, line, colon);
    return newline + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct head head = {.strict = true};
    char *copy = malloc(bytes + 1), *end = copy + bytes;
    bool empty, begins_so;
    memcpy(copy, data, bytes);
    *end = '\0';
    char *at = take_line(&head, copy, end, false, &begins_so); /* the end of the request line */
    for (empty = false; at && !empty;)
        at = take_line(&head, at, end, true, &empty);
    const char *lines_flaw = head_check_lines_flaw((struct span){copy, at ? (size_t)(at - copy) : 0});
    if (at && begins_so && !memchr(data, '\0', bytes)) {
        assert(!head.strict || !lines_flaw);
        assert(head.strict || lines_flaw || head_check_flaw(&head.fields));
    }
    free(copy);
    return 0;
}
