/* backfill and generate against librdkafka's mock cluster: every row ends as acknowledged, rejected or failed, whatever
 * the broker does. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "producer/commands.h"
#include "producer/stop.h"
#include "tests/component/lab.h"

enum { ARGUMENTS_MAX = 16, PARTITIONS = 4, TICKS = 3000, TICK_US = 10000 };

static const struct subcommand subcommands[] = {
    {"backfill", "FILE…", "", .run = cmd_backfill},
    {"generate", "", "", .run = cmd_generate},
    {0},
};

struct fixture {
    struct lab kafka;
    char bootstrap[256];
    char directory[64];
    bool was_unavailable; /* seen by a thread that waited for it */
};

static int setup(void **state)
{
    struct fixture *f = mem_zeroed(1, sizeof *f);
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    lab_start(&f->kafka, 1);
    lab_create_topic(&f->kafka, "employee-events", PARTITIONS);
    snprintf(f->bootstrap, sizeof f->bootstrap, "KAFKA_BOOTSTRAP_SERVERS=%s", f->kafka.servers);
    snprintf(f->directory, sizeof f->directory, "/tmp/producer-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    stop_requested = false;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    lab_stop(&f->kafka);
    snprintf(command, sizeof command, "rm -rf %s", f->directory);
    int status = system(command);
    free(f);
    return status;
}

/* The exit status of `producer WORDS`, words separated by single blanks; %s is the test's directory. */
static int run(struct fixture *f, const char *format)
{
    char words[512], *argv[ARGUMENTS_MAX] = {(char[]){"producer"}}, *rest = words;
    char *environment[] = {f->bootstrap, NULL};
    int argc = 1;
    struct options *options = NULL;
    struct error err;
    bool exit_now = false;
    snprintf(words, sizeof words, format, f->directory);
    for (char *word; (word = strsep(&rest, " ")) && argc < ARGUMENTS_MAX - 1;)
        argv[argc++] = word;
    if (options_parse(PROGRAM_PRODUCER, subcommands, argc, argv, environment, &options, &exit_now, &err) != STATUS_OK)
        return 2; /* as options_main */
    int status = options_subcommand(options)->run(options);
    options_free(options);
    return status;
}

static void write_file(struct fixture *f, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static long messages_stored(struct fixture *f)
{
    return lab_count(&f->kafka, "employee-events", PARTITIONS);
}

static void test_all_acknowledged(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "generate --count 5000 --seed 1 --poison 0.1"), 0);
    assert_int_equal(messages_stored(f), 5000);
}

static void test_rejects_and_their_limit(void **state)
{
    struct fixture *f = *state;
    write_file(f, "a.csv", "EmployeeNumber,Age\n1,41\n2,210\n3,42\n");
    write_file(f, "b.jsonl", "{\"id\": \"x\", \"attributes\": {\"Age\": 41}}\n");
    assert_int_equal(run(f, "backfill %1$s/a.csv %1$s/b.jsonl"), 0);
    assert_int_equal(messages_stored(f), 3);
    assert_int_equal(run(f, "backfill --max-rejects 1 %1$s/a.csv"), 0);
    assert_int_equal(run(f, "backfill --max-rejects 0 %1$s/a.csv"), 1);
    assert_int_equal(run(f, "backfill --no-validate %1$s/a.csv"), 0);
    assert_int_equal(messages_stored(f), 10);
}

