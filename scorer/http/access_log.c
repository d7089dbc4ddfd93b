/* Counts and the access log: see access_log.h. On the server's threads; counters are relaxed atomics. */
#include "scorer/http/access_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random_hex.h"
#include "scorer/counters.h"

/* The statuses this service gives; others are counted as 0. */
static const unsigned statuses[] = {0, 200, 202, 204, 400, 401, 403, 404, 405, 409, 413, 415, 421, 422, 429, 500, 503};
enum { STATUSES = sizeof statuses / sizeof *statuses };

static const int64_t bounds[] = {LATENCY_BOUNDS_US};

struct access_log {
    bool log;
    const struct route *routes;
    size_t route_count;
    _Atomic uint64_t in_flight;
    _Atomic uint64_t requests[ROUTES_MOST + 1][STATUSES]; /* the last row: no route */
    _Atomic uint64_t buckets[LATENCY_BUCKETS];
    _Atomic uint64_t sum_us;
};

struct access_log *access_log_new(const struct route *routes, size_t route_count, bool log)
{
    struct access_log *access = mem_zeroed(1, sizeof *access);
    access->log = log;
    access->routes = routes;
    access->route_count = route_count;
    return access;
}

void access_log_free(struct access_log *access)
{
    free(access);
}

void access_log_begin(struct access_log *access)
{
    atomic_fetch_add_explicit(&access->in_flight, 1, memory_order_relaxed);
}

static size_t status_index(unsigned status)
{
    for (size_t i = 0; i < STATUSES; i++)
        if (statuses[i] == status)
            return i;
    return 0;
}

static void count(struct access_log *access, const struct access_log_entry *entry)
{
    size_t route = entry->route ? (size_t)(entry->route - access->routes) : ROUTES_MOST, bucket = 0;
    while (bucket < LATENCY_BUCKETS - 1 && entry->duration_us > bounds[bucket])
        bucket++;
    atomic_fetch_sub_explicit(&access->in_flight, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&access->requests[route][status_index(entry->status)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&access->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&access->sum_us, (uint64_t)entry->duration_us, memory_order_relaxed);
}

static enum log_level level_of(const struct access_log_entry *entry)
{
    bool quiet = entry->hidden || (entry->route && entry->route->quiet && !entry->denied);
    return quiet ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

void access_log_end(struct access_log *access, const struct access_log_entry *entry)
{
    count(access, entry);
    if (!access->log)
        return;
    const struct log_field fields[] = {
        {.name = "method", .text = entry->method},
        {.name = "route", .text = entry->route ? entry->route->path : "none"},
        {.name = "status", .number = entry->status},
        {.name = "bytes_in", .number = (int64_t)entry->bytes_in},
        {.name = "bytes_out", .number = (int64_t)entry->bytes_out},
        {.name = "duration_us", .number = entry->duration_us},
        {.name = "address", .text = entry->address},
        {.name = "token", .text = *entry->token_name ? entry->token_name : "none"},
        {.name = "request_id", .text = entry->request_id},
        {.name = "traceparent", .text = entry->traceparent},
    };
    size_t field_count = sizeof fields / sizeof *fields - !*entry->traceparent;
    log_fields(level_of(entry), "http", "request", fields, field_count);
}

uint64_t access_log_requests(const struct access_log *access)
{
    uint64_t total = 0;
    for (size_t b = 0; b < LATENCY_BUCKETS; b++)
        total += atomic_load_explicit(&access->buckets[b], memory_order_relaxed);
    return total;
}

uint64_t access_log_in_flight(const struct access_log *access)
{
    return atomic_load_explicit(&access->in_flight, memory_order_relaxed);
}

static void write_requests(const struct access_log *access, struct buffer *out)
{
    char status[16];
    metric_write_head(out, METRIC_HTTP_REQUESTS);
    for (size_t r = 0; r <= ROUTES_MOST; r++)
        for (size_t s = 0; s < STATUSES; s++) {
            uint64_t value = atomic_load_explicit(&access->requests[r][s], memory_order_relaxed);
            snprintf(status, sizeof status, "%u", statuses[s]);
            const struct span labels[] = {span_of(r < access->route_count ? access->routes[r].path : "none"),
                                          span_of(status)};
            if (value)
                metric_write_uint(out, METRIC_HTTP_REQUESTS, labels, value);
        }
}

static void write_durations(const struct access_log *access, struct buffer *out)
{
    uint64_t buckets[LATENCY_BUCKETS];
    for (size_t b = 0; b < LATENCY_BUCKETS; b++)
        buckets[b] = atomic_load_explicit(&access->buckets[b], memory_order_relaxed);
    uint64_t sum_us = atomic_load_explicit(&access->sum_us, memory_order_relaxed);
    metric_write_histogram(out, METRIC_HTTP_DURATION, buckets, sum_us);
}

void access_log_write_metric(const struct access_log *access, enum metric_id id, struct buffer *out)
{
    if (id == METRIC_HTTP_REQUESTS)
        write_requests(access, out);
    if (id == METRIC_HTTP_DURATION)
        write_durations(access, out);
    if (id == METRIC_HTTP_IN_FLIGHT) {
        metric_write_head(out, id);
        metric_write_uint(out, id, NULL, access_log_in_flight(access));
    }
}

void request_id_choose(const char *given, char out[REQUEST_ID_BYTES])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t bytes = given ? strlen(given) : 0;
    if (bytes > 0 && bytes < REQUEST_ID_BYTES && strspn(given, letters) == bytes)
        memcpy(out, given, bytes + 1);
    else
        random_hex(out, 16);
}

/* 00-(32 digits)-(16 digits)-(2 digits), lower case; ids of zeros only are none. */
static bool traceparent_is_sound(const char *text)
{
    static const char digits[] = "0123456789abcdef";
    static const size_t lengths[] = {2, 32, 16, 2};
    const char *at = text;
    if (!text || strlen(text) != TRACE_BYTES - 1 || strncmp(text, "00-", 3))
        return false;
    for (size_t part = 0; part < 4; part++) {
        if (strspn(at, digits) != lengths[part])
            return false;
        if (lengths[part] > 2 && strspn(at, "0") >= lengths[part])
            return false;
        at += lengths[part];
        if (*at++ != (part < 3 ? '-' : '\0'))
            return false;
    }
    return true;
}

void traceparent_continue(const char *given, char out[TRACE_BYTES])
{
    out[0] = '\0';
    if (!traceparent_is_sound(given))
        return;
    memcpy(out, given, TRACE_BYTES);
    random_hex(out + 36, 16);
    out[52] = '-';
}
