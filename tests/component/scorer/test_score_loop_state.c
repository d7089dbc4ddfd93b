/* The score loop with current records, and with a topic of them that it must refuse. */
#include "events/employee_state.h"
#include "scorer/state/state_position.h"
#include "tests/component/scorer/score_loop_lab.h"

/* Changes the first column that has a number. */
static void send_partial(struct fixture *f, int number)
{
    char employee[32];
    struct cell cells[256];
    struct buffer value = {0};
    bool listed = false;
    for (size_t c = 0; c < f->schema->column_count; c++) {
        const struct column *column = &f->schema->columns[c];
        cells[c] = (struct cell){.code = CELL_UNLISTED};
        if (column->kind == COLUMN_NOMINAL || listed)
            continue;
        listed = true;
        cells[c] = cell_number(column->low);
    }
    snprintf(employee, sizeof employee, "E%d", number);
    const struct event event = {.event_id = SPAN_LITERAL("partial"),
                                .employee_id = span_of(employee),
                                .type = EVENT_TYPE_CHANGED,
                                .cells = cells,
                                .partial = true};
    event_encode(f->schema, &event, &value);
    loop_send_raw(f, number % PARTITIONS, employee, buffer_span(&value));
    buffer_free(&value);
}

static void partial_events_meet_the_records_of_the_process_before(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up_with_records(&f);
    loop_send_events(&f, 40);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 40);
    loop_stop_and_renew(&f);
    for (int i = 0; i < 41; i++)
        send_partial(&f, i); /* the last one of nobody */
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 40);
    loop_wait_for(&f, COUNTER_EVENTS_DEAD_LETTERED, 1);
    assert_true(loop_count(&f, COUNTER_STATE_RESTORED) >= 40);
    assert_int_equal(f.counters.dead_letters[EVENT_PARTIAL], 1);
    loop_stop_and_renew(&f);
    assert_int_equal(loop_count_topic(&f, topics[1]), 80);
    loop_tear_down(&f);
}

/* As after a crash between the records and the offsets, at least once: each event up to there has its result already.
 */
static void send_position(struct fixture *f, int32_t partition, int offset, int records)
{
    struct buffer value = {0};
    const struct state_position position = {.group = f->settings.group_id,
                                            .topic = topics[0],
                                            .partition = partition,
                                            .offset = offset,
                                            .records = records};
    state_position_write(&position, &value);
    lab_produce(&f->kafka, state_topic, partition, STATE_POSITION_KEY, buffer_span(&value), NULL);
    buffer_free(&value);
}

static void what_the_records_hold_is_not_done_again(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up_with_records(&f);
    loop_send_events(&f, 20);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 20);
    loop_stop_and_renew(&f);
    loop_send_events(&f, 20);
    for (int32_t p = 0; p < PARTITIONS; p++)
        send_position(&f, p, 40 / PARTITIONS, 20 / PARTITIONS);
    send_partial(&f, 0);
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 1);
    loop_wait_for(&f, COUNTER_EVENTS_REPEATED, 20);
    loop_stop_and_renew(&f);
    assert_int_equal(loop_count_topic(&f, topics[1]), 21);
    loop_tear_down(&f);
}

/* At least once, as of a process that stood still before it wrote them, while another one went on: who had left at
 * offset 0 has come back at offset 1, and the group is at 2. */
static void records_that_come_late_are_passed_over(void **state)
{
    (void)state;
    struct fixture f;
    struct buffer value = {0};
    loop_set_up_with_records(&f);
    loop_send_filled(&f, 1, EVENT_TYPE_SNAPSHOT, true);
    loop_send_filled(&f, 1, EVENT_TYPE_SNAPSHOT, true);
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 2);
    loop_stop_and_renew(&f);
    const struct employee_state late = {.employee_id = SPAN_LITERAL("E1"),
                                        .source_topic = span_of(topics[0]),
                                        .source_partition = 1 % PARTITIONS,
                                        .source_offset = 0};
    employee_state_encode(f.schema, &late, &value);
    lab_produce(&f.kafka, state_topic, 1 % PARTITIONS, late.employee_id, buffer_span(&value), NULL);
    buffer_free(&value);
    send_position(&f, 1 % PARTITIONS, 1, 1);
    send_partial(&f, 1);
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 1);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_DEAD_LETTERED), 0);
    loop_stop_and_renew(&f);
    loop_tear_down(&f);
}

