/* GET /metrics in Prometheus's text format, version 0.0.4, and the sums behind it, which /health and /stream show too.
 */
#pragma once

#include "base/bytes.h"
#include "scorer/http/http.h"

/* Appends to out and returns the HTTP status. */
unsigned metrics_write(const struct http_view *view, struct buffer *out);

/* Over all loops. */
uint64_t metrics_sum(const struct http_view *view, enum counter_id id);
uint64_t metrics_sum_latency(const struct http_view *view, size_t bucket);
uint64_t metrics_sum_dead_letters(const struct http_view *view, size_t code);
uint64_t metrics_sum_alerts(const struct http_view *view, size_t kind);
