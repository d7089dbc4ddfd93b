/* The stream of another process: what GET /stream answers where this one does not score it (STREAM_URL). */
#pragma once

#include "scorer/http/request.h"
#include "scorer/settings.h"

struct stream_remote;

/* *out is NULL without STREAM_URL, and where this process scores. STATUS_INVALID: it is no address. Nobody is asked yet
 * but by the thread of its own that is started here. */
MUST_USE enum status stream_remote_new(const struct settings *settings, struct stream_remote **out, struct error *err);
/* Whether stream_remote_new would take the settings. */
MUST_USE enum status stream_remote_check(const struct settings *settings, struct error *err);
void stream_remote_free(struct stream_remote *remote); /* within the time of one request, 2 s; NULL is fine */

/* What the other process said last, at most some seconds ago; 503 with the reason while it says nothing. Any thread. */
void stream_remote_answer(struct stream_remote *remote, struct answer *answer);
