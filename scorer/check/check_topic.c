/* Topics and their settings: see check_topic.h. Called by check.c; making a topic takes some 15 s at most, asking for
 * its settings three.
 *
 * A dead letter carries the timestamp of the record that it was, which may be a year old. Where retention counts from
 * that, the letter is gone as soon as it is written; so the topics made here stamp records when they are appended. When
 * the record was, its place in the input says, and a header when it failed first. */
#include "scorer/check/check_topic.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kafka/client.h"

enum { ADMIN_MS = 15000, SETTINGS_MS = 3000, STEP_US = 100000, VISIBLE_TRIES = 150, HOUR_MS = 3600000 };

static const char DAY_MS[] = "86400000";

static enum status topic_result(rd_kafka_event_t *event, const char *topic, struct error *err)
{
    size_t count = 0;
    if (!event)
        return error_set(err, STATUS_UNAVAILABLE, "topic %s: no answer to the request to make it", topic);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const char *text = rd_kafka_event_error_string(event);
    if (!code && result) {
        const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &count);
        if (count) {
            code = rd_kafka_topic_result_error(topics[0]);
            text = rd_kafka_topic_result_error_string(topics[0]);
        }
    }
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return STATUS_OK;
    return error_set(err, kafka_status(code), "topic %s cannot be made: %s; make it with kafka-topics --create", topic,
                     text ? text : rd_kafka_err2str(code));
}

static enum status set_config(rd_kafka_NewTopic_t *wanted, const char *name, const char *value, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_NewTopic_set_config(wanted, name, value);
    return code ? error_set(err, STATUS_INVALID, "%s=%s: %s", name, value, rd_kafka_err2str(code)) : STATUS_OK;
}

static enum status request_topic(rd_kafka_t *client, rd_kafka_NewTopic_t *wanted, const char *topic, struct error *err)
{
    char text[256];
    rd_kafka_AdminOptions_t *admin = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_resp_err_t code = rd_kafka_AdminOptions_set_operation_timeout(admin, ADMIN_MS, text, sizeof text);
    rd_kafka_event_t *event = NULL;
    if (!code) {
        rd_kafka_CreateTopics(client, &wanted, 1, admin, queue);
        event = rd_kafka_queue_poll(queue, ADMIN_MS);
    }
    enum status status =
        code ? error_set(err, STATUS_INVALID, "topic %s: %s", topic, text) : topic_result(event, topic, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(admin);
    return status;
}

static enum status create(rd_kafka_t *client, const char *topic, int partitions, enum check_topic_use use,
                          struct error *err)
{
    char text[256];
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, partitions, -1, text, sizeof text);
    if (!wanted)
        return error_set(err, STATUS_INVALID, "topic %s: %s", topic, text);
    enum status status = set_config(wanted, "cleanup.policy", use == CHECK_TOPIC_STATE ? "compact" : "delete", err);
    if (status == STATUS_OK && use == CHECK_TOPIC_STATE)
        status = set_config(wanted, "max.compaction.lag.ms", DAY_MS, err);
    if (status == STATUS_OK && use == CHECK_TOPIC_STATE)
        status = set_config(wanted, "segment.ms", DAY_MS, err);
    if (status == STATUS_OK && use == CHECK_TOPIC_PAST)
        status = set_config(wanted, "message.timestamp.type", "LogAppendTime", err);
    if (status == STATUS_OK)
        status = request_topic(client, wanted, topic, err);
    rd_kafka_NewTopic_destroy(wanted);
    return status;
}

enum status check_topic_make(rd_kafka_t *client, const char *topic, int partitions, enum check_topic_use use,
                             struct error *err)
{
    int found;
    enum status status = create(client, topic, partitions, use, err);
    if (status != STATUS_OK)
        return status;
    for (int try = 0; try < VISIBLE_TRIES; try++) {
        status = kafka_topic_partitions(client, topic, &found, err);
        if (status != STATUS_NOT_FOUND)
            break;
        usleep(STEP_US);
    }
    return status;
}

/* --- settings --- */

