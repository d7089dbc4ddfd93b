/* Who may ask: bearer token, rate of one address, origins of browsers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"

/* `header`: the Authorization header or NULL. Takes as long whatever is given. */
bool access_control_token_matches(const char *expected, const char *header);

/* Whether `origin` is in the comma-separated list, or the list is "*". */
bool access_control_origin_allowed(const char *list, const char *origin);

/* Requests a second of each address, by token buckets: a burst of one second's worth is let through. Addresses share a
 * bounded table; the one unseen for longest gives its place up. IPv6 counts by /64. Any thread. */
struct rate_limit;
struct rate_limit *rate_limit_new(int64_t per_second);
void rate_limit_free(struct rate_limit *rate);
/* False: too many. now_us: steady clock. */
bool rate_limit_take(struct rate_limit *rate, const struct sockaddr *address, int64_t now_us);
