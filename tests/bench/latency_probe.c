/* bench: how long after an event is sent its result can be read, with isolation.level=read_committed, from each of some
 * output topics at the same time; used by commit.sh. Sends events of the topic TEMPLATE to INPUT at RATE a second for
 * SECONDS; a result is its event's by the key, so the keys must differ. What was sent in the first 4 s is not counted.
 * usage: latency_probe BROKERS TEMPLATE INPUT RATE SECONDS OUTPUT…; prints a line for each output: p50 p99 max (ms) */
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OUTPUTS = 4, SKIP_S = 4, DRAIN_US = 5000000, CALL_MS = 10000 };

struct event {
    rd_kafka_message_t *template;
    _Atomic int64_t sent_us;
};

static struct probe {
    struct event *events;
    uint32_t *slots; /* by the key's hash: number of the event + 1 */
    size_t count, slot_count;
    double rate;
    const char *brokers, *input;
    double *delays[OUTPUTS]; /* ms */
    size_t delay_count[OUTPUTS], seen[OUTPUTS];
    _Atomic bool ended;
} probe;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "latency_probe: %s: %s\n", what, why);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *const *properties)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", probe.brokers, text, sizeof text) != RD_KAFKA_CONF_OK)
        fail("bootstrap.servers", text);
    for (; properties[0]; properties += 2)
        if (rd_kafka_conf_set(conf, properties[0], properties[1], text, sizeof text) != RD_KAFKA_CONF_OK)
            fail(properties[0], text);
    rd_kafka_t *made = rd_kafka_new(type, conf, text, sizeof text);
    if (!made)
        fail("cannot make a client", text);
    return made;
}

static uint32_t *slot_of(const void *key, size_t bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ ((const unsigned char *)key)[i]) * UINT64_C(0x100000001b3);
    for (size_t at = (size_t)(hash >> 20) % probe.slot_count;; at = (at + 1) % probe.slot_count) {
        uint32_t number = probe.slots[at];
        const rd_kafka_message_t *known = number ? probe.events[number - 1].template : NULL;
        if (!known || (known->key_len == bytes && !memcmp(known->key, key, bytes)))
            return &probe.slots[at];
    }
}

/* Every partition of the topics, from the offset. */
static void assign(rd_kafka_t *consumer, char *const *topics, int count, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (int t = 0; t < count; t++) {
        const struct rd_kafka_metadata *metadata;
        rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, topics[t], NULL);
        rd_kafka_resp_err_t code = rd_kafka_metadata(consumer, 0, topic, &metadata, CALL_MS);
        if (code)
            fail(topics[t], rd_kafka_err2str(code));
        for (int32_t p = 0; p < metadata->topics[0].partition_cnt; p++) {
            int64_t low, high;
            if (rd_kafka_query_watermark_offsets(consumer, topics[t], p, &low, &high, CALL_MS))
                fail(topics[t], "no answer");
            rd_kafka_topic_partition_list_add(list, topics[t], p)->offset = offset == 0 ? low : high;
        }
        rd_kafka_metadata_destroy(metadata);
        rd_kafka_topic_destroy(topic);
    }
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void read_templates(char *topic)
{
    const char *const properties[] = {"group.id", "latency-probe", "enable.auto.commit", "false", NULL};
    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, properties);
    size_t wanted = probe.count;
    rd_kafka_poll_set_consumer(consumer);
    assign(consumer, &topic, 1, 0);
    for (probe.count = 0; probe.count < wanted;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, CALL_MS);
        if (!message || message->err)
            fail(topic, "has too few events with keys of their own");
        uint32_t *slot = slot_of(message->key, message->key_len);
        if (*slot || !message->key) {
            rd_kafka_message_destroy(message);
            continue;
        }
        probe.events[probe.count++].template = message;
        *slot = (uint32_t)probe.count;
    }
}

