/* Results of work: see tally.h. Called by a score loop on its own thread, the counters' only writer. */
#include "scorer/stream/tally.h"

#include <assert.h>
#include <stdatomic.h>

void tally_latency(struct tally *tally, int64_t latency_us, size_t rows)
{
    static const int64_t bounds[] = {LATENCY_BOUNDS_US};
    size_t bucket = 0;
    while (bucket < LATENCY_BUCKETS - 1 && latency_us > bounds[bucket])
        bucket++;
    tally->latency_buckets[bucket] += rows;
    tally->latency_sum_us += (uint64_t)latency_us * rows;
}

static void add_relaxed(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

void tally_commit(const struct tally *tally, struct counters *counters)
{
    assert(tally->received == tally->scored + tally->dead_lettered + tally->erased + tally->outcome + tally->ignored);
    counter_add(counters, COUNTER_EVENTS_SCORED, tally->scored);
    counter_add(counters, COUNTER_EVENTS_DEAD_LETTERED, tally->dead_lettered);
    counter_add(counters, COUNTER_EVENTS_ERASED, tally->erased);
    counter_add(counters, COUNTER_EVENTS_OUTCOME, tally->outcome);
    counter_add(counters, COUNTER_EVENTS_IGNORED, tally->ignored);
    counter_add(counters, COUNTER_TRANSACTIONS_COMMITTED, 1);
    for (size_t i = 0; i < EVENT_CODE_COUNT; i++)
        add_relaxed(&counters->dead_letters[i], tally->dead_letters[i]);
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        add_relaxed(&counters->latency_buckets[i], tally->latency_buckets[i]);
    for (size_t i = 0; i < RISK_BINS; i++)
        add_relaxed(&counters->risk[i], tally->risk[i]);
    add_relaxed(&counters->latency_sum_us, tally->latency_sum_us);
}
