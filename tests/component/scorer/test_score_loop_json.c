/* The score loop on events as JSON. */
#include "tests/component/scorer/score_loop_lab.h"

static int json_outcomes;

/* As Avro of the shipped schema, whatever it came as. */
static void look_for_avro(const rd_kafka_message_t *message)
{
    static const uint8_t frame[] = {0};
    assert_true(message->len > 5 && memcmp(message->payload, frame, 1) == 0);
    json_outcomes += message->key_len == 2 && memcmp(message->key, "J3", 2) == 0;
}

static void json_has_the_same_results(void **state)
{
    (void)state;
    struct fixture f;
    char text[512];
    loop_set_up_with(&f, "--exit-at-end", "--null-value=ignore");
    const struct column *column = f.schema->columns;
    while (column->kind == COLUMN_NOMINAL)
        column++;
    for (int i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof key, "J%d", i);
        snprintf(text, sizeof text, "{\"employee_id\":\"\\u004a%d\",\"attributes\":{\"%s\":%g}}", i, column->name,
                 column->low);
        loop_send_raw(&f, i % PARTITIONS, key, span_of(text));
    }
    loop_send_raw(&f, 0, "J3", SPAN_LITERAL("{\"employee_id\":\"J3\",\"event_type\":\"TERMINATED\"}"));
    loop_send_raw(&f, 0, "7", SPAN_LITERAL("{\"op\":\"t\",\"source\":{\"ts_ms\":1700000000000}}"));
    loop_send_raw(&f, 0, "7", SPAN_NULL);
    loop_send_raw(&f, 0, NULL, SPAN_NULL);
    loop_send_raw(&f, 1, "J1", SPAN_LITERAL("{\"employee_id\":\"J2\",\"attributes\":{}}"));
    loop_send_raw(&f, 1, "J1", SPAN_LITERAL("{\"employee_id\":\"J1\",\"attributes\":{"));
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_join(&f);
    loop_assert_identity(&f);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_SCORED), 1000);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_IGNORED), 3);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_OUTCOME), 1);
    assert_int_equal(f.counters.dead_letters[EVENT_KEY_MISMATCH], 1);
    assert_int_equal(f.counters.dead_letters[EVENT_MALFORMED], 1);
    assert_int_equal(loop_count_topic(&f, topics[1]), 1000);
    assert_int_equal(loop_read_topic(&f, topics[3], look_for_avro), 1);
    assert_int_equal(json_outcomes, 1);
    loop_tear_down(&f);
}

/* Nobody may be erased by a tombstone because nobody was asked. */
static void debezium_stops_until_null_values_are_decided(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, "--exit-at-end");
    loop_send_raw(&f, 0, "7", SPAN_LITERAL("{\"op\":\"d\",\"before\":{\"EmployeeNumber\":7},\"after\":null}"));
    loop_send_raw(&f, 0, "7", SPAN_NULL);
    lab_flush(&f.kafka);
    loop_start(&f);
    pthread_join(f.thread, NULL);
    assert_int_equal(f.status, STATUS_INVALID);
    assert_non_null(strstr(f.err.text, "set NULL_VALUE=ignore"));
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_ERASED), 0);
    assert_int_equal(loop_count_topic(&f, topics[1]), 0);
    loop_tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_the_same_results),
        cmocka_unit_test(debezium_stops_until_null_values_are_decided),
    };
    return cmocka_run_group_tests_name("scorer/score_loop_json", tests, NULL, NULL);
}
