/* Group membership of the input consumer: see static_member.h. Called by input_consumer.c on the score loop's thread,
 * within rebalance callbacks too. */
#include "scorer/stream/static_member.h"

#include <stdio.h>

#include "base/log.h"
#include "kafka/client.h"
#include "kafka/member.h"

void static_member_name(struct static_member *member, const struct settings *settings, unsigned worker)
{
    snprintf(member->instance, sizeof member->instance, "%s-%u", settings->instance_id, worker);
}

enum status static_member_conf(const struct static_member *member, const struct settings *settings,
                               rd_kafka_conf_t **out, struct error *err)
{
    const struct kafka_property fixed[] = {
        {"group.id", settings->group_id},
        {"group.instance.id", member->instance},
        {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"partition.assignment.strategy", "range,roundrobin"},
        {"enable.partition.eof", "true"}, /* reports positions past control records */
        {NULL, NULL},
    };
    return kafka_conf(settings->options, RD_KAFKA_CONSUMER, fixed, out, err);
}

enum status static_member_join(rd_kafka_t *consumer, const char *topic, struct error *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code)
        return error_set(err, kafka_status(code), "score: cannot subscribe to %s: %s", topic, rd_kafka_err2str(code));
    return STATUS_OK;
}

void static_member_note(struct static_member *member, rd_kafka_t *consumer)
{
    char *id = rd_kafka_memberid(consumer);
    if (id && id[0]) /* none where the session has just ended: then the last one is asked about */
        snprintf(member->id, sizeof member->id, "%s", id);
    if (id)
        rd_kafka_mem_free(consumer, id);
}

enum status static_member_check(const struct static_member *member, rd_kafka_t *consumer, const char *group,
                                const _Atomic bool *stop, struct error *err)
{
    struct error problem;
    bool replaced = false;
    if (!member->id[0] || *stop) /* it leaves at once */
        return STATUS_OK;
    if (kafka_member_replaced(consumer, group, member->instance, member->id, &(struct member_wait){stop, "score"},
                              &replaced, &problem) != STATUS_OK)
        log_warn("score", "partitions are lost; %s", problem.text);
    if (!replaced)
        return STATUS_OK;
    return error_set(err, STATUS_CONFLICT,
                     "score: another process has joined group %s as instance %s while this one stood still; it goes "
                     "on, this one ends",
                     group, member->instance);
}

void static_member_explain(const struct static_member *member, rd_kafka_t *consumer, const char *group,
                           const _Atomic bool *stop, struct error *err)
{
    struct error replaced;
    if (static_member_check(member, consumer, group, stop, &replaced) != STATUS_OK)
        *err = replaced;
}
