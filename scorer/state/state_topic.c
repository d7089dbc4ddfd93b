/* Making topics: see state_topic.h. Called once by each score loop when it connects; takes some 30 s at most. */
#include "scorer/state/state_topic.h"

#include "base/log.h"
#include "kafka/client.h"
#include "scorer/check/check_topic.h"

static enum status make(rd_kafka_t *client, const char *topic, enum check_topic_use use, int partitions,
                        struct error *err)
{
    struct error why;
    if (check_topic_make(client, topic, partitions, use, &why) == STATUS_OK) {
        log_info("kafka", "topic %s was missing and is made, with %d partitions", topic, partitions);
        return STATUS_OK;
    }
    return error_set(err, why.status,
                     "%s; scorer check --create-topics makes it for whoever may, and with STATE_TOPIC=none there are "
                     "neither current records nor alerts",
                     why.text);
}

/* What else is wrong is found, and said, when the topics are used. */
static enum status make_missing(rd_kafka_t *client, const struct settings *settings, const char *topic,
                                enum check_topic_use use, struct error *err)
{
    int found, partitions;
    if (kafka_topic_partitions(client, topic, &found, ERROR_IGNORED) != STATUS_NOT_FOUND ||
        kafka_topic_partitions(client, settings->input_topic, &partitions, ERROR_IGNORED) != STATUS_OK)
        return STATUS_OK;
    return make(client, topic, use, partitions, err);
}

enum status state_topic_make(rd_kafka_t *client, const struct settings *settings, struct error *err)
{
    if (!settings->state_topic || settings->state_given)
        return STATUS_OK;
    return make_missing(client, settings, settings->state_topic, CHECK_TOPIC_STATE, err);
}

enum status state_topic_tombstones(rd_kafka_t *client, const char *topic, int64_t *out_ms, struct error *err)
{
    struct check_topic_settings found;
    if (check_topic_read(client, topic, &found, err) != STATUS_OK)
        return err->status;
    if (found.tombstones_ms < 0)
        return error_set(err, STATUS_UNSUPPORTED, "%s: the broker does not say its delete.retention.ms", topic);
    *out_ms = found.tombstones_ms;
    return STATUS_OK;
}
