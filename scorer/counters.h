/* What a loop counts: one `struct counters` each, which it alone writes (relaxed atomics); readers add up all loops'.
 * The rows stand in scorer/metrics.h. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "events/alert.h"
#include "events/error_codes.h"
#include "scorer/metrics.h"

/* Each has the same number as its row. */
enum counter_id {
#define COUNTER_ID(id, ...) COUNTER_##id = METRIC_##id,
#define NO_COUNTER(...)
    METRIC_TABLE(COUNTER_ID, COUNTER_ID, NO_COUNTER)
#undef COUNTER_ID
        COUNTER_COUNT
};
#define ONE_MORE(...) +1
_Static_assert(COUNTER_COUNT == 0 METRIC_TABLE(ONE_MORE, ONE_MORE, NO_COUNTER), "the loops' rows come first");
#undef ONE_MORE
#undef NO_COUNTER

/* Predictions of the stream by probability: bins of equal width from 0 to 1. */
enum { RISK_BINS = 20 };

static inline size_t risk_bin(double probability)
{
    size_t bin = probability > 0 ? (size_t)(probability * RISK_BINS) : 0;
    return bin < RISK_BINS ? bin : RISK_BINS - 1;
}

struct counters {
    _Alignas(64) _Atomic uint64_t values[COUNTER_COUNT];
    _Atomic uint64_t dead_letters[EVENT_CODE_COUNT]; /* by code; sums to EVENTS_DEAD_LETTERED */
    _Atomic uint64_t latency_buckets[LATENCY_BUCKETS];
    _Atomic uint64_t latency_sum_us;
    _Atomic uint64_t risk[RISK_BINS];
    _Atomic uint64_t alerts[ALERT_KIND_COUNT];
};

static inline void counter_add(struct counters *counters, enum counter_id id, uint64_t n)
{
    uint64_t value = atomic_load_explicit(&counters->values[id], memory_order_relaxed);
    atomic_store_explicit(&counters->values[id], value + n, memory_order_relaxed);
}

static inline void counter_set(struct counters *counters, enum counter_id id, uint64_t value)
{
    atomic_store_explicit(&counters->values[id], value, memory_order_relaxed);
}

static inline uint64_t counter_get(const struct counters *counters, enum counter_id id)
{
    return atomic_load_explicit(&counters->values[id], memory_order_relaxed);
}
