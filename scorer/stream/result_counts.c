/* Results of a transaction: see result_counts.h. Called by a score loop on its own thread, the counters' only writer.
 */
#include "scorer/stream/result_counts.h"

#include <assert.h>
#include <stdatomic.h>

void result_counts_add_latency(struct result_counts *counts, int64_t latency_us, size_t rows)
{
    static const int64_t bounds[] = {LATENCY_BOUNDS_US};
    size_t bucket = 0;
    while (bucket < LATENCY_BUCKETS - 1 && latency_us > bounds[bucket])
        bucket++;
    counts->latency_buckets[bucket] += rows;
    counts->latency_sum_us += (uint64_t)latency_us * rows;
}

static void add_relaxed(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

void result_counts_commit(const struct result_counts *counts, struct counters *counters)
{
    assert(counts->received == counts->scored + counts->dead_lettered + counts->erased + counts->outcome +
                                   counts->ignored + counts->repeated);
    counter_add(counters, COUNTER_EVENTS_SCORED, counts->scored);
    counter_add(counters, COUNTER_EVENTS_DEAD_LETTERED, counts->dead_lettered);
    counter_add(counters, COUNTER_EVENTS_ERASED, counts->erased);
    counter_add(counters, COUNTER_EVENTS_OUTCOME, counts->outcome);
    counter_add(counters, COUNTER_EVENTS_REPEATED, counts->repeated);
    counter_add(counters, COUNTER_EVENTS_IGNORED, counts->ignored);
    counter_add(counters, COUNTER_TRANSACTIONS_COMMITTED, 1);
    for (size_t i = 0; i < EVENT_CODE_COUNT; i++)
        add_relaxed(&counters->dead_letters[i], counts->dead_letters[i]);
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        add_relaxed(&counters->latency_buckets[i], counts->latency_buckets[i]);
    for (size_t i = 0; i < RISK_BINS; i++)
        add_relaxed(&counters->risk[i], counts->risk[i]);
    for (size_t i = 0; i < ALERT_KIND_COUNT; i++)
        add_relaxed(&counters->alerts[i], counts->alerts[i]);
    add_relaxed(&counters->latency_sum_us, counts->latency_sum_us);
}
