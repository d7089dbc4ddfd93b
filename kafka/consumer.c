/* How a consumer begins and ends: see consumer.h. Called by the loops on their own threads; waits at most twice the
 * limit. */
#include "kafka/consumer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/background_call.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/status.h"
#include "kafka/client.h"

enum { LEAVE_STEP_MS = 100, CALL_STEP_US = 2000, ANSWER_LIMIT_US = 2000000 };

struct consumer_call {
    rd_kafka_t *client;
    int flags;
};

enum status kafka_reader_new(const struct options *options, const char *group, rd_kafka_t **out, struct error *err)
{
    const struct kafka_property fixed[] = {
        {"group.id", group}, {"isolation.level", "read_committed"}, {"enable.partition.eof", "true"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    enum status status = kafka_conf(options, RD_KAFKA_CONSUMER, fixed, &conf, err);
    return status == STATUS_OK ? kafka_client_new(RD_KAFKA_CONSUMER, &conf, out, err) : status;
}

static void destroy_client(void *context)
{
    const struct consumer_call *call = context;
    rd_kafka_destroy_flags(call->client, call->flags);
}

static void give_partitions_up(void *context)
{
    const struct consumer_call *call = context;
    rd_kafka_assign(call->client, NULL);
}

/* librdkafka 2.0 may wait for ever in either call: when a client is destroyed, such as for the thread of a broker that
 * keeps a partition which is gone; and for the answer of a group that ends in the same moment. The process is about to
 * end: what does not return in time is left behind. */
static bool call_within(void (*function)(void *), rd_kafka_t *client, int flags, int64_t limit_us)
{
    struct error err;
    struct background_call *background;
    struct consumer_call *call = mem_zeroed(1, sizeof *call);
    *call = (struct consumer_call){client, flags};
    int64_t deadline_us = clock_steady_us(&clock_system) + limit_us;
    if (background_call_new(&background, &err) != STATUS_OK) {
        log_debug("kafka", "%s", err.text);
        function(call);
        free(call);
        return true;
    }
    background_call_start(background, function, call);
    while (background_call_runs(background) && clock_steady_us(&clock_system) < deadline_us)
        usleep(CALL_STEP_US);
    if (background_call_runs(background))
        return false;
    background_call_free(background);
    free(call);
    return true;
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

void kafka_consumer_leave(rd_kafka_t **consumer, int64_t limit_us, bool unanswered,
                          void (*rebalance)(rd_kafka_t *, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t *,
                                            void *),
                          void *context)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(*consumer);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(*consumer, queue);
    int64_t deadline_us = clock_steady_us(&clock_system) + limit_us;
    bool answers = true;
    while (!error && !rd_kafka_consumer_closed(*consumer) && clock_steady_us(&clock_system) < deadline_us) {
        if (unanswered && answers) /* the consumer is closing: this does not make it join again */
            answers = call_within(give_partitions_up, *consumer, 0, ANSWER_LIMIT_US);
        unanswered = false;
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, LEAVE_STEP_MS);
        if (event && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE) {
            rebalance(*consumer, rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event), context);
            unanswered = true;
        }
        rd_kafka_event_destroy(event);
    }
    bool closed = rd_kafka_consumer_closed(*consumer);
    if (!closed)
        log_warn("kafka", "%s did not leave its group in time (%s); it is given up", rd_kafka_name(*consumer),
                 error ? rd_kafka_error_string(error) : "no answer");
    if (error)
        rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
    if (!call_within(destroy_client, *consumer, closed ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE, limit_us))
        log_warn("kafka", "a consumer has left its group, but librdkafka does not end it; it is left behind");
    *consumer = NULL;
}
