/* The whole sink: librdkafka's mock cluster and a PostgreSQL of the test's own. (Transactions of the mock cluster do
 * nothing, so nothing here is about read_committed: the system tests are.) */
#include "scorer/sink/sink.h"

#include <pthread.h>
#include <time.h>

#include "base/log.h"
#include "tests/component/lab.h"
#include "tests/support/postgres.h"
#include "tests/support/records.h"
#include "tests/support/wait.h"

enum { PARTITIONS = 4 };

static struct postgres postgres;
static struct schema *schema;

static void kafka_start(struct lab *kafka)
{
    static const char *const topics[] = {"attrition-predictions", "employee-events-dlq", "attrition-outcomes"};
    lab_start(kafka, 1);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        lab_create_topic(kafka, topics[i], PARTITIONS);
}

/* Predictions number from … to - 1, spread over the partitions. */
static void produce_predictions(struct lab *kafka, int64_t from, int64_t to)
{
    struct buffer value = {0};
    for (int64_t number = from; number < to; number++) {
        const struct record_plan plan = {.number = number, .employee = number % 97};
        buffer_clear(&value);
        record_prediction(schema, &plan, &value);
        lab_produce(kafka, "attrition-predictions", (int32_t)(number % PARTITIONS), SPAN_LITERAL("key"),
                    buffer_span(&value), NULL);
    }
    buffer_free(&value);
    lab_flush(kafka);
}

/* A sink on a thread of its own. */
struct runner {
    struct options *options;
    struct settings settings;
    struct counters counters;
    struct sink *sink;
    pthread_t thread;
    enum status status;
    struct error err;
};

static int no_command(const struct options *options)
{
    (void)options;
    return 0;
}

static void *runner_thread(void *arg)
{
    struct runner *runner = arg;
    runner->status = sink_run(runner->sink, &runner->err);
    return NULL;
}

static void runner_start_group(struct runner *runner, const struct lab *kafka, const char *group)
{
    static const struct subcommand commands[] = {{"run", "", "", .run = no_command}, {0}};
    const char *const arguments[] = {"scorer",
                                     "--bootstrap-servers",
                                     kafka->servers,
                                     "--database-url",
                                     postgres.url,
                                     "--group-id",
                                     group,
                                     "--state-dir",
                                     postgres.directory,
                                     "--sink-rows",
                                     "200",
                                     "--sink-interval",
                                     "50ms",
                                     "-X",
                                     "fetch.wait.max.ms=10",
                                     "-X",
                                     "session.timeout.ms=4000",
                                     "-X",
                                     "heartbeat.interval.ms=300"};
    enum { ARGUMENTS = sizeof arguments / sizeof *arguments };
    char *argv[ARGUMENTS + 1] = {NULL};
    memcpy(argv, arguments, sizeof arguments);
    char *environment[] = {NULL};
    bool exit_now;
    memset(runner, 0, sizeof *runner);
    if (options_parse(PROGRAM_SCORER, commands, ARGUMENTS, argv, environment, &runner->options, &exit_now,
                      &runner->err) ||
        settings_resolve(runner->options, schema, &runner->settings, &runner->err) ||
        sink_new(&runner->settings, &runner->counters, &runner->sink, &runner->err))
        fail_msg("%s", runner->err.text);
    /* The mock cluster knows no static members: without an identity the sink leaves the group when it ends, and the
     * next one need not wait for its session to time out. */
    runner->settings.instance_id[0] = 0;
    assert_int_equal(pthread_create(&runner->thread, NULL, runner_thread, runner), 0);
}

static void runner_start(struct runner *runner, const struct lab *kafka)
{
    runner_start_group(runner, kafka, "attrition-scorer");
}

static uint64_t counted(const struct runner *runner, enum counter_id id)
{
    return counter_get(&runner->counters, id);
}

