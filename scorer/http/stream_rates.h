/* Event rates of the last minute, for GET /stream. */
#pragma once

#include "scorer/http/service.h"

struct stream_rates;
struct stream_rates *stream_rates_new(void);
void stream_rates_free(struct stream_rates *rates);
/* Looks at the counters once a second, whenever it is called more often. One thread; readers may be others.
 * now_us: steady clock. */
void stream_rates_look(struct stream_rates *rates, const struct http_view *view, int64_t now_us);
