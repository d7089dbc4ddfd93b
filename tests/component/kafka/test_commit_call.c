/* Commits that run out of time, against the mock cluster; the wall clock that librdkafka waits by is the test's. */
#include "kafka/commit_call.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/component/lab.h"

enum { BEHIND_S = 3600, ANSWER_MS = 300 };

static atomic_bool is_behind;

/* librdkafka's own: a wait begun while the clock is behind is over at once. */
int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    long result = syscall(SYS_gettimeofday, now, zone);
    if (!result && is_behind)
        now->tv_sec -= BEHIND_S;
    return (int)result;
}

static void a_commit_that_runs_out_of_time_again_and_again_is_committed(void **state)
{
    (void)state;
    struct lab kafka;
    struct call_watchdog watchdog = {0};
    char value[] = "x";
    lab_start(&kafka, 1);
    rd_kafka_conf_t *conf = lab_conf(&kafka);
    lab_set(conf, "transactional.id", "slow");
    call_watchdog_add(&watchdog, conf, NULL, "worker 0");
    rd_kafka_t *producer = lab_client(RD_KAFKA_PRODUCER, conf);
    assert_null(rd_kafka_init_transactions(producer, LAB_CALL_MS));
    assert_null(rd_kafka_begin_transaction(producer));
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("topic"), RD_KAFKA_V_VALUE(value, 1), RD_KAFKA_V_END),
                     0);
    assert_int_equal(rd_kafka_flush(producer, LAB_CALL_MS), 0);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(kafka.cluster, 1, ANSWER_MS), 0);
    is_behind = true;
    rd_kafka_error_t *error;
    int calls = 0;
    while ((error = commit_call(producer, &watchdog, calls > 0, false)) && rd_kafka_error_is_retriable(error)) {
        rd_kafka_error_destroy(error);
        calls++;
    }
    is_behind = false;
    assert_null(error);
    assert_in_range(calls, 1, 2);
    rd_kafka_destroy(producer);
    call_watchdog_remove(&watchdog);
    lab_stop(&kafka);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_commit_that_runs_out_of_time_again_and_again_is_committed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