static enum status runner_join(struct runner *runner)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 40;
    if (pthread_timedjoin_np(runner->thread, NULL, &deadline))
        fail_msg("the sink does not end: %zu records, %zu in flight", (size_t)counted(runner, COUNTER_SINK_RECORDS),
                 (size_t)counted(runner, COUNTER_SINK_IN_FLIGHT));
    uint64_t ends = counted(runner, COUNTER_SINK_PREDICTIONS) + counted(runner, COUNTER_SINK_DEAD_LETTERS) +
                    counted(runner, COUNTER_SINK_ERASURES) + counted(runner, COUNTER_SINK_OUTCOMES) +
                    counted(runner, COUNTER_SINK_ALERTS) + counted(runner, COUNTER_SINK_REFUSED) +
                    counted(runner, COUNTER_SINK_SKIPPED);
    assert_int_equal(counted(runner, COUNTER_SINK_RECORDS), ends);
    assert_int_equal(counted(runner, COUNTER_SINK_IN_FLIGHT), 0);
    sink_free(runner->sink);
    settings_release(&runner->settings);
    options_free(runner->options);
    return runner->status;
}

static void runner_finish(struct runner *runner)
{
    sink_finish(runner->sink);
    if (runner_join(runner))
        fail_msg("%s", runner->err.text);
}

static void wait_until(const struct runner *runner, enum counter_id id, uint64_t least)
{
    WAIT_UNTIL(counted(runner, id) >= least, "counter %d is %zu, not %zu", (int)id, (size_t)counted(runner, id),
               (size_t)least);
}

/* Until two sinks have stored so many predictions between them. */
static void wait_for_stored(const struct runner *a, const struct runner *b, int64_t least)
{
    WAIT_UNTIL(counted(a, COUNTER_SINK_PREDICTIONS) + counted(b, COUNTER_SINK_PREDICTIONS) >= (uint64_t)least,
               "the sinks have stored %zu and %zu predictions, not %zu", (size_t)counted(a, COUNTER_SINK_PREDICTIONS),
               (size_t)counted(b, COUNTER_SINK_PREDICTIONS), (size_t)least);
}

static long long number(const char *sql)
{
    return postgres_number(&postgres, sql);
}

static void assert_stored_once(long long records)
{
    assert_int_equal(number("SELECT count(DISTINCT (cluster_id, output_partition, output_offset)) "
                            "FROM attrition.predictions"),
                     records);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), records);
}

static int empty_tables(void **state)
{
    (void)state;
    postgres_run(
        &postgres,
        "TRUNCATE attrition.alerts, attrition.predictions, attrition.latest_predictions, attrition.dead_letters, "
        "attrition.erasures, attrition.outcomes, attrition.sink_offsets");
    return 0;
}

static void records_of_all_topics_are_stored_and_not_again(void **state)
{
    (void)state;
    struct lab kafka;
    struct runner runner;
    struct buffer value = {0};
    kafka_start(&kafka);
    produce_predictions(&kafka, 0, 3000);
    lab_produce(&kafka, "attrition-predictions", 1, SPAN_LITERAL("employee-500"), SPAN_NULL, NULL);
    lab_produce(&kafka, "attrition-predictions", 2, SPAN_LITERAL("employee-6"), SPAN_LITERAL("nonsense"), NULL);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
    rd_kafka_header_add(headers, "attrition.error.code", -1, "malformed", -1);
    rd_kafka_header_add(headers, "__connect.errors.offset", -1, "12", -1);
    lab_produce(&kafka, "employee-events-dlq", 3, SPAN_NULL, SPAN_LITERAL("bad"), headers);
    lab_produce(&kafka, "employee-events-dlq", 3, SPAN_LITERAL("k"), SPAN_LITERAL(""), NULL);
    record_outcome(schema, 7, &value);
    lab_produce(&kafka, "attrition-outcomes", 0, SPAN_LITERAL("employee-7"), buffer_span(&value), NULL);
    buffer_free(&value);
    lab_flush(&kafka);
    runner_start(&runner, &kafka);
    runner_finish(&runner);
    assert_stored_once(3000);
    assert_int_equal(number("SELECT count(*) FROM attrition.latest_predictions"), 97);
    assert_int_equal(
        number("SELECT count(*) FROM attrition.erasures WHERE receipt = attrition.receipt('employee-500')"), 1);
    assert_int_equal(number("SELECT count(*) FROM attrition.outcomes WHERE event_id = 'outcome-7'"), 1);
    assert_int_equal(number("SELECT count(*) FROM attrition.dead_letters WHERE stage = 'score' AND dlq_partition = 3"),
                     2);
    assert_int_equal(number("SELECT \"offset\" FROM attrition.dead_letters WHERE code = 'malformed'"), 12);
    assert_int_equal(number("SELECT length(value) FROM attrition.dead_letters WHERE code = 'unknown'"), 0);
    assert_int_equal(number("SELECT count(*) FROM attrition.dead_letters WHERE stage = 'sink' AND code = 'bad_frame'"),
                     1);
    produce_predictions(&kafka, 3000, 3100);
    runner_start(&runner, &kafka);
    runner_finish(&runner);
    assert_int_equal(counted(&runner, COUNTER_SINK_PREDICTIONS), 100);
    assert_int_equal(counted(&runner, COUNTER_SINK_RECORDS), 100);
    assert_stored_once(3100);
    lab_stop(&kafka);
}

