/* A request as the routes see it and the answer they give: plain data, without the HTTP library.
 *
 * The server makes both, calls the route once the request is complete, and sends the answer; records that the route
 * left in the answer are written to the output topic first. Everything lives as long as the request. */
#pragma once

#include "base/bytes.h"
#include "scorer/http/prediction_log.h"

enum { PARAMETERS_MAX = 16 };

/* One of the address's, decoded; value NULL: it stands without a "=". */
struct parameter {
    const char *name, *value;
};

/* NULL: not there. ce_…: CloudEvents in binary mode. */
struct request_headers {
    const char *content_type, *accept, *purpose, *ce_specversion, *ce_id, *ce_time, *ce_subject;
};

struct request {
    const char *method, *path;
    struct request_headers headers;
    struct parameter parameters[PARAMETERS_MAX];
    size_t parameter_count; /* may be larger than PARAMETERS_MAX: the rest is not kept */
    struct span body;
    struct span name, version; /* what {name} or {id}, and {version}, of the route's path stand for; SPAN_NULL: none */
    const char *token_name, *address, *request_id; /* who asks: "" where it is not known */
    int64_t complete_us;                           /* steady clock when the last byte had come */
    /* Why long work is not worth going on with, or NULL; NULL itself: it always is. Asked through request_given_up. */
    const char *(*given_up)(const void *context);
    const void *context;
};

struct answer {
    unsigned status;                   /* 0 until somebody has answered */
    const char *type;                  /* content type; NULL: application/json */
    const char *allow;                 /* of a 405 */
    unsigned retry_after_s;            /* 0: no such header */
    struct buffer body;                /* where NULL, `fixed` */
    struct span fixed;                 /* lives as long as the program */
    struct prediction_log_records log; /* to be acknowledged by Kafka before the answer goes out */
    bool to_input;                     /* … as events of the input topic */
    char *next_cursor;                 /* owned: X-Next-Cursor; NULL: no such header */
};

/* {"detail": "…"}: one sentence for people. Replaces what is there. */
void answer_detail(struct answer *answer, unsigned status, const char *format, ...) PRINTF_LIKE(3, 4);
/* 503 with it, and a Retry-After of a few seconds. */
void answer_unavailable(struct answer *answer, const char *text);

/* Between pieces of long work. True: the answer says why, and nothing more is to be done. */
static inline bool request_given_up(const struct request *request, struct answer *answer)
{
    const char *reason = request->given_up ? request->given_up(request->context) : NULL;
    if (reason)
        answer_unavailable(answer, reason);
    return reason != NULL;
}
