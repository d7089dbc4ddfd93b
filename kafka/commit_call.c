/* One call: see commit_call.h. May block; calls rd_kafka_commit_transaction alone. */
#include "kafka/commit_call.h"

enum { CALL_MS = 10000, NO_TIMEOUT = -1 };

/* The watchdog is for calls that outlast their time-out. */
rd_kafka_error_t *commit_call(rd_kafka_t *producer, struct call_watchdog *watchdog, bool resumed, bool stoppable)
{
    if (resumed && !stoppable)
        return rd_kafka_commit_transaction(producer, NO_TIMEOUT);
    call_watchdog_begin(watchdog, "the call that commits");
    rd_kafka_error_t *error = rd_kafka_commit_transaction(producer, CALL_MS);
    call_watchdog_end(watchdog);
    return error;
}
