/* Which headers an answer has: see answer_headers.h. On the server's threads. */
#include "scorer/http/answer_headers.h"

#include <stdio.h>

/* What the page may do: load its own files and ask this service, nothing else. */
static const char page_policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                  "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

void answer_headers(const struct answer_head *head, void (*add)(void *context, const char *name, const char *value),
                    void *context)
{
    const struct answer *answer = head->answer;
    char seconds[16];
    if (answer->status != 204)
        add(context, "Content-Type", answer->type ? answer->type : "application/json");
    add(context, "Cache-Control", "no-store");
    add(context, "X-Content-Type-Options", "nosniff");
    add(context, "Content-Security-Policy", page_policy);
    add(context, "X-Request-Id", head->request_id);
    if (head->closes)
        add(context, "Connection", "close");
    if (answer->status == 401)
        add(context, "WWW-Authenticate", "Bearer");
    if (answer->allow)
        add(context, "Allow", answer->allow);
    if (answer->retry_after_s) {
        snprintf(seconds, sizeof seconds, "%u", answer->retry_after_s);
        add(context, "Retry-After", seconds);
    }
    if (answer->next_cursor)
        add(context, "X-Next-Cursor", answer->next_cursor);
    if (head->origin) {
        add(context, "Access-Control-Allow-Origin", head->origin);
        add(context, "Access-Control-Expose-Headers", "Retry-After, X-Next-Cursor, X-Request-Id");
        add(context, "Vary", "Origin");
    }
    if (head->preflight) {
        add(context, "Access-Control-Allow-Methods", "GET, HEAD, POST");
        add(context, "Access-Control-Allow-Headers",
            "Authorization, Content-Type, Traceparent, X-Purpose, X-Request-Id");
    }
}