static void postgresql_may_crash_at_any_time(void **state)
{
    (void)state;
    struct lab kafka;
    struct runner runner;
    kafka_start(&kafka);
    produce_predictions(&kafka, 0, 2000);
    runner_start(&runner, &kafka);
    for (int64_t round = 1; round <= 4; round++) {
        wait_until(&runner, COUNTER_SINK_PREDICTIONS, (uint64_t)round * 400);
        postgres_crash(&postgres);
        produce_predictions(&kafka, 1000 + round * 1000, 2000 + round * 1000);
        uint64_t retries = counted(&runner, COUNTER_SINK_RETRIES);
        wait_until(&runner, COUNTER_SINK_RETRIES, retries + 1);
        assert_int_equal(counted(&runner, COUNTER_POSTGRESQL_UP), 0);
        postgres_start(&postgres);
    }
    runner_finish(&runner);
    assert_stored_once(6000);
    assert_int_equal(counted(&runner, COUNTER_POSTGRESQL_UP), 1);
    lab_stop(&kafka);
}

static void two_sinks_share_the_partitions(void **state)
{
    (void)state;
    struct lab kafka;
    struct runner a, b;
    kafka_start(&kafka);
    produce_predictions(&kafka, 0, 1000);
    runner_start(&a, &kafka);
    wait_until(&a, COUNTER_SINK_PREDICTIONS, 100);
    runner_start(&b, &kafka);
    int64_t sent = 1000;
    while (sent < 5000 || !counted(&b, COUNTER_SINK_PREDICTIONS)) {
        assert_true(sent < 1000000); /* or the second sink gets no partition */
        produce_predictions(&kafka, sent, sent + 200);
        wait_for_stored(&a, &b, sent);
        sent += 200;
    }
    sink_stop(a.sink);
    if (runner_join(&a))
        fail_msg("%s", a.err.text);
    produce_predictions(&kafka, sent, sent + 200);
    wait_for_stored(&a, &b, sent + 200);
    sink_stop(b.sink);
    if (runner_join(&b))
        fail_msg("%s", b.err.text);
    assert_stored_once(sent + 200);
    lab_stop(&kafka);
}

/* Two groups at the same time, each of which reads everything. */
static void two_groups_store_nothing_twice(void **state)
{
    (void)state;
    struct lab kafka;
    struct runner runners[2];
    kafka_start(&kafka);
    for (int r = 0; r < 2; r++)
        runner_start_group(&runners[r], &kafka, r ? "other" : "attrition-scorer");
    for (int r = 0; r < 2; r++)
        wait_until(&runners[r], COUNTER_SINK_PARTITIONS_ASSIGNED, 3 * PARTITIONS);
    for (int64_t from = 0; from < 4000; from += 200) {
        produce_predictions(&kafka, from, from + 200);
        wait_for_stored(&runners[0], &runners[1], from);
    }
    for (int r = 0; r < 2; r++)
        sink_finish(runners[r].sink);
    for (int r = 0; r < 2; r++)
        if (runner_join(&runners[r]))
            fail_msg("%s", runners[r].err.text);
    assert_stored_once(4000);
    assert_int_equal(counted(&runners[0], COUNTER_SINK_PREDICTIONS) + counted(&runners[1], COUNTER_SINK_PREDICTIONS),
                     4000);
    lab_stop(&kafka);
}

