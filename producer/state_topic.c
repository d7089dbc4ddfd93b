/* The topic of current records, for who reads it: see state_topic.h. Must say what the scorer makes of the same
 * options. */
#include "producer/state_topic.h"

#include "kafka/client.h"

bool state_topic_find(const struct options *options, const struct schema *schema, struct buffer *name)
{
    const char *given = options_text(options, OPTION_STATE_TOPIC);
    buffer_clear(name);
    if (given && *given ? strcmp(given, "none") == 0 : !schema->state)
        return false;
    if (given && *given)
        buffer_printf(name, "%s", given);
    else
        buffer_printf(name, "%s-state", options_text(options, OPTION_GROUP_ID));
    return true;
}

enum status state_topic_open(const struct options *options, const char *where, const char *topic, const char *group,
                             const _Atomic bool *stop, rd_kafka_t **consumer, int *partitions, struct error *err)
{
    const struct kafka_property fixed[] = {{"group.id", group}, /* never joined */
                                           {"isolation.level", "read_committed"},
                                           {"enable.partition.eof", "true"},
                                           {"auto.offset.reset", "earliest"},
                                           {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    enum status status = kafka_conf(options, RD_KAFKA_CONSUMER, fixed, &conf, err);
    if (status == STATUS_OK)
        status = kafka_client_new(RD_KAFKA_CONSUMER, &conf, consumer, err);
    if (status == STATUS_OK)
        status = kafka_wait_for_broker(*consumer, where, 0, stop, err);
    return status == STATUS_OK ? kafka_topic_partitions(*consumer, topic, partitions, err) : status;
}
