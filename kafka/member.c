/* Group membership by DescribeConsumerGroups: see member.h. Called by transaction.c, on the thread of its owner, before
 * a fresh producer may throw out whoever holds the same transactional.id. Changes nothing on the broker: a request that
 * carries the member id (a commit, say) would move offsets. */
#include "kafka/member.h"

#include <stdbool.h>
#include <string.h>

#include "kafka/client.h"

static bool lists(const rd_kafka_ConsumerGroupDescription_t *group, const char *member)
{
    for (size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(group); i++) {
        const rd_kafka_MemberDescription_t *listed = rd_kafka_ConsumerGroupDescription_member(group, i);
        if (!strcmp(rd_kafka_MemberDescription_consumer_id(listed), member))
            return true;
    }
    return false;
}

static enum status cannot_tell(const char *group, rd_kafka_resp_err_t code, const char *reason, struct error *err)
{
    enum status status = code == RD_KAFKA_RESP_ERR_NO_ERROR ? STATUS_UNAVAILABLE : kafka_status(code);
    return error_set(err, status, "cannot look up the members of group %s: %s", group, reason);
}

static enum status read_answer(rd_kafka_event_t *event, const char *name, const char *id, bool *member,
                               struct error *err)
{
    size_t count = 0;
    if (!event)
        return cannot_tell(name, RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer", err);
    if (rd_kafka_event_error(event))
        return cannot_tell(name, rd_kafka_event_error(event), rd_kafka_event_error_string(event), err);
    const rd_kafka_DescribeConsumerGroups_result_t *result = rd_kafka_event_DescribeConsumerGroups_result(event);
    const rd_kafka_ConsumerGroupDescription_t **groups =
        result ? rd_kafka_DescribeConsumerGroups_result_groups(result, &count) : NULL;
    if (count != 1)
        return cannot_tell(name, RD_KAFKA_RESP_ERR_NO_ERROR, "an answer without the group", err);
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
    if (error && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        return cannot_tell(name, rd_kafka_error_code(error), rd_kafka_error_string(error), err);
    *member = !error && lists(groups[0], id);
    return STATUS_OK;
}

static rd_kafka_event_t *ask(rd_kafka_t *consumer, rd_kafka_queue_t *queue, const char *group, int timeout_ms)
{
    char text[128];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(consumer, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    if (options &&
        rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof text) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_DescribeConsumerGroups(consumer, &group, 1, options, queue);
    if (options)
        rd_kafka_AdminOptions_destroy(options);
    return rd_kafka_queue_poll(queue, timeout_ms + 1000);
}

enum status kafka_member_check(rd_kafka_t *consumer, const char *group, int timeout_ms, bool *member, struct error *err)
{
    char *id = rd_kafka_memberid(consumer);
    if (!id || !*id) { /* has not joined, or was thrown out */
        if (id)
            rd_kafka_mem_free(consumer, id);
        *member = false;
        return STATUS_OK;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer);
    rd_kafka_event_t *event = ask(consumer, queue, group, timeout_ms);
    enum status status = read_answer(event, group, id, member, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_mem_free(consumer, id);
    return status;
}
