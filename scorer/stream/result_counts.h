/* The results of a transaction, kept apart until it commits: received = scored + dead-lettered + erased + outcome +
 * ignored + repeated.
 *
 * Plain data, embedded in a score loop; zeroed is empty. */
#pragma once

#include "events/error_codes.h"
#include "scorer/counters.h"

struct result_counts {
    uint64_t received, scored, erased, outcome, ignored, repeated, dead_lettered;
    uint64_t dead_letters[EVENT_CODE_COUNT];
    uint64_t latency_buckets[LATENCY_BUCKETS], latency_sum_us;
    uint64_t risk[RISK_BINS];
    uint64_t alerts[ALERT_KIND_COUNT];
};

/* So many rows were scored so long after they had come. */
void result_counts_add_latency(struct result_counts *counts, int64_t latency_us, size_t rows);
/* The transaction is committed: adds its results to the counters. */
void result_counts_commit(const struct result_counts *counts, struct counters *counters);
