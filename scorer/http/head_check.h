/* Whether a request's head is one that every server on its way reads alike: else two of them may disagree about where
 * it ends, and the rest of it becomes somebody else's request. No library of HTTP here. */
#pragma once

#include "base/bytes.h"

/* The fields seen so far; zero-initialised is empty. */
struct head_check {
    bool is_old; /* HTTP/1.0, which has no Transfer-Encoding */
    unsigned hosts, lengths, codings;
    const char *flaw; /* the first one found, as a sentence; NULL: none */
};

/* One field, as it came: name and value, without the blanks around the value. */
void head_check_add(struct head_check *head, const char *name, const char *value);
/* After the last one: what is wrong, or NULL. */
const char *head_check_flaw(const struct head_check *head);

/* Undoes percent-encoding in place, as libmicrohttpd's callback for it; returns the text's bytes. %00 stays as it is
 * written: a NUL would end the text, and what is checked on the way here would not be what is asked for. */
struct MHD_Connection;
size_t head_check_unescape(void *context, struct MHD_Connection *connection, char *text);

/* The lines themselves, from the end of the request line's last word to the end of the head, as libmicrohttpd before
 * 1.0 leaves them: CR, LF and each name's colon are NULs. What is wrong, or NULL. */
const char *head_check_lines_flaw(struct span lines);
