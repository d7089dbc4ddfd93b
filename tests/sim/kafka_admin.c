/* The fake client library's look-up of a group's members: who is in it, as its coordinator says. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/sim/kafka.h"

char *rd_kafka_memberid(const rd_kafka_t *client)
{
    return client->member ? mem_text(client->member->id) : NULL;
}

rd_kafka_AdminOptions_t *rd_kafka_AdminOptions_new(rd_kafka_t *client, rd_kafka_admin_op_t kind)
{
    (void)client, (void)kind;
    return mem_zeroed(1, 1);
}

rd_kafka_resp_err_t rd_kafka_AdminOptions_set_request_timeout(rd_kafka_AdminOptions_t *options, int ms, char *text,
                                                              size_t bytes)
{
    (void)options, (void)ms, (void)text, (void)bytes;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void rd_kafka_AdminOptions_destroy(rd_kafka_AdminOptions_t *options)
{
    free(options);
}

/* Answered at once, or not at all. As the library does, it asks the coordinator that it once found for ever. */
void rd_kafka_DescribeConsumerGroups(rd_kafka_t *client, const char **names, size_t count,
                                     const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *queue)
{
    (void)count, (void)options;
    if (!ask_broker(client, API_DESCRIBE_GROUPS, sim_now() + SECOND))
        return;
    if (!client->coordinator_term)
        client->coordinator_term = groups_coordinator_term;
    if (client->coordinator_term != groups_coordinator_term) {
        queue->answer = mem_zeroed(1, sizeof *queue->answer);
        queue->answer->type = RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT;
        queue->answer->code = RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
        return;
    }
    const struct group *group = group_find(names[0]);
    rd_kafka_event_t *event = mem_zeroed(1, sizeof *event);
    const char **ids = mem_zeroed((size_t)group->member_count + 1, sizeof *ids);
    for (int m = 0; m < group->member_count; m++)
        ids[m] = group->members[m]->id;
    *event = (rd_kafka_event_t){.type = RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT,
                                .members = ids,
                                .member_count = (size_t)group->member_count};
    queue->answer = event;
    client->proc->looked_us = client->proc->asked_us = sim_now();
}

const char *rd_kafka_event_error_string(rd_kafka_event_t *event)
{
    return rd_kafka_err2name(event->code);
}

const rd_kafka_DescribeConsumerGroups_result_t *rd_kafka_event_DescribeConsumerGroups_result(rd_kafka_event_t *event)
{
    return (const rd_kafka_DescribeConsumerGroups_result_t *)event;
}

const rd_kafka_ConsumerGroupDescription_t **
rd_kafka_DescribeConsumerGroups_result_groups(const rd_kafka_DescribeConsumerGroups_result_t *result, size_t *count)
{
    static const rd_kafka_ConsumerGroupDescription_t *groups[1];
    groups[0] = (const rd_kafka_ConsumerGroupDescription_t *)result;
    *count = 1;
    return groups;
}

const rd_kafka_error_t *rd_kafka_ConsumerGroupDescription_error(const rd_kafka_ConsumerGroupDescription_t *group)
{
    (void)group;
    return NULL;
}

size_t rd_kafka_ConsumerGroupDescription_member_count(const rd_kafka_ConsumerGroupDescription_t *group)
{
    return ((const rd_kafka_event_t *)group)->member_count;
}

const rd_kafka_MemberDescription_t *
rd_kafka_ConsumerGroupDescription_member(const rd_kafka_ConsumerGroupDescription_t *group, size_t at)
{
    return (const rd_kafka_MemberDescription_t *)((const rd_kafka_event_t *)group)->members[at];
}

const char *rd_kafka_MemberDescription_consumer_id(const rd_kafka_MemberDescription_t *member)
{
    return (const char *)member;
}

const char *rd_kafka_MemberDescription_group_instance_id(const rd_kafka_MemberDescription_t *member)
{
    return ((const struct member *)((const char *)member - offsetof(struct member, id)))->instance;
}
