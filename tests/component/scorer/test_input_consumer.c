/* Partitions that waited are read again, whatever becomes of the group meanwhile; against the mock cluster. */
#include "scorer/stream/input_consumer.h"

#include <dlfcn.h>

#include "base/memory.h"
#include "events/schema.h"
#include "tests/component/lab.h"
#include "tests/support/scorer.h"
#include "tests/support/wait.h"

enum { PARTITIONS = 2, BATCH = 16, TURNS = 400, MANY = 100 };
static const char *const topic = "employee-events";

struct fixture {
    struct lab kafka;
    struct schema *schema;
    struct options *options;
    struct settings settings;
    struct counters counters;
    _Atomic bool stop;
};

static void set_up(struct fixture *f)
{
    struct error err = {0};
    char servers[160];
    *f = (struct fixture){0};
    lab_start(&f->kafka, 2);
    lab_create_topic(&f->kafka, topic, PARTITIONS);
    rd_kafka_mock_coordinator_set(f->kafka.cluster, "group", "attrition-scorer", 1);
    snprintf(servers, sizeof servers, "--bootstrap-servers=%s", f->kafka.servers);
    f->schema = scorer_schema();
    f->options = scorer_options((const char *const[]){
        "--model=/nowhere.onnx", servers, "--instance-id=t", "--roles=score", "-X", "fetch.wait.max.ms=10", "-X",
        "heartbeat.interval.ms=100", "-X", "session.timeout.ms=6000", "-X", "statistics.interval.ms=0", NULL});
    if (settings_resolve(f->options, f->schema, &f->settings, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void tear_down(struct fixture *f)
{
    settings_release(&f->settings);
    options_free(f->options);
    schema_free(f->schema);
    lab_stop(&f->kafka);
}

static void send_to(struct fixture *f, int32_t partition)
{
    lab_produce(&f->kafka, topic, partition, SPAN_NULL, SPAN_LITERAL("x"), NULL);
    lab_flush(&f->kafka);
}

static void leaving(void *context, bool lost)
{
    (void)context, (void)lost;
}

static struct input_consumer *join(struct fixture *f)
{
    const struct input_consumer_owner owner = {.leaving = leaving};
    struct input_consumer *input = NULL;
    struct error err;
    int partitions;
    if (input_consumer_new(&f->settings, 0, &f->counters, &owner, &f->stop, &input, &partitions, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return input;
}

/* One batch; where `wait`, partition 1 waits before its first message. Returns how many were taken from partition 1. */
static size_t turn(struct input_consumer *input, bool wait)
{
    struct input_message messages[BATCH];
    struct error err;
    int64_t left_us;
    size_t count, taken = 0;
    if (input_consumer_poll(input, 50, messages, BATCH, &count, &left_us, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++) {
        if (wait && messages[i].partition == 1)
            input_consumer_set_waiting(input, &messages[i]);
        taken += messages[i].partition == 1 && !input_consumer_is_waiting(input, 1);
    }
    input_consumer_accept(input);
    return taken;
}

/* Returns how many were taken from partition 1 meanwhile. */
static size_t wait_for_share(const struct fixture *f, struct input_consumer *input, uint64_t partitions)
{
    size_t taken = 0;
    for (int i = 0; i < TURNS && counter_get(&f->counters, COUNTER_PARTITIONS_ASSIGNED) != partitions; i++)
        taken += turn(input, false);
    assert_int_equal(counter_get(&f->counters, COUNTER_PARTITIONS_ASSIGNED), partitions);
    return taken;
}

static void make_one_wait(struct fixture *f, struct input_consumer *input)
{
    send_to(f, 1);
    for (int i = 0; i < TURNS && !input_consumer_any_waiting(input); i++)
        assert_int_equal(turn(input, true), 0);
    assert_true(input_consumer_is_waiting(input, 1));
}

static void assert_read(struct input_consumer *input, size_t wanted)
{
    size_t taken = 0;
    for (int i = 0; i < TURNS && taken < wanted; i++)
        taken += turn(input, false);
    assert_int_equal(taken, wanted);
}

/* All partitions are revoked, and assigned again; returns how many were taken from partition 1 meanwhile. */
static size_t rebalance(const struct fixture *f, struct input_consumer *input)
{
    rd_kafka_topic_partition_list_t *topics;
    assert_int_equal(rd_kafka_subscription(input_consumer_client(input), &topics), 0);
    assert_int_equal(rd_kafka_unsubscribe(input_consumer_client(input)), 0);
    wait_for_share(f, input, 0);
    assert_int_equal(rd_kafka_subscribe(input_consumer_client(input), topics), 0);
    size_t taken = wait_for_share(f, input, PARTITIONS);
    rd_kafka_topic_partition_list_destroy(topics);
    return taken;
}

static void partitions_that_waited_are_read_after_a_rebalance(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    struct input_consumer *input = join(&f);
    struct error err;
    make_one_wait(&f, input);
    assert_int_equal(input_consumer_go_on(input, &err), STATUS_OK);
    assert_read(input, 1);
    size_t taken = rebalance(&f, input);
    send_to(&f, 1);
    assert_read(input, 2 - taken); /* nothing is committed: the first one again, too */
    input_consumer_free(input);
    tear_down(&f);
}

/* What is given back last must find its queue: this crashed. */
static void partitions_may_wait_at_the_end(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    struct input_consumer *input = join(&f);
    make_one_wait(&f, input);
    input_consumer_free(input);
    tear_down(&f);
}

static void partitions_that_wait_are_read_after_a_rebalance(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    struct input_consumer *input = join(&f);
    make_one_wait(&f, input);
    size_t taken = rebalance(&f, input);
    assert_false(input_consumer_any_waiting(input));
    send_to(&f, 1);
    assert_read(input, 2 - taken);
    input_consumer_free(input);
    tear_down(&f);
}

/* Messages of a partition that waits stay with the broker, however long it waits. */
static void a_partition_that_waits_is_not_fetched(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    struct input_consumer *input = join(&f);
    make_one_wait(&f, input);
    for (int i = 0; i < MANY; i++)
        send_to(&f, 1);
    for (int i = 0; i < 40; i++)
        assert_int_equal(turn(input, true), 0);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_partition(input_consumer_client(input), topic, 1);
    assert_non_null(queue);
    assert_true(rd_kafka_queue_length(queue) <= 2); /* the fetch that was under way may still have come */
    rd_kafka_queue_destroy(queue);
    struct error err;
    assert_int_equal(input_consumer_go_on(input, &err), STATUS_OK);
    assert_read(input, 1 + MANY);
    input_consumer_free(input);
    tear_down(&f);
}

/* Rolled back while it waits, and again right after it goes on: each message is read once more, none is passed over. */
static void a_partition_that_waits_is_read_after_a_rewind(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    struct input_consumer *input = join(&f);
    struct error err;
    for (int i = 0; i < 3; i++)
        send_to(&f, 1);
    for (int i = 0; i < TURNS && !input_consumer_any_waiting(input); i++)
        assert_int_equal(turn(input, true), 0);
    assert_int_equal(input_consumer_rewind(input, &err), STATUS_OK);
    assert_false(input_consumer_any_waiting(input));
    assert_read(input, 3);
    assert_int_equal(input_consumer_rewind(input, &err), STATUS_OK);
    assert_read(input, 3);
    input_consumer_free(input);
    tear_down(&f);
}

/* Polls until that fails, or the TURNS are over. */
static enum status poll_until_it_fails(struct input_consumer *input, struct error *err)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < TURNS && status == STATUS_OK; i++) {
        struct input_message messages[BATCH];
        int64_t left_us;
        size_t count;
        status = input_consumer_poll(input, 50, messages, BATCH, &count, &left_us, err);
        if (status == STATUS_OK)
            input_consumer_accept(input);
    }
    return status;
}

static void commit_with_metadata(struct input_consumer *input, int32_t partition, int64_t offset, const char *metadata)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *element = rd_kafka_topic_partition_list_add(list, topic, partition);
    element->offset = offset;
    element->metadata = mem_text(metadata);
    element->metadata_size = strlen(metadata);
    assert_int_equal(rd_kafka_commit(input_consumer_client(input), list, 0), 0);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Partition 0 holds just more than the broker keeps, so its first record is gone; partition 1 has two. */
static void fill_until_the_first_is_deleted(struct fixture *f)
{
    enum { RECORD_BYTES = 900000, RECORDS = 6 };
    void *value = mem_zeroed(1, RECORD_BYTES);
    for (int i = 0; i < RECORDS; i++) {
        lab_produce(&f->kafka, topic, 0, SPAN_NULL, (struct span){value, RECORD_BYTES}, NULL);
        lab_flush(&f->kafka);
    }
    free(value);
    send_to(f, 1);
    send_to(f, 1);
}

/* The last record that one partition's metadata names was deleted; the other's is another one, and comes later. */
static void a_deleted_record_leaves_the_check_of_other_partitions(void **state)
{
    struct fixture f;
    struct error err;
    (void)state;
    set_up(&f);
    fill_until_the_first_is_deleted(&f);
    struct input_consumer *input = join(&f);
    wait_for_share(&f, input, PARTITIONS);
    commit_with_metadata(input, 0, 5, "next=5 last=0 ms=1");
    commit_with_metadata(input, 1, 2, "next=2 last=1 ms=1");
    input_consumer_free(input);
    memset(&f.counters, 0, sizeof f.counters);
    assert_int_equal(rd_kafka_mock_partition_set_leader(f.kafka.cluster, topic, 1, 2), 0);
    rd_kafka_mock_broker_set_rtt(f.kafka.cluster, 2, 500);
    input = join(&f);
    assert_int_equal(poll_until_it_fails(input, &err), STATUS_CONFLICT);
    assert_non_null(strstr(err.text, "[1] is not the log that was read before"));
    input_consumer_free(input);
    tear_down(&f);
}

/* So many wait in the consumer's queue. */
static void wait_for_events(struct input_consumer *input, size_t wanted)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(input_consumer_client(input));
    WAIT_UNTIL(rd_kafka_queue_length(queue) >= wanted, "%zu events in the consumer's queue, not %zu",
               rd_kafka_queue_length(queue), wanted);
    rd_kafka_queue_destroy(queue);
}

/* A consumer that librdkafka gives up for good is noticed even where it says so in the middle of a rebalance: seen on a
 * real broker that was frozen for 22 s, after which the scorer stayed alive without partitions. */
static void a_fatal_error_within_a_rebalance_ends_the_loop(void **state)
{
    struct fixture f;
    struct error err = {0};
    (void)state;
    set_up(&f);
    struct input_consumer *input = join(&f);
    wait_for_share(&f, input, PARTITIONS);
    assert_int_equal(rd_kafka_unsubscribe(input_consumer_client(input)), 0);
    wait_for_events(input, 1); /* the partitions are being revoked, which the next poll learns */
    rd_kafka_test_fatal_error(input_consumer_client(input), RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "of the test");
    wait_for_events(input, 2); /* the error comes right after it */
    assert_int_equal(poll_until_it_fails(input, &err), STATUS_CONFLICT);
    assert_non_null(strstr(err.text, "of the test"));
    input_consumer_free(input);
    tear_down(&f);
}

/* In place of librdkafka's: 2.0 drops the question without an answer if the group ends meanwhile. */
static bool leaves;

char *rd_kafka_memberid(const rd_kafka_t *consumer)
{
    char *(*memberid)(const rd_kafka_t *) = NULL;
    assert_false(leaves);
    *(void **)&memberid = dlsym(RTLD_NEXT, "rd_kafka_memberid");
    return memberid(consumer);
}

/* Seen where a topic of the scorer was missing: it failed just as it joined, asked for its member id after it had given
 * its partitions up, and stood there for good. */
static void whoever_fails_while_it_joins_asks_nothing_more(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    struct input_consumer *input = join(&f);
    wait_for_events(input, 1); /* the partitions, which no poll takes any more */
    leaves = true;
    input_consumer_free(input);
    leaves = false;
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_that_waited_are_read_after_a_rebalance),
        cmocka_unit_test(partitions_may_wait_at_the_end),
        cmocka_unit_test(partitions_that_wait_are_read_after_a_rebalance),
        cmocka_unit_test(a_partition_that_waits_is_not_fetched),
        cmocka_unit_test(a_partition_that_waits_is_read_after_a_rewind),
        cmocka_unit_test(a_deleted_record_leaves_the_check_of_other_partitions),
        cmocka_unit_test(a_fatal_error_within_a_rebalance_ends_the_loop),
        cmocka_unit_test(whoever_fails_while_it_joins_asks_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
