/* The results of a run of work, kept apart until it commits: received = scored + dead-lettered + erased + outcome +
 * ignored.
 *
 * Plain data, embedded in a score loop; zeroed is empty. */
#ifndef SCORER_STREAM_TALLY_H
#define SCORER_STREAM_TALLY_H

#include "events/error_codes.h"
#include "scorer/counters.h"

struct tally {
    uint64_t received, scored, erased, outcome, ignored, dead_lettered;
    uint64_t dead_letters[EVENT_CODE_COUNT];
    uint64_t latency_buckets[LATENCY_BUCKETS], latency_sum_us;
    uint64_t risk[RISK_BINS];
};

/* So many rows were scored so long after they had come. */
void tally_latency(struct tally *tally, int64_t latency_us, size_t rows);
/* The work is committed: adds its results to the counters. */
void tally_commit(const struct tally *tally, struct counters *counters);

#endif
