/* The http role: /health, /health/live, /health/ready, /metrics. What it shows it reads through this view. */
#ifndef SCORER_HTTP_H
#define SCORER_HTTP_H

#include "scorer/counters.h"
#include "scorer/model_holder.h"
#include "scorer/score_loop.h"
#include "scorer/settings.h"

/* Borrowed, read-only, from any thread; outlives the server. */
struct http_view {
    const struct settings *settings;
    struct model_holder *models;            /* NULL: this process scores nothing */
    const struct counters *const *counters; /* every loop's; readers add them up */
    size_t counters_count;
    struct score_loop *const *loops;
    size_t loop_count;
    const _Atomic bool *draining;
    int64_t started_us; /* real clock */
};

struct http;

/* Listens at settings->http_listen. STATUS_DENIED: another address than loopback without a token. STATUS_INVALID: not
 * an address. STATUS_UNAVAILABLE: taken. Port 0 takes a free one, told in the log. */
MUST_USE enum status http_new(const struct http_view *view, struct http **out, struct error *err);
void http_free(struct http *http); /* answers what is under way, then closes */
unsigned http_port(const struct http *http);

#endif
