/* Group membership by DescribeConsumerGroups: see member.h. Called before partitions are given back and before a fresh
 * producer may throw out whoever holds the same transactional.id, on the thread of the loop. Changes nothing on the
 * broker: a request that carries the member id (a commit, say) would move offsets. */
#include "kafka/member.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "kafka/client.h"
#include "kafka/credentials.h"

enum {
    LOOKUP_MS = 5000,
    STEP_MS = 20,
    POLL_MS = 100,
    BACKOFF_US = 100000,
    MOVED_US = 500000, /* until the brokers may agree on a coordinator */
    INSTANCE_BYTES = 512,
    REQUEST_MS = 3600 * 1000
};

/* Who is looked for, and what was seen: the member of this id; members of this instance that have another id. */
struct sighting {
    const char *id, *instance;
    bool self, other;
    bool stale; /* whoever was asked is not the group's coordinator */
    size_t count;
};

static void note_member(const rd_kafka_MemberDescription_t *listed, struct sighting *sighting)
{
    const char *instance = rd_kafka_MemberDescription_group_instance_id(listed);
    if (sighting->id[0] && !strcmp(rd_kafka_MemberDescription_consumer_id(listed), sighting->id))
        sighting->self = true;
    else if (instance && !strcmp(instance, sighting->instance))
        sighting->other = true;
}

static enum status member_unknown(const char *group, rd_kafka_resp_err_t code, const char *reason, struct error *err)
{
    enum status status = code == RD_KAFKA_RESP_ERR_NO_ERROR ? STATUS_UNAVAILABLE : kafka_status(code);
    return error_set(err, status, "cannot look up the members of group %s: %s", group, reason);
}

