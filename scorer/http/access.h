/* What is noted of each request: counts for /metrics and one line of the access log. Never a payload, a parameter's
 * value, or a token. */
#ifndef SCORER_HTTP_ACCESS_H
#define SCORER_HTTP_ACCESS_H

#include "base/status.h"
#include "scorer/http/route.h"
#include "scorer/metrics.h"

enum { REQUEST_ID_BYTES = 65, TRACE_BYTES = 56 };

struct access;
/* Borrows the routes, up to ROUTES_MOST. */
struct access *access_new(const struct route *routes, size_t route_count, bool log);
void access_free(struct access *access);

/* Plain data of one request that is over. */
struct access_entry {
    const struct route *route; /* NULL: none was found */
    const char *method;
    unsigned status; /* 0: the client went away before it was answered */
    uint64_t bytes_in, bytes_out;
    int64_t duration_us;
    const char *request_id, *traceparent; /* traceparent "": none */
};

void access_begin(struct access *access); /* one more in flight */
void access_end(struct access *access, const struct access_entry *entry);

uint64_t access_requests(const struct access *access); /* answered since the start */
uint64_t access_in_flight(const struct access *access);
void access_write_metric(const struct access *access, enum metric_id id, struct buffer *out); /* METRIC_HTTP_… */

/* The client's id if it is 1 to 64 letters, digits, '.', '_' or '-'; else a fresh one. */
void request_id_choose(const char *given, char out[REQUEST_ID_BYTES]);
/* W3C trace context: the same trace with a span of our own, or "" where the header is no sound one. */
void traceparent_continue(const char *given, char out[TRACE_BYTES]);

#endif
