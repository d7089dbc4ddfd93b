/* The score loop's alerts. */
#include <math.h>

#include "events/alert.h"
#include "events/prediction.h"
#include "tests/component/scorer/score_loop_lab.h"

/* The employee's first number, in a whole record, as a partial event, or as TERMINATED says. */
static void send_number(struct fixture *f, const char *id, enum event_type type, double number, bool partial)
{
    struct cell cells[256];
    struct buffer value = {0};
    bool numbered = false, named = false;
    for (size_t c = 0; c < f->schema->column_count; c++) {
        const struct column *column = &f->schema->columns[c];
        bool nominal = column->kind == COLUMN_NOMINAL;
        cells[c] = cell_missing(column);
        if (partial)
            cells[c].code = CELL_UNLISTED;
        if (!nominal && !numbered)
            cells[c] = cell_number(number);
        else if (nominal && !named && !partial)
            cells[c] = (struct cell){.text = column->values[0].data, .text_bytes = (uint32_t)column->values[0].bytes};
        numbered |= !nominal;
        named |= nominal;
    }
    const struct event event = {
        .event_id = span_of(id), .employee_id = SPAN_LITERAL("E7"), .type = type, .cells = cells, .partial = partial};
    event_encode(f->schema, &event, &value);
    loop_send_raw(f, 1, "E7", buffer_span(&value));
    buffer_free(&value);
}

static struct alert_reader *alert_reader;
static struct buffer alerts_seen; /* "event kind before→after drivers offset", a line each */

static void look_at_alert(const rd_kafka_message_t *message)
{
    struct arena arena = {0};
    struct alert alert;
    struct fault fault;
    rd_kafka_headers_t *headers;
    const void *offset = NULL;
    size_t bytes = 0;
    bool waits;
    const struct span value = {message->payload, message->len};
    assert_int_equal(alert_read(alert_reader, value, SPAN_NULL, &arena, &alert, &fault, &waits), EVENT_OK);
    assert_true(span_equal((struct span){message->key, message->key_len}, alert.employee_id));
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "attrition.source.offset", &offset, &bytes), 0);
    const struct span kind = alert_kind_name(alert.kind);
    buffer_printf(&alerts_seen, "%.*s %.*s ", (int)alert.event_id.bytes, alert.event_id.data, (int)kind.bytes,
                  kind.data);
    if (alert.has_before)
        buffer_printf(&alerts_seen, "%.2f", alert.before.probability);
    buffer_printf(&alerts_seen, "→%.2f %.*s\n", alert.after.probability, (int)bytes, (const char *)offset);
    arena_free(&arena);
}

static struct buffer changes_seen; /* "event change", a line each */

static void look_at_prediction(const rd_kafka_message_t *message)
{
    struct arena arena = {0};
    struct prediction prediction;
    struct fault fault;
    struct schema *schema = scorer_schema();
    const struct span value = {message->payload, message->len};
    if (!value.data)
        return;
    assert_int_equal(prediction_decode(schema, value, &arena, &prediction, &fault), EVENT_OK);
    buffer_printf(&changes_seen, "%.*s ", (int)prediction.event_id.bytes, prediction.event_id.data);
    if (prediction.has_change)
        buffer_printf(&changes_seen, "%.2f", prediction.change.record);
    buffer_add_u8(&changes_seen, '\n');
    assert_true(!prediction.has_change || prediction.change.model == 0);
    arena_free(&arena);
    schema_free(schema);
}

/* The margin is (number - 18) / 10. One batch, with a rehire in it: each event is compared with what was so just
 * before it, though all are merged before the first one is scored. */
static void alerts_follow_the_events_of_one_employee(void **state)
{
    (void)state;
    struct fixture f;
    loop_set_up_with_records(&f);
    send_number(&f, "a", EVENT_TYPE_SNAPSHOT, 18, false); /* 0.50 */
    send_number(&f, "b", EVENT_TYPE_CHANGED, 20, true);   /* 0.55 */
    send_number(&f, "c", EVENT_TYPE_CHANGED, 23, true);   /* 0.62: 0.12 more than said last */
    send_number(&f, "d", EVENT_TYPE_CHANGED, 25, true);   /* 0.67 */
    send_number(&f, "e", EVENT_TYPE_TERMINATED, 25, false);
    send_number(&f, "f", EVENT_TYPE_HIRED, 28, false);  /* 0.73 */
    send_number(&f, "g", EVENT_TYPE_CHANGED, 17, true); /* refused: below the range */
    send_number(&f, "h", EVENT_TYPE_CHANGED, 40, true); /* 0.90 */
    send_number(&f, "i", EVENT_TYPE_HIRED, 40, false);  /* begins again */
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 7);
    loop_wait_for(&f, COUNTER_EVENTS_OUTCOME, 1);
    loop_stop_and_renew(&f);
    send_number(&f, "j", EVENT_TYPE_CHANGED, 20, true); /* after a restart: what was said last is in the record */
    loop_send_raw(&f, 1, "E7", SPAN_NULL);
    send_number(&f, "k", EVENT_TYPE_SNAPSHOT, 20, false); /* erased in between */
    lab_flush(&f.kafka);
    loop_start(&f);
    loop_wait_for(&f, COUNTER_EVENTS_SCORED, 2);
    loop_stop_and_renew(&f);
    alert_reader = alert_reader_new(f.schema);
    assert_int_equal(loop_read_topic(&f, alert_topic, look_at_alert), 7);
    buffer_add_u8(&alerts_seen, '\0');
    assert_string_equal(alerts_seen.data, "a FIRST →0.50 0\nc MOVED 0.55→0.62 2\nf FIRST →0.73 5\nh MOVED 0.73→0.90 7\n"
                                          "i FIRST →0.90 8\nj MOVED 0.90→0.55 9\nk FIRST →0.55 11\n");
    alert_reader_free(alert_reader);
    buffer_free(&alerts_seen);
    (void)loop_read_topic(&f, topics[1], look_at_prediction);
    buffer_add_u8(&changes_seen, '\0');
    assert_string_equal(changes_seen.data, "a \nb 0.20\nc 0.30\nd 0.20\nf \nh 1.20\ni \nj -2.00\nk \n");
    buffer_free(&changes_seen);
    loop_tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alerts_follow_the_events_of_one_employee),
    };
    return cmocka_run_group_tests_name("scorer/score_loop_alerts", tests, NULL, NULL);
}