static enum status read_answer(rd_kafka_event_t *event, const char *name, struct sighting *sighting, struct error *err)
{
    size_t count = 0;
    sighting->stale = event && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
    if (!event)
        return member_unknown(name, RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer", err);
    if (rd_kafka_event_error(event))
        return member_unknown(name, rd_kafka_event_error(event), rd_kafka_event_error_string(event), err);
    const rd_kafka_DescribeConsumerGroups_result_t *result = rd_kafka_event_DescribeConsumerGroups_result(event);
    const rd_kafka_ConsumerGroupDescription_t **groups =
        result ? rd_kafka_DescribeConsumerGroups_result_groups(result, &count) : NULL;
    if (count != 1)
        return member_unknown(name, RD_KAFKA_RESP_ERR_NO_ERROR, "an answer without the group", err);
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
    sighting->stale |= error && rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
    if (error && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        return member_unknown(name, rd_kafka_error_code(error), rd_kafka_error_string(error), err);
    sighting->count = error ? 0 : rd_kafka_ConsumerGroupDescription_member_count(groups[0]);
    for (size_t i = 0; i < sighting->count; i++)
        note_member(rd_kafka_ConsumerGroupDescription_member(groups[0], i), sighting);
    return STATUS_OK;
}

/* The request itself gets an hour: librdkafka 2.0 may fail an assertion of its own (#4605) where one runs out of time
 * while the coordinator is looked up. Whoever does not wait for it so long leaves its answer in the queue. */
static rd_kafka_event_t *ask(rd_kafka_t *consumer, rd_kafka_queue_t *queue, const char *group,
                             const struct member_wait *wait)
{
    char text[128];
    rd_kafka_event_t *event = NULL;
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(consumer, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    if (options &&
        rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_MS, text, sizeof text) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_DescribeConsumerGroups(consumer, &group, 1, options, queue);
    if (options)
        rd_kafka_AdminOptions_destroy(options);
    for (int waited_ms = 0; !event && waited_ms < LOOKUP_MS && !*wait->stop; waited_ms += POLL_MS)
        event = rd_kafka_queue_poll(queue, POLL_MS);
    return event;
}

/* It is sent only while brokers answer: each that is given up stays with librdkafka until it is answered. */
static bool wait_for_answers(const struct member_wait *wait)
{
    for (int waited_ms = 0; !kafka_up() && waited_ms < LOOKUP_MS && !*wait->stop; waited_ms += STEP_MS)
        usleep(STEP_MS * 1000);
    return kafka_up();
}

static enum status look_once(rd_kafka_t *consumer, const char *group, const struct member_wait *wait,
                             struct sighting *sighting, struct error *err)
{
    sighting->stale = false;
    if (!wait_for_answers(wait))
        return member_unknown(group, RD_KAFKA_RESP_ERR__TIMED_OUT, "no broker answers", err);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer);
    rd_kafka_event_t *event = ask(consumer, queue, group, wait);
    enum status status = read_answer(event, group, sighting, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    return status;
}

/* librdkafka keeps the coordinator that it has asked once for as long as it is asked, whatever it answers (2.0
 * to 2.15), so a client whose coordinator has moved never finds the new one: another asks then, which never joins. */
static void asker_renew(rd_kafka_t *consumer, rd_kafka_t **asker)
{
    struct error err;
    rd_kafka_conf_t *conf;
    kafka_client_free(*asker);
    *asker = NULL;
    if (credentials_conf_copy(consumer, &conf, &err) != STATUS_OK ||
        kafka_client_new(RD_KAFKA_CONSUMER, &conf, asker, &err) != STATUS_OK)
        log_warn("kafka", "%s", err.text);
}

static enum status look_for(rd_kafka_t *consumer, const char *group, const struct member_wait *wait,
                            struct sighting *sighting, struct error *err)
{
    rd_kafka_t *asker = NULL;
    enum status status;
    for (bool logged = false;; usleep(sighting->stale ? MOVED_US : BACKOFF_US)) {
        status = look_once(asker ? asker : consumer, group, wait, sighting, err);
        if (status != STATUS_UNAVAILABLE || *wait->stop)
            break;
        if (!logged)
            log_warn(wait->where, "%s; trying until it succeeds", err->text);
        logged = true;
        if (sighting->stale)
            asker_renew(consumer, &asker);
        else if (asker)
            rd_kafka_poll(asker, 0); /* statistics, and tokens that run out */
    }
    kafka_client_free(asker);
    return status;
}

/* Empty where it has none. */
static void read_instance(rd_kafka_t *consumer, char *out, size_t capacity)
{
    if (rd_kafka_conf_get(rd_kafka_conf(consumer), "group.instance.id", out, &capacity) != RD_KAFKA_CONF_OK)
        out[0] = '\0';
}

enum status kafka_member_check(rd_kafka_t *consumer, const char *group, const struct member_wait *wait, bool *ours,
                               struct error *err)
{
    char instance[INSTANCE_BYTES];
    char *id = rd_kafka_memberid(consumer); /* none: it has not joined, or was thrown out */
    struct sighting sighting = {.id = id ? id : "", .instance = instance};
    read_instance(consumer, instance, sizeof instance);
    enum status status = look_for(consumer, group, wait, &sighting, err);
    *ours = status == STATUS_OK && (sighting.self || (instance[0] && !sighting.other));
    if (id)
        rd_kafka_mem_free(consumer, id);
    return status;
}

enum status kafka_member_replaced(rd_kafka_t *consumer, const char *group, const char *instance, const char *id,
                                  const struct member_wait *wait, bool *replaced, struct error *err)
{
    struct sighting sighting = {.id = id, .instance = instance};
    enum status status = look_for(consumer, group, wait, &sighting, err);
    *replaced = status == STATUS_OK && sighting.other;
    return status;
}

enum status kafka_member_count(rd_kafka_t *consumer, const char *group, const struct member_wait *wait, size_t *count,
                               struct error *err)
{
    struct sighting sighting = {.id = "", .instance = ""};
    enum status status = look_for(consumer, group, wait, &sighting, err);
    *count = sighting.count;
    return status;
}
