/* Commits under a clock that jumps, against the mock cluster; the wall clock that librdkafka waits by is the test's. */
#include "kafka/transaction_setup.h"

#include <stdatomic.h>
#include <stdbool.h>
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

static void a_commit_is_done_whatever_the_clock_does(void **state)
{
    (void)state;
    struct lab kafka;
    const struct transaction_setup setup = {.stop_at_once = false};
    char value[] = "x";
    lab_start(&kafka, 1);
    rd_kafka_conf_t *conf = lab_conf(&kafka);
    lab_set(conf, "transactional.id", "slow");
    rd_kafka_t *producer = lab_client(RD_KAFKA_PRODUCER, conf);
    assert_null(rd_kafka_init_transactions(producer, LAB_CALL_MS));
    assert_null(rd_kafka_begin_transaction(producer));
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("topic"), RD_KAFKA_V_VALUE(value, 1), RD_KAFKA_V_END),
                     0);
    assert_int_equal(rd_kafka_flush(producer, LAB_CALL_MS), 0);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(kafka.cluster, 1, ANSWER_MS), 0);
    is_behind = true;
    rd_kafka_error_t *error = rd_kafka_commit_transaction(producer, transaction_commit_ms(&setup));
    is_behind = false;
    assert_null(error);
    rd_kafka_destroy(producer);
    lab_stop(&kafka);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_commit_is_done_whatever_the_clock_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
