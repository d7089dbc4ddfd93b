/* The score role: input topic → decode, validate, score, explain → predictions, dead letters, erasures, outcomes.
 *
 * One loop per worker thread, each with its own consumer, producer, decoder and counters; they share the schema and the
 * model holder, both read-only to them. */
#pragma once

#include "scorer/counters.h"
#include "scorer/stream/lag.h"
#include "scorer/model/model_holder.h"
#include "scorer/progress.h"
#include "scorer/settings.h"

struct score_loop;

/* Connects nothing yet. Borrows everything. */
MUST_USE enum status score_loop_new(const struct settings *settings, struct model_holder *models,
                                    struct counters *counters, unsigned worker, struct score_loop **out,
                                    struct error *err);
void score_loop_free(struct score_loop *loop);

/* The thread's body: waits for servers, then runs until stopped, at the end (--exit-at-end), or failed for good. */
MUST_USE enum status score_loop_run(struct score_loop *loop, struct error *err);
/* From any thread: finish the batch, commit, leave the group, return from score_loop_run with STATUS_OK. */
void score_loop_stop(struct score_loop *loop);

/* To be read from any thread; lives as long as the loop. */
const struct loop_progress *score_loop_progress(const struct score_loop *loop);
/* From any thread. Its partitions as it last saw them. */
size_t score_loop_lags(struct score_loop *loop, struct partition_lag *out, size_t capacity);
