/* The score loop end to end: results of events, and what is injected: errors, outages, requests to stop. */
#include "kafka/client.h"
#include "tests/component/scorer/score_loop_lab.h"

#define SPAN_OF(text) \
    { \
        (text), sizeof(text) - 1 \
    }

static void wait_until_kafka_is(bool up)
{
    WAIT_UNTIL((kafka_look(), kafka_up() == up), "the brokers are still %s", up ? "unavailable" : "available");
}

static void wait_for_step(const struct fixture *f)
{
    WAIT_UNTIL(progress_runs(score_loop_progress(f->loop)), "the loop has not started");
}

static void every_event_has_exactly_one_result(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, "--exit-at-end");
    loop_send_events(&f, 2000);
    loop_send_raw(&f, 0, "E1", SPAN_NULL);
    loop_send_raw(&f, 1, NULL, SPAN_NULL);
    loop_send_raw(&f, 2, "E2", (struct span){"", 0});
    loop_send_raw(&f, 3, "E3", SPAN_LITERAL("\0\0\0\0\7what"));
    loop_send_raw(&f, 0, "E4", SPAN_LITERAL("plain text"));
    for (int i = 0; i < 3; i++)
        loop_send_event(&f, 5000 + i, EVENT_TYPE_TERMINATED);
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_join(&f);
    loop_assert_identity(&f);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_SCORED), 2000);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_ERASED), 1);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_OUTCOME), 3);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_DEAD_LETTERED), 4);
    assert_int_equal(f.counters.dead_letters[EVENT_NULL_KEY], 1);
    assert_int_equal(f.counters.dead_letters[EVENT_BAD_FRAME], 2);
    assert_int_equal(f.counters.dead_letters[EVENT_UNKNOWN_SCHEMA_ID], 1);
    assert_int_equal(loop_count_topic(&f, topics[1]), 2001);
    assert_int_equal(loop_count_topic(&f, topics[2]), 4);
    assert_int_equal(loop_count_topic(&f, topics[3]), 3);
    loop_tear_down(&f);
}

static int erased_of_e7;

static void look_for_erasures(const rd_kafka_message_t *message)
{
    assert_null(message->payload);
    assert_int_equal(message->key_len, 2);
    erased_of_e7 += memcmp(message->key, "E7", 2) == 0;
}

static void look_for_bad_ids(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t bytes;
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "attrition.error.code", &value, &bytes), 0);
    assert_string_equal(value, "bad_id");
}

/* A null value under a key that names somebody, in each of its forms, is forwarded under the employee's id; under one
 * that names nobody it is a dead letter, and nobody is erased. */
static void an_erasure_names_whom_its_key_names(void **state)
{
    (void)state;
    static const struct span somebody[] = {SPAN_OF("E7"), SPAN_OF("{\"employee_id\":\"E7\"}"),
                                           SPAN_OF("{\"id\": \"\\u00457\"}"), SPAN_OF("\0\0\0\0\7\4E7"),
                                           SPAN_OF("\0\0\0\0\7{\"employee_id\":\"E7\"}")};
    static const struct span nobody[] = {SPAN_OF(""),
                                         SPAN_OF("\xff\xfe"),
                                         SPAN_OF("E\n7"),
                                         SPAN_OF("{}"),
                                         SPAN_OF("{\"a\":1,\"b\":2}"),
                                         SPAN_OF("E\xe2\x80\xae"
                                                 "7"),
                                         SPAN_OF("\0\0\0\0\7")};
    struct fixture f;
    loop_set_up(&f, "--exit-at-end");
    char longer[300];
    memset(longer, 'x', sizeof longer);
    for (size_t i = 0; i < sizeof somebody / sizeof *somebody; i++)
        loop_send_record(&f, 0, somebody[i], SPAN_NULL);
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
        loop_send_record(&f, 0, nobody[i], SPAN_NULL);
    loop_send_record(&f, 0, (struct span){longer, 257}, SPAN_NULL);
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_join(&f);
    loop_assert_identity(&f);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_ERASED), 5);
    assert_int_equal(f.counters.dead_letters[EVENT_BAD_ID], 8);
    assert_int_equal(loop_read_topic(&f, topics[1], look_for_erasures), 5);
    assert_int_equal(erased_of_e7, 5);
    assert_int_equal(loop_read_topic(&f, topics[2], look_for_bad_ids), 8);
    loop_tear_down(&f);
}

static void look_for_not_finite(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t bytes;
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "attrition.error.code", &value, &bytes), 0);
    assert_string_equal(value, "not_finite");
    assert_int_not_equal(rd_kafka_header_get_last(headers, "attrition.error.field", &value, &bytes), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "__connect.errors.exception.message", &value, &bytes), 0);
    assert_non_null(strstr(value, "the model gives no number"));
}