static void a_new_cluster_is_read_from_its_start(void **state)
{
    (void)state;
    struct lab clusters[2];
    for (int b = 0; b < 2; b++) {
        struct runner runner;
        kafka_start(&clusters[b]);
        produce_predictions(&clusters[b], 0, 40);
        runner_start(&runner, &clusters[b]);
        runner_finish(&runner);
        assert_int_equal(counted(&runner, COUNTER_SINK_PREDICTIONS), 40);
    }
    assert_stored_once(80);
    /* Not before: the mock cluster's id is its address in memory. */
    lab_stop(&clusters[0]);
    lab_stop(&clusters[1]);
}

static void a_recreated_topic_stops_the_sink(void **state)
{
    (void)state;
    struct lab kafka;
    struct runner runner;
    kafka_start(&kafka);
    produce_predictions(&kafka, 0, 40);
    runner_start(&runner, &kafka);
    runner_finish(&runner);
    postgres_run(&postgres,
                 "UPDATE attrition.sink_offsets SET next_offset = 1000 WHERE topic = 'attrition-predictions' "
                 "AND partition = 2");
    runner_start(&runner, &kafka);
    assert_int_equal(runner_join(&runner), STATUS_CONFLICT);
    assert_non_null(strstr(runner.err.text, "attrition-predictions [2] ends at 10 but 1000 is stored"));
    assert_non_null(strstr(runner.err.text, "DELETE FROM attrition.sink_offsets"));
    lab_stop(&kafka);
}

/* Recreated and refilled beyond the stored position: the last record is another. Records after it are not stored. */
static void a_topic_refilled_stops_the_sink(void **state)
{
    (void)state;
    struct lab kafka;
    struct runner runner;
    kafka_start(&kafka);
    produce_predictions(&kafka, 0, 40);
    runner_start(&runner, &kafka);
    runner_finish(&runner);
    assert_int_equal(number("SELECT count(*) FROM attrition.sink_offsets WHERE topic = 'attrition-predictions' AND "
                            "last_offset = 9 AND next_offset = 10 AND last_digest <> 0"),
                     PARTITIONS);
    produce_predictions(&kafka, 40, 80);
    postgres_run(&postgres, "UPDATE attrition.sink_offsets SET last_digest = last_digest + 1 "
                            "WHERE topic = 'attrition-predictions' AND partition = 1");
    runner_start(&runner, &kafka);
    assert_int_equal(runner_join(&runner), STATUS_CONFLICT);
    assert_non_null(strstr(runner.err.text, "attrition-predictions [1]: the record at offset 9 is not the one"));
    assert_int_equal(number("SELECT next_offset FROM attrition.sink_offsets WHERE topic = 'attrition-predictions' AND "
                            "partition = 1"),
                     10);
    /* Positions of earlier versions know no record: nothing to compare the log with. */
    postgres_run(&postgres, "UPDATE attrition.sink_offsets SET last_offset = NULL, last_digest = NULL");
    runner_start(&runner, &kafka);
    runner_finish(&runner);
    assert_stored_once(80);
    lab_stop(&kafka);
}

static void trouble_at_the_start_ends_the_sink_and_later_trouble_does_not(void **state)
{
    (void)state;
    struct lab kafka;
    struct runner runner;
    kafka_start(&kafka);
    postgres_run(&postgres, "ALTER TABLE attrition.migrations RENAME TO elsewhere");
    runner_start(&runner, &kafka);
    assert_int_equal(runner_join(&runner), STATUS_NOT_FOUND);
    assert_non_null(strstr(runner.err.text, "sql/migrate"));
    postgres_run(&postgres, "ALTER TABLE attrition.elsewhere RENAME TO migrations");
    runner_start(&runner, &kafka);
    wait_until(&runner, COUNTER_SINK_PARTITIONS_ASSIGNED, 12);
    postgres_run(&postgres, "ALTER TABLE attrition.predictions RENAME TO elsewhere");
    produce_predictions(&kafka, 0, 10);
    wait_until(&runner, COUNTER_SINK_RETRIES, 2);
    postgres_run(&postgres, "ALTER TABLE attrition.elsewhere RENAME TO predictions");
    runner_finish(&runner);
    assert_stored_once(10);
    lab_stop(&kafka);
}

