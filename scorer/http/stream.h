/* Event rates of the last minute, for GET /stream. */
#ifndef SCORER_HTTP_STREAM_H
#define SCORER_HTTP_STREAM_H

#include "scorer/http/service.h"

struct history;
struct history *history_new(void);
void history_free(struct history *history);
/* Looks at the counters once a second, whenever it is called more often. One thread; readers may be others.
 * now_us: steady clock. */
void history_look(struct history *history, const struct http_view *view, int64_t now_us);

#endif
