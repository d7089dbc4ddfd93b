/* The sink role: output, dead-letter and outcome topics → PostgreSQL, exactly once.
 *
 * Own consumer group ($GROUP_ID-sink), read_committed. Rows and the offsets one past them go into PostgreSQL in one
 * transaction; on assignment the stored offsets are the start. An unavailable PostgreSQL makes this loop wait, visibly.
 * sink.c is the loop (Kafka), sink_rows.c turns records into COPY bytes, sink_store.c sends the statements and
 * sink_connection.c waits for the server: of these only the last two know libpq. */
#pragma once

#include "scorer/counters.h"
#include "scorer/progress.h"
#include "scorer/settings.h"

struct sink;

/* Connects nothing yet. Borrows both. */
MUST_USE enum status sink_new(const struct settings *settings, struct counters *counters, struct sink **out,
                              struct error *err);
void sink_free(struct sink *sink);
/* Whose training references it stores; before it runs. NULL: none. */
struct model_holder;
void sink_use_models(struct sink *sink, struct model_holder *models);

/* The thread's body: runs until stopped, drained, or failed for good (then err says why). Waits for unavailable
 * servers. */
MUST_USE enum status sink_run(struct sink *sink, struct error *err);

/* To be read from any thread; lives as long as the sink. */
const struct loop_progress *sink_progress(const struct sink *sink);

/* From any thread. stop: flush what was read, commit, leave. */
void sink_stop(struct sink *sink);
/* From any thread, after the score role has finished (--exit-at-end): look up the end offsets now, run until they are
 * reached, then return from sink_run. */
void sink_finish(struct sink *sink);

/* `check`: connects, compares the applied migrations and the writer's rights, says what is wrong. */
MUST_USE enum status sink_check(const struct settings *settings, struct error *err);
