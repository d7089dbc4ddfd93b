/* The http role: predictions over HTTP, health, metrics, the stream at a glance (docs/HTTP.md; scorer/http/). */
#pragma once

#include "scorer/counters.h"
#include "scorer/model/model_holder.h"
#include "scorer/stream/score_loop.h"
#include "scorer/settings.h"
#include "scorer/sink/sink.h"

struct access_log;   /* counts of requests: scorer/http/access_log.h */
struct event_sender; /* … and of posted events: scorer/http/event_sender.h */

/* Borrowed, read-only, from any thread; outlives the server. */
struct http_view {
    const struct settings *settings;
    struct model_holder *models;            /* NULL: none (a test) */
    const struct counters *const *counters; /* every loop's; readers add them up */
    size_t counters_count;
    struct score_loop *const *loops;
    size_t loop_count;
    const struct certificates *certificates; /* NULL: none */
    const struct sink *sink;                 /* NULL: none */
    const struct named_progress *progress;   /* the loops', then the sink's */
    size_t progress_count;
    const _Atomic bool *draining;
    int64_t started_us;              /* real clock */
    const struct access_log *access; /* http_new sets it, and */
    const struct event_sender *event_sender;
};

struct http;

/* Listens at settings->http_listen, and at http_probes_listen where it is set. STATUS_DENIED: another address than
 * loopback without a token, or with a short one. STATUS_INVALID: not an address, or a bad file of tokens.
 * STATUS_UNAVAILABLE: taken. Port 0 takes a free one, named in the log. */
MUST_USE enum status http_new(const struct http_view *view, struct http **out, struct error *err);
/* Answers what is under way, or gives it up where it takes longer than a moment, then closes. */
void http_free(struct http *http);
void http_reload(struct http *http); /* the tokens in files (SIGHUP); NULL is fine */
unsigned http_port(const struct http *http);
/* What http_new would refuse, for `scorer check`: the ports are opened and closed again. */
MUST_USE enum status http_check(const struct settings *settings, struct error *err);