/* Rejects are people's data: nobody else reads them, and a link that somebody has put there leads nowhere. */
static void test_rejects_are_private(void **state)
{
    struct fixture *f = *state;
    char path[128], victim[128];
    struct stat found;
    write_file(f, "a.csv", "EmployeeNumber,Age\n1,41\n2,210\n");
    write_file(f, "a.csv.rejects", "of an earlier run\n");
    assert_int_equal(run(f, "backfill %1$s/a.csv"), 0);
    static const char *const names[] = {"a.csv.rejects", "a.csv.rejects.txt"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", f->directory, names[i]);
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 0777, 0600);
    }
    snprintf(path, sizeof path, "%s/a.csv.rejects", f->directory);
    snprintf(victim, sizeof victim, "%s/victim", f->directory);
    write_file(f, "victim", "precious\n");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(victim, path), 0);
    assert_int_equal(run(f, "backfill %1$s/a.csv"), 1);
    assert_int_equal(stat(victim, &found), 0);
    assert_int_equal(found.st_size, strlen("precious\n"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(link(victim, path), 0); /* a second name of a file */
    assert_int_equal(run(f, "backfill %1$s/a.csv"), 1);
    assert_int_equal(stat(victim, &found), 0);
    assert_int_equal(found.st_size, strlen("precious\n"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* that nobody reads: no wait */
    assert_int_equal(run(f, "backfill --rejects-file %1$s/a.csv.rejects %1$s/a.csv"), 1);
}

/* The same rows under another header, or read in another way, are not what was sent. */
static void test_resume_notices_what_shapes_rows(void **state)
{
    struct fixture *f = *state;
    write_file(f, "a.csv", "EmployeeNumber,Age,TotalWorkingYears\n1,41,20\n2,42,20\n");
    assert_int_equal(run(f, "backfill %1$s/a.csv"), 0);
    assert_int_equal(run(f, "backfill --resume %1$s/a.csv"), 0);
    static const char *const others[] = {"--null-values NA", "--event-type HIRED", "--delimiter ,", "--time-unit ms"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char command[128];
        snprintf(command, sizeof command, "backfill --resume %s %%1$s/a.csv", others[i]);
        assert_int_equal(run(f, command), 1);
    }
    write_file(f, "a.csv", "EmployeeNumber,TotalWorkingYears,Age\n1,41,20\n2,42,20\n");
    assert_int_equal(run(f, "backfill --resume %1$s/a.csv"), 1);
    assert_int_equal(messages_stored(f), 2);
}

/* `- < file` has the position of the file; another file has another. */
static void test_standard_input_is_its_file(void **state)
{
    struct fixture *f = *state;
    char path[128];
    write_file(f, "a.csv", "EmployeeNumber,Age\n1,41\n2,42\n");
    write_file(f, "b.csv", "EmployeeNumber,Age\n3,43\n");
    assert_int_equal(run(f, "backfill %1$s/a.csv"), 0);
    int before = dup(STDIN_FILENO);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", f->directory, i ? "b.csv" : "a.csv");
        int file = open(path, O_RDONLY);
        assert_true(file >= 0 && dup2(file, STDIN_FILENO) == STDIN_FILENO);
        assert_int_equal(close(file), 0);
        assert_int_equal(run(f, "backfill --resume -"), 0);
        assert_int_equal(messages_stored(f), 2 + i);
    }
    assert_true(before < 0 || dup2(before, STDIN_FILENO) == STDIN_FILENO);
    assert_true(before < 0 || close(before) == 0);
}

/* What was rejected can be fed again as it is. */
static void test_rejects_can_be_fed_again(void **state)
{
    struct fixture *f = *state;
    write_file(f, "a.csv", "EmployeeNumber,Age\n1,41\n2,210\n3,310\n");
    assert_int_equal(run(f, "backfill %1$s/a.csv"), 0);
    assert_int_equal(run(f, "backfill --no-validate %1$s/a.csv.rejects"), 0);
    assert_int_equal(messages_stored(f), 3);
}

static void test_usage(void **state)
{
    struct fixture *f = *state;
    write_file(f, "a.csv", "EmployeeNumber,Age\n1,41\n");
    assert_int_equal(run(f, "backfill"), 2);
    assert_int_equal(run(f, "backfill --format xml %1$s/a.csv"), 2);
    assert_int_equal(run(f, "backfill --event-type FIRED %1$s/a.csv"), 2);
    assert_int_equal(run(f, "backfill --rejects-file %1$s/a.csv %1$s/a.csv"), 2);
    write_file(f, "table.txt", "EmployeeNumber,Age\n1,210\n");
    assert_int_equal(run(f, "backfill --rejects-file %1$s/table %1$s/table.txt"), 2);
    assert_int_equal(run(f, "backfill %1$s/a.csv %1$s/none.csv"), 1);
    assert_int_equal(run(f, "generate --count 1 -X acks=1"), 1);
    assert_int_equal(run(f, "generate --count 0"), 2);
    assert_int_equal(run(f, "generate --poison 1.5"), 2);
    assert_int_equal(run(f, "generate --poison 0.5 --poison-codes key_mismatch --out %1$s/x.csv"), 2);
    assert_int_equal(messages_stored(f), 0);
}

/* For a thread beside the test's own, which may not fail the test. */
static void wait_until_unavailable(struct fixture *f)
{
    for (int i = 0; i < TICKS && kafka_up(); i++)
        usleep(TICK_US);
    f->was_unavailable = !kafka_up();
}

static void *start_broker_later(void *context)
{
    struct fixture *f = context;
    wait_until_unavailable(f);
    rd_kafka_mock_broker_set_up(f->kafka.cluster, 1);
    return NULL;
}

static void test_broker_unavailable_at_start(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    rd_kafka_mock_broker_set_down(f->kafka.cluster, 1);
    assert_true(kafka_up());
    pthread_create(&thread, NULL, start_broker_later, f);
    assert_int_equal(run(f, "generate --count 100"), 0);
    pthread_join(thread, NULL);
    assert_true(f->was_unavailable);
    assert_int_equal(messages_stored(f), 100);
}

static void *interrupt_later(void *context)
{
    wait_until_unavailable(context);
    kill(getpid(), SIGINT);
    return NULL;
}

static void test_interrupted_while_waiting(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    rd_kafka_mock_broker_set_down(f->kafka.cluster, 1);
    assert_true(kafka_up());
    pthread_create(&thread, NULL, interrupt_later, f);
    assert_int_equal(run(f, "generate --count 100"), 1);
    pthread_join(thread, NULL);
    assert_true(f->was_unavailable);
}

/* A batch that is refused is sent again in halves: what is refused alone is found, and nothing else is lost. */
static void test_refused_batch(void **state)
{
    struct fixture *f = *state;
    rd_kafka_mock_push_request_errors(f->kafka.cluster, LAB_API_PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    assert_int_equal(run(f, "generate --count 100"), 0);
    assert_true(messages_stored(f) >= 100);
}

static void test_dry_run_sends_nothing(void **state)
{
    struct fixture *f = *state;
    write_file(f, "a.csv", "EmployeeNumber,Age\n1,41\n2,210\n3,42\n");
    write_file(f, "bad.csv", "EmployeeNumber,Age\n1,410\n2,210\n");
    assert_int_equal(run(f, "backfill --dry-run %1$s/a.csv"), 0);
    assert_int_equal(run(f, "backfill --dry-run --max-rejects 0 %1$s/a.csv"), 1);
    assert_int_equal(run(f, "backfill --dry-run %1$s/bad.csv"), 1);
    assert_int_equal(messages_stored(f), 0);
    assert_int_equal(run(f, "backfill %1$s/bad.csv"), 1); /* all rows rejected */
    assert_int_equal(messages_stored(f), 0);
}

/* At least once here: the mock cluster keeps a group's offsets, and has no transactions. */
static void test_resume(void **state)
{
    struct fixture *f = *state;
    write_file(f, "a.csv", "EmployeeNumber,Age\n1,41\n2,210\n3,42\n");
    assert_int_equal(run(f, "backfill --resume %1$s/a.csv"), 0);
    assert_int_equal(messages_stored(f), 2);
    assert_int_equal(run(f, "backfill --resume %1$s/a.csv"), 0);
    assert_int_equal(messages_stored(f), 2);
    write_file(f, "a.csv", "EmployeeNumber,Age\n1,41\n2,210\n3,42\n4,43\n");
    assert_int_equal(run(f, "backfill --resume %1$s/a.csv"), 0);
    assert_int_equal(messages_stored(f), 3);
    write_file(f, "a.csv", "EmployeeNumber,Age\n1,41\n2,21\n3,42\n4,43\n"); /* one that was rejected is valid now */
    assert_int_equal(run(f, "backfill --resume %1$s/a.csv"), 1);
    write_file(f, "a.csv", "EmployeeNumber,Age\n1,41\n");
    assert_int_equal(run(f, "backfill --resume %1$s/a.csv"), 1);
    assert_int_equal(messages_stored(f), 3);
    assert_int_equal(run(f, "backfill %1$s/a.csv"), 0);
    assert_int_equal(messages_stored(f), 4);
}

static void test_rate(void **state)
{
    struct fixture *f = *state;
    int64_t began_us = clock_steady_us(&clock_system);
    assert_int_equal(run(f, "generate --count 50 --rate 250"), 0);
    assert_true(clock_steady_us(&clock_system) - began_us >= 196000); /* the last is due after 49 / 250 s */
    assert_int_equal(messages_stored(f), 50);
}

static void test_passing_errors_are_retried(void **state)
{
    struct fixture *f = *state;
    rd_kafka_mock_push_request_errors(f->kafka.cluster, LAB_API_PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    assert_int_equal(run(f, "generate --count 1000"), 0);
    assert_int_equal(messages_stored(f), 1000);
}

static void test_message_too_large_for_the_client(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "generate --count 10 -X message.max.bytes=1000 --event-type CHANGED"), 0);
    char id[4 * 256 + 1], text[1200]; /* as long as an id may be, in characters of four bytes */
    for (size_t i = 0; i < sizeof id - 1; i += 4)
        memcpy(id + i, "\xF0\x90\x80\x80", 4);
    id[sizeof id - 1] = '\0';
    snprintf(text, sizeof text, "employee_id,Age\n%s,41\nE2,42\n", id);
    write_file(f, "large.csv", text);
    assert_int_equal(run(f, "backfill -X message.max.bytes=1000 %1$s/large.csv"), 1);
    assert_int_equal(messages_stored(f), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_acknowledged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rejects_and_their_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rejects_are_private, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rejects_can_be_fed_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broker_unavailable_at_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interrupted_while_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dry_run_sends_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resume_notices_what_shapes_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_standard_input_is_its_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_passing_errors_are_retried, setup, teardown),
        cmocka_unit_test_setup_teardown(test_message_too_large_for_the_client, setup, teardown),
    };
    return cmocka_run_group_tests_name("producer/delivery", tests, NULL, NULL);
}
