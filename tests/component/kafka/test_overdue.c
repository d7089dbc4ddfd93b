/* A call that librdkafka forgets, against the mock cluster: it refuses to name the group's coordinator oftener than
 * librdkafka asks, and no connection comes or goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "kafka/overdue.h"

#include <librdkafka/rdkafka_mock.h>

enum { CALL_MS = 10000, API_FIND_COORDINATOR = 10, TICK_US = 10000, TICKS = 4000, SECOND_US = 1000000 };

struct lab {
    rd_kafka_t *host, *producer;
    rd_kafka_mock_cluster_t *cluster;
    struct overdue overdue;
    _Atomic bool returned;
};

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[128];
    assert_int_equal(rd_kafka_conf_set(conf, name, value, text, sizeof text), RD_KAFKA_CONF_OK);
}

static void set_up(struct lab *lab)
{
    char text[128];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "log_level", "0");
    lab->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(lab->host);
    lab->cluster = rd_kafka_mock_cluster_new(lab->host, 1);
    conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(lab->cluster));
    set(conf, "transactional.id", "forgotten");
    set(conf, "log_level", "0");
    rd_kafka_conf_set_opaque(conf, lab);
    overdue_add(&lab->overdue, conf, lab, "worker 0");
    lab->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(lab->producer);
    assert_null(rd_kafka_init_transactions(lab->producer, CALL_MS));
    assert_null(rd_kafka_begin_transaction(lab->producer));
}

static void tear_down(struct lab *lab)
{
    rd_kafka_destroy(lab->producer);
    overdue_remove(&lab->overdue);
    rd_kafka_mock_cluster_destroy(lab->cluster);
    rd_kafka_destroy(lab->host);
}

static void *send_offsets(void *argument)
{
    struct lab *lab = argument;
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new("group");
    rd_kafka_topic_partition_list_add(offsets, "topic", 0)->offset = 1;
    overdue_begin(&lab->overdue, "the call that sends offsets");
    rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(lab->producer, offsets, group, CALL_MS);
    overdue_end(&lab->overdue);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (error)
        rd_kafka_error_destroy(error);
    lab->returned = true;
    return NULL;
}

/* A second goes by for it every tick. */
static void look_until_it_returns(struct lab *lab)
{
    int64_t now_us = clock_steady_us(&clock_system);
    for (int i = 0; i < TICKS && !lab->returned; i++, usleep(TICK_US))
        overdue_look(true, now_us += SECOND_US);
}

static void a_call_that_librdkafka_forgets_returns_once_it_is_overdue(void **state)
{
    (void)state;
    static struct lab lab;
    pthread_t thread;
    set_up(&lab);
    usleep(SECOND_US); /* the producer looks for its own coordinator once more after half a second */
    rd_kafka_mock_push_request_errors(lab.cluster, API_FIND_COORDINATOR, 3, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
                                      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
                                      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(pthread_create(&thread, NULL, send_offsets, &lab), 0);
    usleep(SECOND_US);
    look_until_it_returns(&lab);
    assert_true(lab.returned);
    pthread_join(thread, NULL);
    rd_kafka_error_t *error = rd_kafka_abort_transaction(lab.producer, CALL_MS);
    if (error)
        rd_kafka_error_destroy(error);
    tear_down(&lab);
}

/* Time in which no broker answers, or the process stood still, is not counted. */
static void only_time_in_which_brokers_answer_counts(void **state)
{
    (void)state;
    struct overdue overdue;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    overdue_add(&overdue, conf, &overdue, "worker 0");
    int64_t now_us = clock_steady_us(&clock_system);
    overdue_look(true, now_us);
    assert_int_equal(overdue_longest_us(now_us), 0);
    overdue_begin(&overdue, "the call that commits");
    for (int i = 0; i < 100; i++)
        overdue_look(false, now_us += SECOND_US);
    assert_int_equal(overdue_longest_us(now_us), 0);
    for (int i = 0; i < 20; i++)
        overdue_look(true, now_us += SECOND_US);
    assert_int_equal(overdue_longest_us(now_us), 20 * SECOND_US);
    overdue_look(true, now_us += 100 * SECOND_US);
    assert_int_equal(overdue_longest_us(now_us), 0);
    overdue_end(&overdue);
    assert_int_equal(overdue_longest_us(now_us + SECOND_US), 0);
    overdue_remove(&overdue);
    rd_kafka_conf_destroy(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_librdkafka_forgets_returns_once_it_is_overdue),
        cmocka_unit_test(only_time_in_which_brokers_answer_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