static void *send_events(void *unused)
{
    const char *const properties[] = {"linger.ms", "1", "partitioner", "murmur2_random", NULL};
    (void)unused;
    rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, properties);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, probe.input, NULL);
    int64_t begun = now_us();
    for (size_t i = 0; i < probe.count; i++) {
        struct event *event = &probe.events[i];
        int64_t due = begun + (int64_t)((double)i / probe.rate * 1e6);
        for (int64_t left; (left = due - now_us()) > 0; rd_kafka_poll(producer, 0))
            nanosleep(&(struct timespec){.tv_nsec = left < 1000 ? left * 1000 : 1000000}, NULL);
        event->sent_us = now_us();
        if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, event->template->payload,
                             event->template->len, event->template->key, event->template->key_len, NULL))
            fail("cannot send", rd_kafka_err2str(rd_kafka_last_error()));
    }
    rd_kafka_flush(producer, CALL_MS);
    probe.ended = true;
    return NULL;
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void note(int output, const rd_kafka_message_t *message)
{
    uint32_t number = *slot_of(message->key, message->key_len);
    if (!number || !probe.events[number - 1].sent_us)
        return;
    if (probe.seen[output]++ < SKIP_S * probe.rate)
        return;
    probe.delays[output][probe.delay_count[output]++] = (double)(now_us() - probe.events[number - 1].sent_us) / 1e3;
}

static bool has_all(int outputs)
{
    for (int o = 0; o < outputs; o++)
        if (probe.seen[o] < probe.count)
            return false;
    return true;
}

static void receive(char **outputs, int count)
{
    const char *const properties[] = {"group.id",
                                      "latency-probe",
                                      "enable.auto.commit",
                                      "false",
                                      "isolation.level",
                                      "read_committed",
                                      "fetch.wait.max.ms",
                                      "5",
                                      NULL};
    pthread_t sender;
    int64_t ended = 0;
    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, properties);
    rd_kafka_poll_set_consumer(consumer);
    assign(consumer, outputs, count, 1);
    rd_kafka_message_t *none = rd_kafka_consumer_poll(consumer, 1000); /* it fetches from here on */
    if (none)
        rd_kafka_message_destroy(none);
    if (pthread_create(&sender, NULL, send_events, NULL))
        fail("cannot start a thread", "");
    while (!has_all(count) && (!ended || now_us() - ended < DRAIN_US)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (probe.ended && !ended)
            ended = now_us();
        if (!message)
            continue;
        for (int o = 0; o < count && !message->err; o++)
            if (!strcmp(rd_kafka_topic_name(message->rkt), outputs[o]))
                note(o, message);
        rd_kafka_message_destroy(message);
    }
    pthread_join(sender, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 7 || argc > 6 + OUTPUTS)
        return fprintf(stderr, "usage: latency_probe BROKERS TEMPLATE INPUT RATE SECONDS OUTPUT…\n"), 2;
    probe.brokers = argv[1];
    probe.input = argv[3];
    probe.rate = atof(argv[4]);
    probe.count = (size_t)(probe.rate * atof(argv[5]));
    probe.slot_count = probe.count * 2 + 1;
    probe.events = calloc(probe.count, sizeof *probe.events);
    probe.slots = calloc(probe.slot_count, sizeof *probe.slots);
    for (int o = 0; o < argc - 6; o++)
        probe.delays[o] = calloc(probe.count, sizeof(double));
    read_templates(argv[2]);
    receive(argv + 6, argc - 6);
    for (int o = 0; o < argc - 6; o++) {
        size_t n = probe.delay_count[o];
        if (probe.seen[o] != probe.count)
            fprintf(stderr, "latency_probe: %s has %zu results of %zu events\n", argv[6 + o], probe.seen[o],
                    probe.count);
        if (!n)
            return 1;
        qsort(probe.delays[o], n, sizeof(double), order);
        printf("%.1f %.1f %.1f\n", probe.delays[o][n / 2], probe.delays[o][n * 99 / 100], probe.delays[o][n - 1]);
    }
    fflush(stdout);
    _Exit(0);
}