static void take_setting(const char *name, const char *value, struct check_topic_settings *out)
{
    if (!strcmp(name, "cleanup.policy")) {
        out->compacts = strstr(value, "compact") != NULL;
        out->deletes = strstr(value, "delete") != NULL;
    } else if (!strcmp(name, "message.timestamp.type")) {
        out->append_time = !strcmp(value, "LogAppendTime");
    } else if (!strcmp(name, "retention.ms")) {
        out->retention_ms = strtoll(value, NULL, 10);
    } else if (!strcmp(name, "delete.retention.ms")) {
        out->tombstones_ms = strtoll(value, NULL, 10);
    }
}

static enum status cannot_read(const char *topic, rd_kafka_resp_err_t code, const char *text, struct error *err)
{
    bool unsupported = code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE || code == RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION;
    return error_set(err, unsupported ? STATUS_UNSUPPORTED : kafka_status(code),
                     "%s: its settings are not known (%s); allow DESCRIBE_CONFIGS on it", topic,
                     text ? text : rd_kafka_err2str(code));
}

static enum status read_settings(rd_kafka_event_t *event, const char *topic, struct check_topic_settings *out,
                                 struct error *err)
{
    size_t count = 0;
    if (!event)
        return error_set(err, STATUS_UNAVAILABLE,
                         "settings of topics are not known: no answer (the embedded broker of make run has none)");
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code)
        return cannot_read(topic, code, rd_kafka_event_error_string(event), err);
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    const rd_kafka_ConfigResource_t **resources =
        result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    if (count != 1)
        return cannot_read(topic, RD_KAFKA_RESP_ERR__BAD_MSG, NULL, err);
    if (rd_kafka_ConfigResource_error(resources[0]))
        return cannot_read(topic, rd_kafka_ConfigResource_error(resources[0]),
                           rd_kafka_ConfigResource_error_string(resources[0]), err);
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resources[0], &count);
    *out = (struct check_topic_settings){.retention_ms = -1, .tombstones_ms = -1};
    for (size_t e = 0; e < count; e++)
        if (rd_kafka_ConfigEntry_value(entries[e]))
            take_setting(rd_kafka_ConfigEntry_name(entries[e]), rd_kafka_ConfigEntry_value(entries[e]), out);
    return STATUS_OK;
}

enum status check_topic_read(rd_kafka_t *client, const char *topic, struct check_topic_settings *out, struct error *err)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    if (!resource)
        return error_set(err, STATUS_INVALID, "topic name \"%s\" is not usable", topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DescribeConfigs(client, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, SETTINGS_MS);
    enum status status = read_settings(event, topic, out, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(resource);
    return status;
}

static void compacted_error(const char *topic, enum check_topic_use use, struct error *err)
{
    bool input = use == CHECK_TOPIC_INPUT || use == CHECK_TOPIC_CHANGES;
    (void)error_set(err, use == CHECK_TOPIC_INPUT ? STATUS_LIMIT : STATUS_INVALID,
                    "%s is compacted: records that are not %s yet may be removed, and nobody notices: kafka-configs "
                    "--alter --entity-type topics --entity-name %s --add-config cleanup.policy=delete",
                    topic, input ? "read" : "stored", topic);
}

static bool state_keeps_all(const char *topic, const struct check_topic_settings *settings, struct error *err)
{
    if (settings->compacts && !settings->deletes)
        return true;
    (void)error_set(err, STATUS_INVALID,
                    "%s %s: kafka-configs --alter --entity-type topics --entity-name %s --add-config "
                    "cleanup.policy=compact",
                    topic,
                    settings->deletes ? "loses current records by retention"
                                      : "keeps every version of every current record for ever",
                    topic);
    return false;
}

bool check_topic_keeps_all(const char *topic, enum check_topic_use use, const struct check_topic_settings *settings,
                           struct error *err)
{
    if (use == CHECK_TOPIC_STATE)
        return state_keeps_all(topic, settings, err);
    if (settings->compacts) {
        compacted_error(topic, use, err);
        return false;
    }
    if (use != CHECK_TOPIC_PAST || settings->append_time || !settings->deletes || settings->retention_ms < 0)
        return true;
    (void)error_set(err, STATUS_LIMIT,
                    "%s: its records carry their event's timestamp, and those older than %lld h are deleted as soon as "
                    "they are written: kafka-configs --alter --entity-type topics --entity-name %s --add-config "
                    "message.timestamp.type=LogAppendTime",
                    topic, (long long)(settings->retention_ms / HOUR_MS), topic);
    return false;
}
