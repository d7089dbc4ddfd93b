/* backfill and generate against librdkafka's mock cluster: every row ends as acknowledged, rejected or failed, whatever
 * the broker does. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/log.h"
#include "producer/commands.h"
#include "producer/stop.h"

enum { PRODUCE_REQUEST = 0, ARGUMENTS_MAX = 16, PARTITIONS = 4 };

static const struct subcommand subcommands[] = {
    {"backfill", "FILE…", "", cmd_backfill},
    {"generate", "", "", cmd_generate},
    {NULL, NULL, NULL, NULL},
};

struct world {
    rd_kafka_t *host;
    rd_kafka_mock_cluster_t *cluster;
    char bootstrap[256];
    char directory[64];
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    char text[256];
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    world->host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof text);
    world->cluster = world->host ? rd_kafka_mock_cluster_new(world->host, 1) : NULL;
    snprintf(world->directory, sizeof world->directory, "/tmp/producer-test-XXXXXX");
    if (!world->cluster || !mkdtemp(world->directory))
        return -1;
    rd_kafka_mock_topic_create(world->cluster, "employee-events", PARTITIONS, 1);
    snprintf(world->bootstrap, sizeof world->bootstrap, "KAFKA_BOOTSTRAP_SERVERS=%s",
             rd_kafka_mock_cluster_bootstraps(world->cluster));
    stop_requested = false;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    char command[128];
    rd_kafka_mock_cluster_destroy(world->cluster);
    rd_kafka_destroy(world->host);
    snprintf(command, sizeof command, "rm -rf %s", world->directory);
    int status = system(command);
    free(world);
    return status;
}

/* The exit status of `producer WORDS`, words separated by single blanks; %s is the test's directory. */
static int run(struct world *world, const char *format)
{
    char words[512], *argv[ARGUMENTS_MAX] = {(char[]){"producer"}}, *rest = words;
    char *environment[] = {world->bootstrap, NULL};
    int argc = 1;
    struct options *options = NULL;
    struct error err;
    bool exit_now = false;
    snprintf(words, sizeof words, format, world->directory);
    for (char *word; (word = strsep(&rest, " ")) && argc < ARGUMENTS_MAX - 1;)
        argv[argc++] = word;
    if (options_parse(PROGRAM_PRODUCER, subcommands, argc, argv, environment, &options, &exit_now, &err) != STATUS_OK)
        return 2; /* as options_main */
    int status = options_subcommand(options)->run(options);
    options_free(options);
    return status;
}

static void write_file(struct world *world, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", world->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int64_t messages_stored(struct world *world)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];
    int64_t total = 0;
    rd_kafka_conf_set(conf, "bootstrap.servers", strchr(world->bootstrap, '=') + 1, NULL, 0);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    assert_non_null(client);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        int64_t low = 0, high = 0;
        assert_int_equal(rd_kafka_query_watermark_offsets(client, "employee-events", p, &low, &high, 10000), 0);
        total += high;
    }
    rd_kafka_destroy(client);
    return total;
}

static void test_all_acknowledged(void **state)
{
    struct world *world = *state;
    assert_int_equal(run(world, "generate --count 5000 --seed 1 --poison 0.1"), 0);
    assert_int_equal(messages_stored(world), 5000);
}

static void test_rejects_and_their_limit(void **state)
{
    struct world *world = *state;
    write_file(world, "a.csv", "EmployeeNumber,Age\n1,41\n2,210\n3,42\n");
    write_file(world, "b.jsonl", "{\"id\": \"x\", \"attributes\": {\"Age\": 41}}\n");
    assert_int_equal(run(world, "backfill %1$s/a.csv %1$s/b.jsonl"), 0);
    assert_int_equal(messages_stored(world), 3);
    assert_int_equal(run(world, "backfill --max-rejects 1 %1$s/a.csv"), 0);
    assert_int_equal(run(world, "backfill --max-rejects 0 %1$s/a.csv"), 1);
    assert_int_equal(run(world, "backfill --no-validate %1$s/a.csv"), 0);
    assert_int_equal(messages_stored(world), 10);
}

