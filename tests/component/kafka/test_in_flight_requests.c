/* Counting of requests, against the mock cluster: its transactions do nothing, but every request is sent and answered.
 */
#include "kafka/in_flight_requests.h"

#include "tests/component/lab.h"

struct fixture {
    struct lab kafka;
    rd_kafka_t *producer;
    struct in_flight_requests in_flight;
};

static void set_up(struct fixture *f)
{
    struct error err;
    lab_start(&f->kafka, 1);
    rd_kafka_conf_t *conf = lab_conf(&f->kafka);
    lab_set(conf, "transactional.id", "watched");
    assert_int_equal(in_flight_requests_add(&f->in_flight, conf, &err), STATUS_OK);
    f->producer = lab_client(RD_KAFKA_PRODUCER, conf);
    assert_null(rd_kafka_init_transactions(f->producer, LAB_CALL_MS));
}

static void tear_down(struct fixture *f)
{
    rd_kafka_destroy(f->producer);
    lab_stop(&f->kafka);
}

static void transact(struct fixture *f)
{
    char value[] = "x";
    assert_null(rd_kafka_begin_transaction(f->producer));
    assert_int_equal(
        rd_kafka_producev(f->producer, RD_KAFKA_V_TOPIC("topic"), RD_KAFKA_V_VALUE(value, 1), RD_KAFKA_V_END), 0);
    assert_null(rd_kafka_commit_transaction(f->producer, LAB_CALL_MS));
}

/* A fresh producer after every transaction would pass all other tests. */
static void where_nothing_breaks_every_request_has_its_answer(void **state)
{
    (void)state;
    struct fixture f = {0};
    set_up(&f);
    for (int i = 0; i < 20; i++) {
        transact(&f);
        assert_true(in_flight_requests_all_answered(&f.in_flight));
    }
    assert_true(f.in_flight.sent >= 3 * 20);
    tear_down(&f);
}

/* The mock closes the connection instead of an answer: librdkafka sends again, and the commit succeeds. */
static void an_answer_that_was_lost_stays_missing(void **state)
{
    (void)state;
    struct fixture f = {0};
    set_up(&f);
    rd_kafka_mock_push_request_errors(f.kafka.cluster, LAB_API_END_TXN, 1, RD_KAFKA_RESP_ERR__TRANSPORT);
    transact(&f);
    assert_false(in_flight_requests_all_answered(&f.in_flight));
    transact(&f);
    assert_false(in_flight_requests_all_answered(&f.in_flight));
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_nothing_breaks_every_request_has_its_answer),
        cmocka_unit_test(an_answer_that_was_lost_stays_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