static void look_for_no_prediction(const rd_kafka_message_t *message)
{
    struct employee_state record;
    struct fault fault;
    if (message->key_len != 2 || memcmp(message->key, "E1", 2))
        return;
    struct schema *schema = scorer_schema();
    struct employee_state_reader *reader = employee_state_reader_new(schema);
    assert_int_equal(employee_state_read(reader, (struct span){message->payload, message->len}, &record, &fault),
                     EVENT_OK);
    if (record.source_offset == 1)
        assert_false(record.scored);
    employee_state_reader_free(reader);
    schema_free(schema);
}

/* Two records of one batch, and only the first one's event has a number: it is none of the second, which begins again.
 */
static void a_record_that_begins_again_has_no_prediction_of_before(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up_with_records(&f);
    loop_use_bare_model(&f);
    loop_send_filled(&f, 1, EVENT_TYPE_SNAPSHOT, true);
    loop_send_filled(&f, 1, EVENT_TYPE_HIRED, false);
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_DEAD_LETTERED, 1);
    loop_stop_and_renew(&f);
    assert_int_equal(loop_read_topic(&f, state_topic, look_for_no_prediction), 3); /* and a position */
    loop_tear_down(&f);
}

static void without_a_state_topic_a_partial_event_is_a_dead_letter(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, "--state-topic=none");
    loop_send_events(&f, 1);
    send_partial(&f, 0);
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_DEAD_LETTERED, 1);
    assert_int_equal(f.counters.dead_letters[EVENT_PARTIAL], 1);
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_SCORED), 1);
    score_loop_stop(f.loop);
    loop_join(&f);
    loop_tear_down(&f);
}

/* A group that has committed offsets and never any records: an upgrade. */
static void a_group_without_records_begins_with_none(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up(&f, "--state-topic=none");
    loop_send_events(&f, 20);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 20);
    f.settings.state_topic = state_topic;
    lab_create_topic(&f.kafka, state_topic, PARTITIONS);
    loop_stop_and_renew(&f);
    send_partial(&f, 0);
    loop_send_event(&f, 1, EVENT_TYPE_SNAPSHOT);
    send_partial(&f, 1);
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 2);
    loop_wait_for(&f, COUNTER_EVENTS_DEAD_LETTERED, 1);
    assert_int_equal(f.counters.dead_letters[EVENT_PARTIAL], 1);
    score_loop_stop(f.loop);
    loop_join(&f);
    loop_tear_down(&f);
}

static void a_topic_without_the_records_that_were_committed_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up_with_records(&f);
    loop_send_events(&f, 20);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 20);
    f.settings.state_topic = "emptied-state";
    lab_create_topic(&f.kafka, "emptied-state", PARTITIONS);
    loop_stop_and_renew(&f);
    loop_send_events(&f, 20);
    loop_start(&f);
    pthread_join(f.thread, NULL);
    assert_int_equal(f.status, STATUS_CONFLICT);
    assert_non_null(strstr(f.err.text, "scorer state seed --empty"));
    assert_int_equal(loop_count(&f, COUNTER_EVENTS_RECEIVED), 0);
    loop_tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partial_events_meet_the_records_of_the_process_before),
        cmocka_unit_test(what_the_records_hold_is_not_done_again),
        cmocka_unit_test(records_that_come_late_are_passed_over),
        cmocka_unit_test(a_record_that_begins_again_has_no_prediction_of_before),
        cmocka_unit_test(without_a_state_topic_a_partial_event_is_a_dead_letter),
        cmocka_unit_test(a_group_without_records_begins_with_none),
        cmocka_unit_test(a_topic_without_the_records_that_were_committed_is_refused),
    };
    return cmocka_run_group_tests_name("scorer/score_loop_state", tests, NULL, NULL);
}
