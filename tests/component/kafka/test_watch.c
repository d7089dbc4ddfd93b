/* Counting of requests, against the mock cluster: its transactions do nothing, but every request is sent and answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kafka/watch.h"

#include <librdkafka/rdkafka_mock.h>

enum { CALL_MS = 10000, API_END_TXN = 26 };

struct lab {
    rd_kafka_t *host, *producer;
    rd_kafka_mock_cluster_t *cluster;
    struct watch watch;
};

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[128];
    assert_int_equal(rd_kafka_conf_set(conf, name, value, text, sizeof text), RD_KAFKA_CONF_OK);
}

static void set_up(struct lab *lab)
{
    char text[128];
    struct error err;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "log_level", "0");
    lab->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(lab->host);
    lab->cluster = rd_kafka_mock_cluster_new(lab->host, 1);
    conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(lab->cluster));
    set(conf, "transactional.id", "watched");
    set(conf, "log_level", "0");
    assert_int_equal(watch_add(&lab->watch, conf, &err), STATUS_OK);
    lab->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(lab->producer);
    assert_null(rd_kafka_init_transactions(lab->producer, CALL_MS));
}

static void tear_down(struct lab *lab)
{
    rd_kafka_destroy(lab->producer);
    rd_kafka_mock_cluster_destroy(lab->cluster);
    rd_kafka_destroy(lab->host);
}

static void transact(struct lab *lab)
{
    char value[] = "x";
    assert_null(rd_kafka_begin_transaction(lab->producer));
    assert_int_equal(
        rd_kafka_producev(lab->producer, RD_KAFKA_V_TOPIC("topic"), RD_KAFKA_V_VALUE(value, 1), RD_KAFKA_V_END), 0);
    assert_null(rd_kafka_commit_transaction(lab->producer, CALL_MS));
}

/* A fresh producer after every transaction would pass all other tests. */
static void where_nothing_breaks_every_request_has_its_answer(void **state)
{
    (void)state;
    struct lab lab = {0};
    set_up(&lab);
    for (int i = 0; i < 20; i++) {
        transact(&lab);
        assert_true(watch_all_answered(&lab.watch));
    }
    assert_true(lab.watch.sent >= 3 * 20);
    tear_down(&lab);
}

/* The mock closes the connection instead of an answer: librdkafka sends again, and the commit succeeds. */
static void an_answer_that_was_lost_stays_missing(void **state)
{
    (void)state;
    struct lab lab = {0};
    set_up(&lab);
    rd_kafka_mock_push_request_errors(lab.cluster, API_END_TXN, 1, RD_KAFKA_RESP_ERR__TRANSPORT);
    transact(&lab);
    assert_false(watch_all_answered(&lab.watch));
    transact(&lab);
    assert_false(watch_all_answered(&lab.watch));
    tear_down(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_nothing_breaks_every_request_has_its_answer),
        cmocka_unit_test(an_answer_that_was_lost_stays_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
