/* The call that commits a librdkafka transaction, made again until it has a result.
 *
 * A call that ran out of time goes on within librdkafka, and the next resumes it. If the first step of that next call
 * runs out of time too, librdkafka (2.0.2 to 2.15) forgets that it was committing: it takes the answer of the
 * coordinator for an abort's and ends the process by an assertion. Its waits follow the wall clock, so one jump of that
 * is enough. So a call that resumes has no time-out. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "kafka/call_watchdog.h"

/* resumed: the last call for this transaction ran out of time. stoppable: it may not wait for as long as brokers are
 * unavailable; a jump of the clock at the wrong moment ends the process then. Returns what librdkafka does. */
rd_kafka_error_t *commit_call(rd_kafka_t *producer, struct call_watchdog *watchdog, bool resumed, bool stoppable);
