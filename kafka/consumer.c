/* How a consumer ends: see consumer.h. Called by the loops on their own threads; waits at most twice the limit. */
#include "kafka/consumer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/background_call.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/status.h"

enum { LEAVE_STEP_MS = 100, DESTROY_STEP_US = 2000 };

struct destruction {
    rd_kafka_t *client;
    int flags;
};

static void destroy_client(void *context)
{
    const struct destruction *destruction = context;
    rd_kafka_destroy_flags(destruction->client, destruction->flags);
}

/* librdkafka 2.0 may wait for ever there, such as for the thread of a broker that keeps a partition which is gone. The
 * process is about to end: what does not end in time is left behind. */
static void destroy_within(rd_kafka_t *client, int flags, int64_t limit_us)
{
    struct error err;
    struct background_call *background;
    struct destruction *destruction = mem_zeroed(1, sizeof *destruction);
    *destruction = (struct destruction){client, flags};
    int64_t deadline_us = clock_steady_us(&clock_system) + limit_us;
    if (background_call_new(&background, &err) != STATUS_OK) {
        log_debug("kafka", "%s", err.text);
        destroy_client(destruction);
        free(destruction);
        return;
    }
    background_call_start(background, destroy_client, destruction);
    while (background_call_runs(background) && clock_steady_us(&clock_system) < deadline_us)
        usleep(DESTROY_STEP_US);
    if (background_call_runs(background)) {
        log_warn("kafka", "a consumer has left its group, but librdkafka does not end it; it is left behind");
        return;
    }
    background_call_free(background);
    free(destruction);
}

enum status kafka_consumer_fatal(rd_kafka_t *consumer, const rd_kafka_message_t *message, const char *group,
                                 const char *instance, struct error *err)
{
    char fatal[256];
    if (!rd_kafka_fatal_error(consumer, fatal, sizeof fatal))
        snprintf(fatal, sizeof fatal, "%s", rd_kafka_message_errstr(message));
    return error_set(
        err, STATUS_CONFLICT,
        "fenced: group %s has ended this process's membership (%s): another process has joined as instance %s, or no "
        "broker answered for session.timeout.ms; a restart goes on from the committed offsets",
        group, fatal, instance);
}

void kafka_consumer_leave(rd_kafka_t **consumer, int64_t limit_us,
                          void (*rebalance)(rd_kafka_t *, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t *,
                                            void *),
                          void *context)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(*consumer);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(*consumer, queue);
    int64_t deadline_us = clock_steady_us(&clock_system) + limit_us;
    while (!error && !rd_kafka_consumer_closed(*consumer) && clock_steady_us(&clock_system) < deadline_us) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, LEAVE_STEP_MS);
        if (event && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            rebalance(*consumer, rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event), context);
        rd_kafka_event_destroy(event);
    }
    bool closed = rd_kafka_consumer_closed(*consumer);
    if (!closed)
        log_warn("kafka", "%s did not leave its group in time (%s); it is given up", rd_kafka_name(*consumer),
                 error ? rd_kafka_error_string(error) : "no answer");
    if (error)
        rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
    destroy_within(*consumer, closed ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE, limit_us);
    *consumer = NULL;
}
