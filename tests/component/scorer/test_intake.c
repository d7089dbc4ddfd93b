/* Partitions that waited are read again, whatever becomes of the group meanwhile; against the embedded broker. */
#include "scorer/stream/intake.h"

#include <librdkafka/rdkafka_mock.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "events/schema.h"
#include "tests/support/scorer.h"

enum { PARTITIONS = 2, BATCH = 16, TURNS = 400, MANY = 100 };
static const char *const topic = "employee-events";

struct lab {
    rd_kafka_t *host; /* owns the cluster; also the test's producer */
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
    lab->cluster = rd_kafka_mock_cluster_new(lab->host, 2);
    rd_kafka_brokers_add(lab->host, rd_kafka_mock_cluster_bootstraps(lab->cluster));
    assert_int_equal(rd_kafka_mock_topic_create(lab->cluster, topic, PARTITIONS, 1), 0);
    rd_kafka_mock_coordinator_set(lab->cluster, "group", "attrition-scorer", 1);
    snprintf(servers, sizeof servers, "--bootstrap-servers=%s", rd_kafka_mock_cluster_bootstraps(lab->cluster));
    lab->schema = lab_schema();
    lab->options = lab_options((const char *const[]){
        "--model=/nowhere.onnx", servers, "--instance-id=t", "--roles=score", "-X", "fetch.wait.max.ms=10", "-X",
        "heartbeat.interval.ms=100", "-X", "session.timeout.ms=6000", NULL});
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

static void send_to(struct lab *lab, int32_t partition)
{
    assert_int_equal(rd_kafka_producev(lab->host, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                       RD_KAFKA_V_VALUE((void *)"x", 1), RD_KAFKA_V_END),
                     0);
    assert_int_equal(rd_kafka_flush(lab->host, 10000), 0);
}

static void leaving(void *context, bool lost)
{
    (void)context, (void)lost;
}

static struct intake *join(struct lab *lab)
{
    const struct intake_owner owner = {leaving, NULL};
    struct intake *intake = NULL;
    struct error err;
    int partitions;
    if (intake_new(&lab->settings, 0, &lab->counters, &owner, &lab->stop, &intake, &partitions, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return intake;
}

/* One batch; where `hold`, partition 1 waits before its first message. Returns how many were taken from partition 1. */
static size_t turn(struct intake *intake, bool hold)
{
    struct intake_message messages[BATCH];
    struct error err;
    int64_t left_us;
    size_t count, taken = 0;
    if (intake_poll(intake, 50, messages, BATCH, &count, &left_us, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++) {
        if (hold && messages[i].partition == 1)
            intake_hold(intake, &messages[i]);
        taken += messages[i].partition == 1 && !intake_holds(intake, 1);
    }
    intake_accept(intake);
    return taken;
}

/* Returns how many were taken from partition 1 meanwhile. */
static size_t wait_for_share(const struct lab *lab, struct intake *intake, uint64_t partitions)
{
    size_t taken = 0;
    for (int i = 0; i < TURNS && counter_get(&lab->counters, COUNTER_PARTITIONS_ASSIGNED) != partitions; i++)
        taken += turn(intake, false);
    assert_int_equal(counter_get(&lab->counters, COUNTER_PARTITIONS_ASSIGNED), partitions);
    return taken;
}

static void hold_one(struct lab *lab, struct intake *intake)
{
    send_to(lab, 1);
    for (int i = 0; i < TURNS && !intake_holds_any(intake); i++)
        assert_int_equal(turn(intake, true), 0);
    assert_true(intake_holds(intake, 1));
}

static void assert_read(struct intake *intake, size_t wanted)
{
    size_t taken = 0;
    for (int i = 0; i < TURNS && taken < wanted; i++)
        taken += turn(intake, false);
    assert_int_equal(taken, wanted);
}

/* All partitions are taken away, and given back; returns how many were taken from partition 1 meanwhile. */
static size_t rebalance(const struct lab *lab, struct intake *intake)
{
    rd_kafka_topic_partition_list_t *topics;
    assert_int_equal(rd_kafka_subscription(intake_client(intake), &topics), 0);
    assert_int_equal(rd_kafka_unsubscribe(intake_client(intake)), 0);
    wait_for_share(lab, intake, 0);
    assert_int_equal(rd_kafka_subscribe(intake_client(intake), topics), 0);
    size_t taken = wait_for_share(lab, intake, PARTITIONS);
    rd_kafka_topic_partition_list_destroy(topics);
    return taken;
}

static void partitions_that_waited_are_read_after_a_rebalance(void **state)
{
    struct lab lab;
    (void)state;
    set_up(&lab);
    struct intake *intake = join(&lab);
    struct error err;
    hold_one(&lab, intake);
    assert_int_equal(intake_go_on(intake, &err), STATUS_OK);
    assert_read(intake, 1);
    size_t taken = rebalance(&lab, intake);
    send_to(&lab, 1);
    assert_read(intake, 2 - taken); /* nothing is committed: the first one again, too */
    intake_free(intake);
    tear_down(&lab);
}

static void partitions_that_wait_are_read_after_a_rebalance(void **state)
{
    struct lab lab;
    (void)state;
    set_up(&lab);
    struct intake *intake = join(&lab);
    hold_one(&lab, intake);
    size_t taken = rebalance(&lab, intake);
    assert_false(intake_holds_any(intake));
    send_to(&lab, 1);
    assert_read(intake, 2 - taken);
    intake_free(intake);
    tear_down(&lab);
}

/* Messages of a partition that waits stay with the broker, however long it waits. */
static void a_partition_that_waits_is_not_fetched(void **state)
{
    struct lab lab;
    (void)state;
    set_up(&lab);
    struct intake *intake = join(&lab);
    hold_one(&lab, intake);
    for (int i = 0; i < MANY; i++)
        send_to(&lab, 1);
    for (int i = 0; i < 40; i++)
        assert_int_equal(turn(intake, true), 0);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_partition(intake_client(intake), topic, 1);
    assert_non_null(queue);
    assert_true(rd_kafka_queue_length(queue) <= 2); /* the fetch that was under way may still have come */
    rd_kafka_queue_destroy(queue);
    struct error err;
    assert_int_equal(intake_go_on(intake, &err), STATUS_OK);
    assert_read(intake, 1 + MANY);
    intake_free(intake);
    tear_down(&lab);
}

/* Rolled back while it waits, and again right after it goes on: each message is read once more, none is passed over. */
static void a_partition_that_waits_is_read_after_a_rewind(void **state)
{
    struct lab lab;
    (void)state;
    set_up(&lab);
    struct intake *intake = join(&lab);
    struct error err;
    for (int i = 0; i < 3; i++)
        send_to(&lab, 1);
    for (int i = 0; i < TURNS && !intake_holds_any(intake); i++)
        assert_int_equal(turn(intake, true), 0);
    assert_int_equal(intake_rewind(intake, &err), STATUS_OK);
    assert_false(intake_holds_any(intake));
    assert_read(intake, 3);
    assert_int_equal(intake_rewind(intake, &err), STATUS_OK);
    assert_read(intake, 3);
    intake_free(intake);
    tear_down(&lab);
}

static void commit_with_note(struct intake *intake, int32_t partition, int64_t offset, const char *note)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *element = rd_kafka_topic_partition_list_add(list, topic, partition);
    element->offset = offset;
    element->metadata = mem_text(note);
    element->metadata_size = strlen(note);
    assert_int_equal(rd_kafka_commit(intake_client(intake), list, 0), 0);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Partition 0 holds just more than the broker keeps, so its first record is gone; partition 1 has two. */
static void fill_until_the_first_is_deleted(struct lab *lab)
{
    enum { RECORD_BYTES = 900000, RECORDS = 6 };
    void *value = mem_zeroed(1, RECORD_BYTES);
    for (int i = 0; i < RECORDS; i++) {
        assert_int_equal(rd_kafka_producev(lab->host, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                           RD_KAFKA_V_VALUE(value, RECORD_BYTES), RD_KAFKA_V_END),
                         0);
        assert_int_equal(rd_kafka_flush(lab->host, 10000), 0);
    }
    free(value);
    send_to(lab, 1);
    send_to(lab, 1);
}

/* The record noted for one partition was deleted; the other's is not the one that was noted, and comes later. */
static void a_deleted_record_leaves_the_check_of_other_partitions(void **state)
{
    struct lab lab;
    struct error err;
    enum status status = STATUS_OK;
    (void)state;
    set_up(&lab);
    fill_until_the_first_is_deleted(&lab);
    struct intake *intake = join(&lab);
    wait_for_share(&lab, intake, PARTITIONS);
    commit_with_note(intake, 0, 5, "next=5 last=0 ms=1");
    commit_with_note(intake, 1, 2, "next=2 last=1 ms=1");
    intake_free(intake);
    memset(&lab.counters, 0, sizeof lab.counters);
    assert_int_equal(rd_kafka_mock_partition_set_leader(lab.cluster, topic, 1, 2), 0);
    rd_kafka_mock_broker_set_rtt(lab.cluster, 2, 500);
    intake = join(&lab);
    for (int i = 0; i < TURNS && status == STATUS_OK; i++) {
        struct intake_message messages[BATCH];
        int64_t left_us;
        size_t count;
        status = intake_poll(intake, 50, messages, BATCH, &count, &left_us, &err);
        intake_accept(intake);
    }
    assert_int_equal(status, STATUS_CONFLICT);
    assert_non_null(strstr(err.text, "[1] is not the log that was read before"));
    intake_free(intake);
    tear_down(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_that_waited_are_read_after_a_rebalance),
        cmocka_unit_test(partitions_that_wait_are_read_after_a_rebalance),
        cmocka_unit_test(a_partition_that_waits_is_not_fetched),
        cmocka_unit_test(a_partition_that_waits_is_read_after_a_rewind),
        cmocka_unit_test(a_deleted_record_leaves_the_check_of_other_partitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
