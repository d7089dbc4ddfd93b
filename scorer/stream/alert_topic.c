/* Making the alert topic: see alert_topic.h. Called by score loops and the sink when they connect; takes some 15 s at
 * most. */
#include "scorer/stream/alert_topic.h"

#include "base/log.h"
#include "kafka/client.h"
#include "scorer/check/check_topic.h"

enum status alert_topic_make(rd_kafka_t *client, const struct settings *settings, struct error *err)
{
    int partitions;
    struct error why;
    const char *topic = settings->alert_topic;
    if (!topic || settings->alert_given || kafka_topic_partitions(client, topic, &partitions, err) != STATUS_NOT_FOUND)
        return STATUS_OK; /* what else is wrong is found when it is used */
    if (kafka_topic_partitions(client, settings->output_topic, &partitions, &why) != STATUS_OK)
        return STATUS_OK;
    if (check_topic_make(client, topic, partitions, CHECK_TOPIC_OUTPUT, &why) != STATUS_OK)
        return error_set(err, why.status,
                         "%s: it is for alerts; scorer check --create-topics makes it for whoever may, and with "
                         "ALERT_TOPIC=none there are none",
                         why.text);
    log_info("run", "topic %s was missing and is made, with %d partitions: for alerts (ALERT_TOPIC)", topic,
             partitions);
    return STATUS_OK;
}
