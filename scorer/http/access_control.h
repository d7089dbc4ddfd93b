/* Who may ask: rate of one address, origins of browsers, names that this service answers to. Tokens: tokens.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"

/* Of the address that one client counts by: an IPv4 address, whether plain or mapped into IPv6, or a /64 of IPv6. Never
 * 0. */
uint64_t access_control_address_key(const struct sockaddr *address);

enum { ADDRESS_TEXT_BYTES = 48 };
/* "192.0.2.1", also where it is mapped into IPv6, or "2001:db8::1"; "" for another family. */
void access_control_address_text(const struct sockaddr *address, char out[ADDRESS_TEXT_BYTES]);

/* Whether the Host header `host` (NULL: none) is one of `names`, a list with commas between, or "localhost". Names
 * without a port go with every port, as with none. A page that a browser has loaded from elsewhere cannot forge it. */
bool access_control_host_allowed(const char *names, const char *host);

/* Whether `origin` is in the comma-separated list, or the list is "*". */
bool access_control_origin_allowed(const char *list, const char *origin);

/* Requests a second of each address, by token buckets: a burst of one second's worth is let through. Addresses share a
 * bounded table; the one unseen for longest gives its place up. Any thread. */
struct rate_limit;
struct rate_limit *rate_limit_new(int64_t per_second);
void rate_limit_free(struct rate_limit *rate);
/* False: too many. now_us: steady clock. */
bool rate_limit_take(struct rate_limit *rate, const struct sockaddr *address, int64_t now_us);