static void it_stops_in_time_without_postgresql(void **state)
{
    (void)state;
    struct lab kafka;
    struct runner runner;
    kafka_start(&kafka);
    produce_predictions(&kafka, 0, 10);
    postgres_crash(&postgres);
    runner_start(&runner, &kafka);
    wait_until(&runner, COUNTER_SINK_RETRIES, 2);
    sink_stop(runner.sink);
    assert_int_equal(runner_join(&runner), STATUS_OK);
    postgres_start(&postgres);
    lab_stop(&kafka);
}

/* A last try could take as long as PostgreSQL is silent, and who comes next waits for this process to end. */
static void one_that_waits_for_postgresql_stops_without_another_try(void **state)
{
    (void)state;
    struct lab kafka;
    struct runner runner;
    kafka_start(&kafka);
    runner_start(&runner, &kafka);
    wait_until(&runner, COUNTER_SINK_PARTITIONS_ASSIGNED, 12);
    postgres_run(&postgres, "ALTER TABLE attrition.predictions RENAME TO elsewhere");
    produce_predictions(&kafka, 0, 10);
    wait_until(&runner, COUNTER_SINK_RETRIES, 5); /* the next comes in 1.6 s */
    postgres_run(&postgres, "ALTER TABLE attrition.elsewhere RENAME TO predictions");
    sink_stop(runner.sink);
    assert_int_equal(runner_join(&runner), STATUS_OK);
    assert_stored_once(0);
    runner_start(&runner, &kafka);
    wait_until(&runner, COUNTER_SINK_PREDICTIONS, 10);
    runner_finish(&runner);
    assert_stored_once(10);
    lab_stop(&kafka);
}

/* PostgreSQL answers, but not about this table. An exchange may take 20 s otherwise. */
static void it_stops_in_time_while_postgresql_is_slow(void **state)
{
    (void)state;
    struct lab kafka;
    struct runner runner;
    kafka_start(&kafka);
    runner_start(&runner, &kafka);
    wait_until(&runner, COUNTER_SINK_PARTITIONS_ASSIGNED, 12);
    PGconn *other = PQconnectdb(postgres.url);
    PQclear(PQexec(other, "BEGIN; LOCK TABLE attrition.predictions"));
    produce_predictions(&kafka, 0, 10);
    wait_until(&runner, COUNTER_SINK_RECORDS, 10);
    time_t began = time(NULL);
    sink_stop(runner.sink);
    assert_int_equal(runner_join(&runner), STATUS_OK);
    assert_true(time(NULL) - began < 10);
    PQfinish(other);
    assert_stored_once(0);
    runner_start(&runner, &kafka);
    wait_until(&runner, COUNTER_SINK_PREDICTIONS, 10);
    runner_finish(&runner);
    assert_stored_once(10);
    lab_stop(&kafka);
}

static int start_all(void **state)
{
    (void)state;
    struct error err;
    if (schema_load("schemas", &schema, &err))
        fail_msg("%s", err.text);
    postgres_make(&postgres);
    assert_int_equal(postgres_migrate(&postgres), 0);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    postgres_remove(&postgres);
    schema_free(schema);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(records_of_all_topics_are_stored_and_not_again, empty_tables),
        cmocka_unit_test_setup(postgresql_may_crash_at_any_time, empty_tables),
        cmocka_unit_test_setup(two_sinks_share_the_partitions, empty_tables),
        cmocka_unit_test_setup(two_groups_store_nothing_twice, empty_tables),
        cmocka_unit_test_setup(a_new_cluster_is_read_from_its_start, empty_tables),
        cmocka_unit_test_setup(a_recreated_topic_stops_the_sink, empty_tables),
        cmocka_unit_test_setup(a_topic_refilled_stops_the_sink, empty_tables),
        cmocka_unit_test_setup(trouble_at_the_start_ends_the_sink_and_later_trouble_does_not, empty_tables),
        cmocka_unit_test_setup(it_stops_in_time_without_postgresql, empty_tables),
        cmocka_unit_test_setup(it_stops_in_time_while_postgresql_is_slow, empty_tables),
        cmocka_unit_test_setup(one_that_waits_for_postgresql_stops_without_another_try, empty_tables),
    };
    return cmocka_run_group_tests(tests, start_all, end_all);
}
