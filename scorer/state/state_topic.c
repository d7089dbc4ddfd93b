/* Making the state topic: see state_topic.h. Called once by a score loop when it connects; takes some 15 s at most. */
#include "scorer/state/state_topic.h"

#include "base/log.h"
#include "kafka/client.h"
#include "scorer/check/check_topic.h"

enum status state_topic_make(rd_kafka_t *client, const struct settings *settings, int input_partitions,
                             struct error *err)
{
    int partitions;
    const char *topic = settings->state_topic;
    if (!topic || settings->state_given || kafka_topic_partitions(client, topic, &partitions, err) != STATUS_NOT_FOUND)
        return STATUS_OK; /* what else is wrong is found when it is written to */
    struct error why;
    if (check_topic_make(client, topic, input_partitions, CHECK_TOPIC_STATE, &why) != STATUS_OK)
        return error_set(err, why.status,
                         "score: %s: it is for the current records of employees; scorer check --create-topics makes it "
                         "for whoever may, and with STATE_TOPIC=none no records are kept",
                         why.text);
    log_info("score",
             "topic %s was missing and is made, compacted, with %d partitions: for the current records of "
             "employees (STATE_TOPIC)",
             topic, input_partitions);
    return STATUS_OK;
}
