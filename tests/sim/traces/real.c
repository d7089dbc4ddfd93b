/* The scenarios on a real Kafka: real HOST:PORT. It must be fresh: the topics are made here. See scenarios.c. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/traces/stage.h"

enum { ADMIN_MS = 30000, TEXT_BYTES = 300 };

static const char *servers;

void stage_set_servers(rd_kafka_conf_t *conf)
{
    char text[TEXT_BYTES];
    if (rd_kafka_conf_set(conf, "bootstrap.servers", servers, text, sizeof text) != RD_KAFKA_CONF_OK)
        fprintf(stderr, "%s\n", text);
}

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(2);
}

static rd_kafka_t *admin_new(void)
{
    char text[TEXT_BYTES];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    stage_set_servers(conf);
    rd_kafka_t *admin = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!admin)
        fail(text);
    return admin;
}

/* Waits for the answer. */
static void take(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_MS);
    if (!event || rd_kafka_event_error(event))
        fail(event ? rd_kafka_event_error_string(event) : "no answer");
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
}

static void create(rd_kafka_t *admin, const char *name, int partitions, const char *setting, const char *value)
{
    char text[TEXT_BYTES];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, text, sizeof text);
    if (setting)
        rd_kafka_NewTopic_set_config(topic, setting, value);
    rd_kafka_CreateTopics(admin, &topic, 1, NULL, queue);
    take(queue);
    rd_kafka_NewTopic_destroy(topic);
}

void stage_delete_records(const char *topic, int32_t partition, int64_t before)
{
    rd_kafka_t *admin = admin_new();
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = before;
    rd_kafka_DeleteRecords_t *places = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(admin, &places, 1, NULL, queue);
    take(queue);
    rd_kafka_DeleteRecords_destroy(places);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(admin);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        fail("usage: real HOST:PORT");
    servers = argv[1];
    rd_kafka_t *admin = admin_new();
    create(admin, STAGE_INPUT, 2, NULL, NULL);
    create(admin, STAGE_OUTPUT, 1, "max.message.bytes", "1000");
    create(admin, STAGE_OUTCOME, 1, "message.timestamp.before.max.ms", "86400000");
    rd_kafka_destroy(admin);
    scenarios_run();
    return 0;
}