static void a_score_that_is_no_number_is_a_dead_letter(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, "--exit-at-end");
    loop_use_bare_model(&f);
    for (int i = 0; i < 100; i++)
        loop_send_filled(&f, i, EVENT_TYPE_SNAPSHOT, i % 2);
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_join(&f);
    loop_assert_identity(&f);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_SCORED), 50);
    assert_int_equal(f.counters.dead_letters[EVENT_NOT_FINITE], 50);
    assert_int_equal(loop_count_topic(&f, topics[1]), 50);
    assert_int_equal(loop_read_topic(&f, topics[2], look_for_not_finite), 50);
    loop_tear_down(&f);
}

static void a_new_group_at_the_end_is_done_at_once(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up_with(&f, "--exit-at-end", "-Xauto.offset.reset=latest");
    loop_send_events(&f, 20);
    loop_start(&f);
    loop_join(&f);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_RECEIVED), 0);
    loop_tear_down(&f);
}

static void a_refused_batch_is_done_again(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, "--exit-at-end");
    loop_send_events(&f, 500);
    rd_kafka_mock_push_request_errors(f.kafka.cluster, LAB_API_PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    loop_start(&f);
    loop_join(&f);
    loop_assert_identity(&f);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_SCORED), 500);
    assert_true(loop_count(&f, COUNTER_EVENTS_RETURNED) > 0);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_DEAD_LETTERED), 0);
    assert_true(loop_count_topic(&f, topics[1]) >= 500);
    loop_tear_down(&f);
}

static void an_unavailable_broker_is_waited_for(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, NULL);
    loop_send_events(&f, 200);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 200);
    rd_kafka_mock_broker_set_down(f.kafka.cluster, 1);
    wait_until_kafka_is(false);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_DEAD_LETTERED), 0);
    rd_kafka_mock_broker_set_up(f.kafka.cluster, 1);
    loop_send_events(&f, 300);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 500);
    score_loop_stop(f.loop);
    loop_join(&f);
    loop_assert_identity(&f);
    loop_tear_down(&f);
}

static void asked_to_stop_it_commits_what_it_has(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, "--commit-interval=3s");
    loop_send_events(&f, 1000);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_RECEIVED, 1000);
    score_loop_stop(f.loop);
    loop_join(&f);
    loop_assert_identity(&f);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_IN_FLIGHT), 0);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_SCORED), 1000);
    assert_int_equal(loop_count_topic(&f, topics[1]), 1000);
    loop_tear_down(&f);
}

static void asked_to_stop_while_no_broker_answers_it_ends(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, NULL);
    rd_kafka_mock_broker_set_down(f.kafka.cluster, 1);
    loop_start(&f);
    wait_for_step(&f);
    score_loop_stop(f.loop);
    loop_join(&f);
    assert_int_equal(f.status, STATUS_OK);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_RECEIVED), 0);
    loop_assert_identity(&f);
    loop_tear_down(&f);
}

static void an_offset_that_is_gone_stops_with_a_message(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, NULL);
    loop_send_events(&f, 10);
    rd_kafka_t *other = lab_consumer(&f.kafka, "attrition-scorer");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topics[0], 0)->offset = 777;
    assert_int_equal(rd_kafka_commit(other, list, 0), 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(other);
    loop_start(&f);
    pthread_join(f.thread, NULL);
    assert_int_equal(f.status, STATUS_INVALID);
    assert_non_null(strstr(f.err.text, "777"));
    assert_non_null(strstr(f.err.text, "kafka-consumer-groups"));
    loop_tear_down(&f);
}

/* Writing is denied: the loop ends, and leaving the group must not commit what was rolled back. */
static void a_denied_write_commits_nothing(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, NULL);
    loop_send_events(&f, 500);
    lab_flush(&f.kafka);
    rd_kafka_mock_push_request_errors(
        f.kafka.cluster, LAB_API_PRODUCE, 6, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    loop_start(&f);
    pthread_join(f.thread, NULL);
    assert_int_equal(f.status, STATUS_DENIED);
    assert_non_null(strstr(f.err.text, "kafka-acls"));
    rd_kafka_t *other = lab_consumer(&f.kafka, "attrition-scorer");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    for (int p = 0; p < 4; p++)
        rd_kafka_topic_partition_list_add(list, topics[0], p);
    assert_int_equal(rd_kafka_committed(other, list, 5000), RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int p = 0; p < 4; p++)
        assert_int_equal(list->elems[p].offset, 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(other);
    loop_tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_has_exactly_one_result),
        cmocka_unit_test(an_erasure_names_whom_its_key_names),
        cmocka_unit_test(a_score_that_is_no_number_is_a_dead_letter),
        cmocka_unit_test(a_new_group_at_the_end_is_done_at_once),
        cmocka_unit_test(a_refused_batch_is_done_again),
        cmocka_unit_test(an_unavailable_broker_is_waited_for),
        cmocka_unit_test(asked_to_stop_it_commits_what_it_has),
        cmocka_unit_test(asked_to_stop_while_no_broker_answers_it_ends),
        cmocka_unit_test(an_offset_that_is_gone_stops_with_a_message),
        cmocka_unit_test(a_denied_write_commits_nothing),
    };
    return cmocka_run_group_tests_name("scorer/score_loop", tests, NULL, NULL);
}
