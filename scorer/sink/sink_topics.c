/* The sink's topics in its group: see sink_topics.h. Called by sink.c on the sink's thread; only
 * sink_topics_assigned and sink_topics_may_join within rebalance callbacks.
 *
 * A partition counts as taken once the group has a committed offset for it. The sink commits what it has stored, the
 * end of an empty partition too, so every partition that some sink reads has one within seconds. */
#include "scorer/sink/sink_topics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/client.h"
#include "kafka/member.h"
#include "scorer/stream/alert_topic.h"

enum { FIRST_LOOK_US = 10000000, LAG_EVERY_US = 1000000 };

void sink_topics_start(struct sink_topics *topics, rd_kafka_t *consumer, const char *group_id, const char *instance,
                       const char *const names[SINK_TOPIC_COUNT])
{
    *topics = (struct sink_topics){.instance = instance};
    topics->count = names[SINK_TOPIC_ALERT] ? SINK_TOPIC_COUNT : SINK_TOPIC_ALERT;
    for (int t = 0; t < topics->count; t++)
        topics->sources[t] =
            (struct start_offsets){.consumer = consumer, .topic = names[t], .group = group_id, .loop = "sink"};
}

enum status sink_topics_check(const struct sink_topics *topics, const struct settings *settings, struct error *err)
{
    if (alert_topic_make(topics->sources[0].consumer, settings, err) != STATUS_OK)
        return err->status;
    for (int t = 0; t < topics->count; t++) {
        int partitions;
        const struct start_offsets *source = &topics->sources[t];
        if (kafka_topic_partitions(source->consumer, source->topic, &partitions, err) != STATUS_OK)
            return err->status;
    }
    return STATUS_OK;
}

enum status sink_topics_join(const struct sink_topics *topics, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(topics->count);
    for (int t = 0; t < topics->count; t++)
        rd_kafka_topic_partition_list_add(list, topics->sources[t].topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(topics->sources[0].consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return error_set(err, kafka_status(code), "Kafka: subscribing group %s: %s", topics->sources[0].group,
                         rd_kafka_err2str(code));
    return STATUS_OK;
}

static void log_assigned(const struct sink_topics *topics, const rd_kafka_topic_partition_list_t *list)
{
    struct buffer text = {0};
    for (int t = 0; t < topics->count; t++) {
        buffer_printf(&text, "%s%s [", t ? ", " : "", topics->sources[t].topic);
        const char *space = "";
        for (int i = 0; i < list->cnt; i++)
            if (!strcmp(list->elems[i].topic, topics->sources[t].topic)) {
                buffer_printf(&text, "%s%" PRId32, space, list->elems[i].partition);
                space = " ";
            }
        buffer_printf(&text, "]");
    }
    log_info("sink", "assigned %s", text.data);
    buffer_free(&text);
}

void sink_topics_assigned(struct sink_topics *topics, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_t *consumer = topics->sources[0].consumer;
    char *id = rd_kafka_memberid(consumer);
    if (id && id[0])
        snprintf(topics->member, sizeof topics->member, "%s", id);
    if (id)
        rd_kafka_mem_free(consumer, id);
    for (int t = 0; t < topics->count; t++)
        topics->untaken[t] = (struct untaken_partitions){
            .known = topics->untaken[t].known,
            .look_us = clock_steady_us(&clock_system) + FIRST_LOOK_US,
        };
    log_assigned(topics, list);
}

static bool may_join(struct sink_topics *topics, const _Atomic bool *stop)
{
    struct error err;
    bool replaced = false;
    const struct start_offsets *source = &topics->sources[0];
    if (!topics->instance[0] || !topics->member[0] || !rd_kafka_assignment_lost(source->consumer))
        return true;
    if (topics->failure.status != STATUS_OK || *stop) /* it leaves at once */
        return false;
    if (kafka_member_replaced(source->consumer, source->group, topics->instance, topics->member,
                              &(struct member_wait){stop, "sink"}, &replaced, &err) != STATUS_OK)
        log_warn("sink", "partitions are lost; %s", err.text);
    if (replaced)
        error_set(&topics->failure, STATUS_CONFLICT,
                  "sink: another process has joined group %s as instance %s while this one stood still; it goes on, "
                  "this one ends",
                  source->group, topics->instance);
    return !replaced && !*stop;
}

bool sink_topics_may_join(struct sink_topics *topics, const _Atomic bool *stop)
{
    topics->unanswered = topics->leaving || !may_join(topics, stop);
    return !topics->unanswered;
}

enum status sink_topics_failure(const struct sink_topics *topics, struct error *err)
{
    if (topics->failure.status != STATUS_OK)
        *err = topics->failure;
    return topics->failure.status;
}

enum status sink_topics_watch(struct sink_topics *topics, struct error *err)
{
    bool overdue = false;
    for (int t = 0; t < topics->count; t++) {
        untaken_partitions_look(&topics->untaken[t], &topics->sources[t]);
        if (!untaken_partitions_overdue(&topics->untaken[t]))
            continue;
        log_info("sink", "%zu new partitions of %s are not assigned yet; joining the group again",
                 topics->untaken[t].count, topics->sources[t].topic);
        overdue = true;
    }
    return overdue ? sink_topics_join(topics, err) : STATUS_OK;
}

static uint64_t partition_lag(const struct sink_topics *topics, const struct sink_partition *partition)
{
    int64_t low, high, stored = partition->stored > 0 ? partition->stored : 0;
    if (rd_kafka_get_watermark_offsets(topics->sources[0].consumer, partition->topic_name, partition->id, &low, &high))
        return 0;
    if (stored < low)
        stored = low;
    return high > stored ? (uint64_t)(high - stored) : 0;
}

void sink_topics_count_lag(struct sink_topics *topics, const struct sink_batch *batch, struct counters *counters)
{
    struct sink_partition *partitions;
    size_t count = sink_batch_partitions(batch, &partitions);
    int64_t now = clock_steady_us(&clock_system);
    uint64_t lag = 0;
    if (now - topics->lag_us < LAG_EVERY_US)
        return;
    topics->lag_us = now;
    for (size_t p = 0; p < count; p++)
        lag += partition_lag(topics, &partitions[p]);
    for (int t = 0; t < topics->count; t++)
        lag += untaken_partitions_messages(&topics->untaken[t]);
    counter_set(counters, COUNTER_SINK_LAG, lag);
}
