/* A consumer that librdkafka gives up for good is noticed even where it tells so in the middle of a rebalance: seen on
 * a real broker that was frozen for 22 s, after which the scorer stayed alive without partitions. */
#include "scorer/stream/intake.h"

#include <librdkafka/rdkafka_mock.h>
#include <unistd.h>

#include "tests/support/scorer.h"

enum { BATCH = 16, TURNS = 400 };
static const char *const topic = "employee-events";

struct lab {
    rd_kafka_t *host; /* owns the cluster */
    rd_kafka_mock_cluster_t *cluster;
    struct schema *schema;
    struct options *options;
    struct settings settings;
    struct counters counters;
    _Atomic bool stop;
};

static void set_up(struct lab *lab)
{
    struct error err = {0};
    char text[256], servers[160];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    *lab = (struct lab){0};
    rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", text, sizeof text);
    rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text);
    lab->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    lab->cluster = rd_kafka_mock_cluster_new(lab->host, 1);
    assert_int_equal(rd_kafka_mock_topic_create(lab->cluster, topic, 2, 1), 0);
    snprintf(servers, sizeof servers, "--bootstrap-servers=%s", rd_kafka_mock_cluster_bootstraps(lab->cluster));
    lab->schema = lab_schema();
    lab->options =
        lab_options((const char *const[]){"--model=/nowhere.onnx", servers, "--instance-id=t", "--roles=score", NULL});
    if (settings_resolve(lab->options, lab->schema, &lab->settings, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void tear_down(struct lab *lab)
{
    settings_release(&lab->settings);
    options_free(lab->options);
    schema_free(lab->schema);
    rd_kafka_mock_cluster_destroy(lab->cluster);
    rd_kafka_destroy(lab->host);
}

static void leaving(void *context, bool lost)
{
    (void)context, (void)lost;
}

static enum status turn(struct intake *intake, struct error *err)
{
    struct intake_message messages[BATCH];
    int64_t left_us;
    size_t count;
    enum status status = intake_poll(intake, 50, messages, BATCH, &count, &left_us, err);
    if (status == STATUS_OK)
        intake_accept(intake);
    return status;
}

/* So many wait in the consumer's queue. */
static void wait_for_events(struct intake *intake, size_t wanted)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(intake_client(intake));
    for (int i = 0; i < 3000 && rd_kafka_queue_length(queue) < wanted; i++)
        usleep(10000);
    size_t found = rd_kafka_queue_length(queue);
    rd_kafka_queue_destroy(queue);
    if (found < wanted)
        fail_msg("%zu events in the consumer's queue after 30 s, not %zu", found, wanted);
}

static void a_fatal_error_within_a_rebalance_ends_the_loop(void **state)
{
    const struct intake_owner owner = {leaving, NULL};
    struct lab lab;
    struct intake *intake;
    struct error err = {0};
    int partitions;
    (void)state;
    set_up(&lab);
    assert_int_equal(intake_new(&lab.settings, 0, &lab.counters, &owner, &lab.stop, &intake, &partitions, &err),
                     STATUS_OK);
    for (int i = 0; i < TURNS && !counter_get(&lab.counters, COUNTER_PARTITIONS_ASSIGNED); i++)
        assert_int_equal(turn(intake, &err), STATUS_OK);
    assert_int_equal(rd_kafka_unsubscribe(intake_client(intake)), 0);
    wait_for_events(intake, 1); /* the partitions are being taken away, which the next poll learns */
    rd_kafka_test_fatal_error(intake_client(intake), RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "of the test");
    wait_for_events(intake, 2); /* the error comes right behind */
    enum status status = STATUS_OK;
    for (int i = 0; i < 40 && status == STATUS_OK; i++)
        status = turn(intake, &err);
    assert_int_equal(status, STATUS_CONFLICT);
    assert_non_null(strstr(err.text, "of the test"));
    intake_free(intake);
    tear_down(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_fatal_error_within_a_rebalance_ends_the_loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
