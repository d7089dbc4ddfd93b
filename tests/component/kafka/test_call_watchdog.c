/* A call that librdkafka forgets, against the mock cluster: it refuses to name the group's coordinator oftener than
 * librdkafka asks, and no connection comes or goes. */
#include "kafka/call_watchdog.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tests/component/lab.h"
#include "tests/support/wait.h"

enum { SECOND_US = 1000000 };

struct fixture {
    struct lab kafka;
    rd_kafka_t *producer;
    struct call_watchdog watchdog;
    _Atomic unsigned answers; /* to the question who a coordinator is */
    _Atomic bool returned;
};

static _Thread_local bool sends; /* a broker's thread: an answer is reported there, and again where it is handled */

static rd_kafka_resp_err_t on_request(rd_kafka_t *client, int socket, const char *broker, int32_t broker_id,
                                      int16_t api, int16_t version, int32_t id, size_t bytes, void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)api, (void)version, (void)id, (void)bytes;
    (void)opaque;
    sends = true;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_response(rd_kafka_t *client, int socket, const char *broker, int32_t broker_id,
                                       int16_t api, int16_t version, int32_t id, size_t bytes, int64_t round_trip,
                                       rd_kafka_resp_err_t code, void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)version, (void)id, (void)bytes, (void)round_trip;
    struct fixture *f = opaque;
    if (sends && !code && api == LAB_API_FIND_COORDINATOR)
        atomic_fetch_add(&f->answers, 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text,
                                  size_t capacity)
{
    (void)conf, (void)text, (void)capacity;
    rd_kafka_resp_err_t code = rd_kafka_interceptor_add_on_request_sent(client, "test", on_request, opaque);
    return code ? code : rd_kafka_interceptor_add_on_response_received(client, "test", on_response, opaque);
}

static void set_up(struct fixture *f)
{
    lab_start(&f->kafka, 1);
    rd_kafka_conf_t *conf = lab_conf(&f->kafka);
    lab_set(conf, "transactional.id", "forgotten");
    rd_kafka_conf_set_opaque(conf, f);
    call_watchdog_add(&f->watchdog, conf, f, "worker 0");
    assert_int_equal(rd_kafka_conf_interceptor_add_on_new(conf, "test", on_new, f), 0);
    f->producer = lab_client(RD_KAFKA_PRODUCER, conf);
    assert_null(rd_kafka_init_transactions(f->producer, LAB_CALL_MS));
    assert_null(rd_kafka_begin_transaction(f->producer));
}

static void tear_down(struct fixture *f)
{
    rd_kafka_destroy(f->producer);
    call_watchdog_remove(&f->watchdog);
    lab_stop(&f->kafka);
}

static void *send_offsets(void *argument)
{
    struct fixture *f = argument;
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new("group");
    rd_kafka_topic_partition_list_add(offsets, "topic", 0)->offset = 1;
    call_watchdog_begin(&f->watchdog, "the call that sends offsets");
    rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(f->producer, offsets, group, LAB_CALL_MS);
    call_watchdog_end(&f->watchdog);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (error)
        rd_kafka_error_destroy(error);
    f->returned = true;
    return NULL;
}

/* A second of the clock that call_watchdog_check sees goes by for every call of it. */
static void look_until_it_returns(const struct fixture *f)
{
    int64_t now_us = clock_steady_us(&clock_system);
    WAIT_UNTIL((call_watchdog_check(true, now_us += SECOND_US), f->returned), "the call has not returned");
}

static void a_call_that_librdkafka_forgets_returns_once_it_is_overdue(void **state)
{
    (void)state;
    static struct fixture f;
    pthread_t thread;
    set_up(&f);
    unsigned before = f.answers;
    rd_kafka_mock_push_request_errors(
        f.kafka.cluster, LAB_API_FIND_COORDINATOR, 3, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(pthread_create(&thread, NULL, send_offsets, &f), 0);
    /* The producer may look for its own coordinator once more, half a second after its start: then two refusals are
     * left for the group's, and the call returns without help. */
    WAIT_UNTIL(f.answers >= before + 3, "%u answers to who a coordinator is, not 3", f.answers - before);
    look_until_it_returns(&f);
    pthread_join(thread, NULL);
    rd_kafka_error_t *error = rd_kafka_abort_transaction(f.producer, LAB_CALL_MS);
    if (error)
        rd_kafka_error_destroy(error);
    tear_down(&f);
}

/* Time in which no broker answers, or the process stood still, is not counted. */
static void only_time_in_which_brokers_answer_counts(void **state)
{
    (void)state;
    struct call_watchdog watchdog;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    call_watchdog_add(&watchdog, conf, &watchdog, "worker 0");
    int64_t now_us = clock_steady_us(&clock_system);
    call_watchdog_check(true, now_us);
    assert_int_equal(call_watchdog_longest_us(now_us), 0);
    call_watchdog_begin(&watchdog, "the call that commits");
    for (int i = 0; i < 100; i++)
        call_watchdog_check(false, now_us += SECOND_US);
    assert_int_equal(call_watchdog_longest_us(now_us), 0);
    for (int i = 0; i < 20; i++)
        call_watchdog_check(true, now_us += SECOND_US);
    assert_int_equal(call_watchdog_longest_us(now_us), 20 * SECOND_US);
    call_watchdog_check(true, now_us += 100 * SECOND_US);
    assert_int_equal(call_watchdog_longest_us(now_us), 0);
    call_watchdog_end(&watchdog);
    assert_int_equal(call_watchdog_longest_us(now_us + SECOND_US), 0);
    call_watchdog_remove(&watchdog);
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
