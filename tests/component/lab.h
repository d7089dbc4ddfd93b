/* A Kafka of the test's own: librdkafka's mock cluster, on threads of this process. Its transactions do nothing, and it
 * knows no static members; what needs either is tested against a real Kafka (tests/system).
 *
 * Everything asserts: without a cluster there is no test. */
#pragma once

#include "tests/support/test.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

/* Kafka's API keys, for rd_kafka_mock_push_request_errors. */
enum { LAB_API_PRODUCE = 0, LAB_API_FIND_COORDINATOR = 10, LAB_API_END_TXN = 26 };
enum { LAB_CALL_MS = 10000 };

struct lab {
    rd_kafka_t *host; /* owns the cluster; also the test's producer */
    rd_kafka_mock_cluster_t *cluster;
    char servers[128];
};

static inline void lab_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        fail_msg("%s", text);
}

/* Takes the configuration. */
static inline rd_kafka_t *lab_client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char text[256];
    lab_set(conf, "log_level", "0");
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof text);
    if (!client)
        fail_msg("%s", text);
    return client;
}

/* A configuration for a client of the cluster. */
static inline rd_kafka_conf_t *lab_conf(const struct lab *lab)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    lab_set(conf, "bootstrap.servers", lab->servers);
    return conf;
}

static inline void lab_start(struct lab *lab, int brokers)
{
    *lab = (struct lab){.host = lab_client(RD_KAFKA_PRODUCER, rd_kafka_conf_new())};
    lab->cluster = rd_kafka_mock_cluster_new(lab->host, brokers);
    assert_non_null(lab->cluster);
    snprintf(lab->servers, sizeof lab->servers, "%s", rd_kafka_mock_cluster_bootstraps(lab->cluster));
    assert_true(rd_kafka_brokers_add(lab->host, lab->servers) > 0);
}

static inline void lab_stop(struct lab *lab)
{
    rd_kafka_mock_cluster_destroy(lab->cluster);
    rd_kafka_destroy(lab->host);
}

static inline void lab_create_topic(struct lab *lab, const char *topic, int partitions)
{
    assert_int_equal(rd_kafka_mock_topic_create(lab->cluster, topic, partitions, 1), 0);
}

/* Key, value and headers may be null; takes the headers. lab_flush waits until they are acknowledged. */
static inline void lab_produce(struct lab *lab, const char *topic, int32_t partition, struct span key,
                               struct span value, rd_kafka_headers_t *headers)
{
    assert_int_equal(rd_kafka_producev(lab->host, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data, key.bytes),
                                       RD_KAFKA_V_VALUE((void *)value.data, value.bytes), RD_KAFKA_V_HEADERS(headers),
                                       RD_KAFKA_V_END),
                     0);
}

static inline void lab_flush(struct lab *lab)
{
    assert_int_equal(rd_kafka_flush(lab->host, LAB_CALL_MS), 0);
}

/* How many records the topic has been given. */
static inline long lab_count(const struct lab *lab, const char *topic, int partitions)
{
    long total = 0;
    for (int32_t p = 0; p < partitions; p++) {
        int64_t low = 0, high = 0;
        assert_int_equal(rd_kafka_query_watermark_offsets(lab->host, topic, p, &low, &high, LAB_CALL_MS), 0);
        total += (long)high;
    }
    return total;
}

/* A consumer that neither subscribes nor commits by itself. */
static inline rd_kafka_t *lab_consumer(const struct lab *lab, const char *group)
{
    rd_kafka_conf_t *conf = lab_conf(lab);
    lab_set(conf, "group.id", group);
    lab_set(conf, "enable.auto.commit", "false");
    lab_set(conf, "enable.partition.eof", "true");
    return lab_client(RD_KAFKA_CONSUMER, conf);
}

/* Reads the topic to its end; `look` sees each record. Returns their number. */
static inline long lab_read(const struct lab *lab, const char *topic, int partitions,
                            void (*look)(const rd_kafka_message_t *message))
{
    rd_kafka_t *reader = lab_consumer(lab, "reader");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(reader, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    long count = 0;
    for (int ends = 0; ends < partitions;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, LAB_CALL_MS);
        if (!message)
            fail_msg("%s: no record and no end of a partition for 10 s", topic);
        ends += message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        count += !message->err;
        if (!message->err)
            look(message);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy(reader);
    return count;
}
