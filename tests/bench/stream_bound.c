/* bench: the bound beside which stream.sh sets the scorer: consume, write BYTES per record under the same key, one
 * transaction per 100 ms with the offsets in it, and nothing else. The same client settings as the scorer's.
 * usage: stream_bound BROKERS INPUT OUTPUT GROUP EVENTS BYTES; prints CPU seconds (user + system) of the whole process.
 */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { BATCH = 512, PARTITIONS = 256, CALL_MS = 30000, COMMIT_MS = 100 };

struct bound {
    rd_kafka_t *consumer, *producer;
    rd_kafka_topic_t *output;
    rd_kafka_queue_t *queue;
    const char *input;
    char *value;
    size_t bytes;
    int64_t next[PARTITIONS];
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void check(rd_kafka_error_t *error, const char *action)
{
    if (!error)
        return;
    fprintf(stderr, "stream_bound: cannot %s: %s\n", action, rd_kafka_error_string(error));
    exit(1);
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *const *properties)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (; properties[0]; properties += 2)
        if (rd_kafka_conf_set(conf, properties[0], properties[1], text, sizeof text) != RD_KAFKA_CONF_OK)
            check(rd_kafka_error_new(RD_KAFKA_RESP_ERR__INVALID_ARG, "%s", text), "configure");
    rd_kafka_t *made = rd_kafka_new(type, conf, text, sizeof text);
    if (!made)
        check(rd_kafka_error_new(RD_KAFKA_RESP_ERR__INVALID_ARG, "%s", text), "make a client");
    return made;
}

static void connect_both(struct bound *bound, char **argv)
{
    const char *const in[] = {"bootstrap.servers",
                              argv[1],
                              "group.id",
                              argv[4],
                              "enable.auto.commit",
                              "false",
                              "auto.offset.reset",
                              "earliest",
                              "enable.auto.offset.store",
                              "false",
                              "isolation.level",
                              "read_committed",
                              "queued.max.messages.kbytes",
                              "32768",
                              "fetch.wait.max.ms",
                              "100",
                              NULL};
    const char *const out[] = {"bootstrap.servers",
                               argv[1],
                               "transactional.id",
                               argv[4],
                               "linger.ms",
                               "5",
                               "partitioner",
                               "murmur2_random",
                               "queue.buffering.max.kbytes",
                               "262144",
                               "delivery.report.only.error",
                               "true",
                               NULL};
    bound->consumer = client(RD_KAFKA_CONSUMER, in);
    bound->producer = client(RD_KAFKA_PRODUCER, out);
    bound->output = rd_kafka_topic_new(bound->producer, argv[3], NULL);
    rd_kafka_poll_set_consumer(bound->consumer);
    bound->queue = rd_kafka_queue_get_consumer(bound->consumer);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, argv[2], RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(bound->consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    check(rd_kafka_init_transactions(bound->producer, CALL_MS), "start transactions");
    check(rd_kafka_begin_transaction(bound->producer), "begin");
}

static void pass(struct bound *bound, const rd_kafka_message_t *message)
{
    /* the input's bytes, repeated to the output's size: as compressible as what it stands for */
    for (size_t at = 0; at < bound->bytes && message->len; at += message->len)
        memcpy(bound->value + at, message->payload,
               message->len < bound->bytes - at ? message->len : bound->bytes - at);
    while (rd_kafka_produce(bound->output, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, bound->value, bound->bytes,
                            message->key, message->key_len, NULL)) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            check(rd_kafka_error_new(rd_kafka_last_error(), "produce"), "produce");
        rd_kafka_poll(bound->producer, 10);
    }
    bound->next[message->partition] = message->offset + 1;
}

static void commit(struct bound *bound)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (bound->next[p])
            rd_kafka_topic_partition_list_add(offsets, bound->input, p)->offset = bound->next[p];
    memset(bound->next, 0, sizeof bound->next);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(bound->consumer);
    check(rd_kafka_send_offsets_to_transaction(bound->producer, offsets, group, CALL_MS), "send offsets");
    check(rd_kafka_commit_transaction(bound->producer, CALL_MS), "commit");
    check(rd_kafka_begin_transaction(bound->producer), "begin");
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
}

static ssize_t fetch(struct bound *bound, rd_kafka_message_t **batch)
{
    ssize_t got = rd_kafka_consume_batch_queue(bound->queue, COMMIT_MS, batch, 1);
    if (got < 1)
        return 0;
    ssize_t more = rd_kafka_consume_batch_queue(bound->queue, 0, batch + 1, BATCH - 1);
    return got + (more > 0 ? more : 0);
}

static void run(struct bound *bound, long events)
{
    static rd_kafka_message_t *batch[BATCH];
    int64_t opened = 0;
    for (long done = 0; done < events;) {
        ssize_t count = fetch(bound, batch);
        if (count && !opened)
            opened = now_ms();
        for (ssize_t i = 0; i < count; i++) {
            if (!batch[i]->err) {
                pass(bound, batch[i]);
                done++;
            }
            rd_kafka_message_destroy(batch[i]);
        }
        if (opened && (now_ms() - opened >= COMMIT_MS || done >= events)) {
            commit(bound);
            opened = 0;
        }
    }
}

int main(int argc, char **argv)
{
    struct rusage usage;
    if (argc != 7) {
        fprintf(stderr, "usage: stream_bound BROKERS INPUT OUTPUT GROUP EVENTS BYTES\n");
        return 2;
    }
    struct bound bound = {.input = argv[2], .bytes = strtoul(argv[6], NULL, 10)};
    bound.value = malloc(bound.bytes + 1);
    if (!bound.value)
        return 1;
    connect_both(&bound, argv);
    run(&bound, atol(argv[5]));
    rd_kafka_queue_destroy(bound.queue);
    rd_kafka_consumer_close(bound.consumer);
    getrusage(RUSAGE_SELF, &usage);
    printf("%.3f\n", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    fflush(stdout);
    _Exit(0);
}
