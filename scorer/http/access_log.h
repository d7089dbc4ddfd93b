/* What is noted of each request: counts for /metrics and one line of the access log. Never a payload, a parameter's
 * value, or a token. */
#pragma once

#include "base/status.h"
#include "scorer/http/route.h"
#include "scorer/metrics.h"

enum { REQUEST_ID_BYTES = 65, TRACE_BYTES = 56 };

struct access_log;
/* Borrows the routes, up to ROUTES_MOST. */
struct access_log *access_log_new(const struct route *routes, size_t route_count, bool log);
void access_log_free(struct access_log *access);

/* Plain data of one request that is over. */
struct access_log_entry {
    const struct route *route; /* NULL: none was found */
    const char *method;
    unsigned status; /* 0: the client went away before it was answered */
    uint64_t bytes_in, bytes_out;
    int64_t duration_us;
    const char *request_id, *traceparent; /* traceparent "": none */
    const char *address, *token_name;     /* "": not known, none given */
    bool denied;                          /* for its head or its token: at level info, whatever the route */
    bool hidden;                          /* at level debug, whatever the route: one of a flood */
};

void access_log_begin(struct access_log *access); /* one more in flight */
void access_log_end(struct access_log *access, const struct access_log_entry *entry);

uint64_t access_log_requests(const struct access_log *access); /* answered since the start */
uint64_t access_log_in_flight(const struct access_log *access);
void access_log_write_metric(const struct access_log *access, enum metric_id id,
                             struct buffer *out); /* METRIC_HTTP_… */

/* The client's id if it is 1 to 64 letters, digits, '.', '_' or '-'; else a fresh one. */
void request_id_choose(const char *given, char out[REQUEST_ID_BYTES]);
/* W3C trace context: the same trace with a span of our own, or "" where the header is no sound one. */
void traceparent_continue(const char *given, char out[TRACE_BYTES]);