static void test_usage(void **state)
{
    struct world *world = *state;
    write_file(world, "a.csv", "EmployeeNumber,Age\n1,41\n");
    assert_int_equal(run(world, "backfill"), 2);
    assert_int_equal(run(world, "backfill --format xml %1$s/a.csv"), 2);
    assert_int_equal(run(world, "backfill --event-type FIRED %1$s/a.csv"), 2);
    assert_int_equal(run(world, "backfill --rejects-file %1$s/a.csv %1$s/a.csv"), 2);
    write_file(world, "table.txt", "EmployeeNumber,Age\n1,210\n");
    assert_int_equal(run(world, "backfill --rejects-file %1$s/table %1$s/table.txt"), 2);
    assert_int_equal(run(world, "backfill %1$s/a.csv %1$s/none.csv"), 1);
    assert_int_equal(run(world, "generate --count 1 -X acks=1"), 1);
    assert_int_equal(run(world, "generate --count 0"), 2);
    assert_int_equal(run(world, "generate --poison 1.5"), 2);
    assert_int_equal(run(world, "generate --poison 0.5 --out %1$s/x.csv"), 2);
    assert_int_equal(messages_stored(world), 0);
}

static void *broker_up_later(void *context)
{
    struct world *world = context;
    usleep(1500 * 1000);
    rd_kafka_mock_broker_set_up(world->cluster, 1);
    return NULL;
}

static void test_broker_away_at_start(void **state)
{
    struct world *world = *state;
    pthread_t thread;
    rd_kafka_mock_broker_set_down(world->cluster, 1);
    pthread_create(&thread, NULL, broker_up_later, world);
    assert_int_equal(run(world, "generate --count 100"), 0);
    pthread_join(thread, NULL);
    assert_int_equal(messages_stored(world), 100);
}

static void *interrupt_later(void *context)
{
    (void)context;
    usleep(1000 * 1000);
    kill(getpid(), SIGINT);
    return NULL;
}

static void test_interrupted_while_waiting(void **state)
{
    struct world *world = *state;
    pthread_t thread;
    rd_kafka_mock_broker_set_down(world->cluster, 1);
    pthread_create(&thread, NULL, interrupt_later, NULL);
    assert_int_equal(run(world, "generate --count 100"), 1);
    pthread_join(thread, NULL);
}

/* A refusal that is final costs the batch it hit and no other; the run fails. */
static void test_delivery_failure(void **state)
{
    struct world *world = *state;
    rd_kafka_mock_push_request_errors(world->cluster, PRODUCE_REQUEST, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    assert_int_equal(run(world, "generate --count 100"), 1);
    assert_in_range(messages_stored(world), 0, 99);
}

static void test_passing_errors_are_retried(void **state)
{
    struct world *world = *state;
    rd_kafka_mock_push_request_errors(world->cluster, PRODUCE_REQUEST, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    assert_int_equal(run(world, "generate --count 1000"), 0);
    assert_int_equal(messages_stored(world), 1000);
}

static void test_message_too_large_for_the_client(void **state)
{
    struct world *world = *state;
    assert_int_equal(run(world, "generate --count 10 -X message.max.bytes=1000 --event-type CHANGED"), 0);
    char id[4 * 256 + 1], text[1200]; /* as long as an id may be, in characters of four bytes */
    for (size_t i = 0; i < sizeof id - 1; i += 4)
        memcpy(id + i, "\xF0\x90\x80\x80", 4);
    id[sizeof id - 1] = '\0';
    snprintf(text, sizeof text, "employee_id,Age\n%s,41\nE2,42\n", id);
    write_file(world, "large.csv", text);
    assert_int_equal(run(world, "backfill -X message.max.bytes=1000 %1$s/large.csv"), 1);
    assert_int_equal(messages_stored(world), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_acknowledged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rejects_and_their_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broker_away_at_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interrupted_while_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delivery_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_passing_errors_are_retried, setup, teardown),
        cmocka_unit_test_setup_teardown(test_message_too_large_for_the_client, setup, teardown),
    };
    return cmocka_run_group_tests_name("producer/delivery", tests, NULL, NULL);
}
