/* events/employee_state.h: what is written is read, of this version and of earlier ones; anything else is refused. */
#include "tests/unit/events/unit.h"

#include "events/employee_state.h"
#include "events/event_encoder.h"

enum { COLUMNS = 30, INCOME = 15, TRAVEL = 1 };

struct fixture {
    struct schema *schema;
    struct employee_state_reader *reader;
    struct cell cells[COLUMNS];
    struct employee_state state, out;
    struct buffer bytes;
    struct fault fault;
};

static int make(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    fixture->schema = unit_shipped();
    fixture->reader = employee_state_reader_new(fixture->schema);
    for (size_t c = 0; c < COLUMNS; c++)
        fixture->cells[c] = cell_missing(&fixture->schema->columns[c]);
    fixture->cells[INCOME] = cell_number(4321);
    fixture->cells[TRAVEL] = unit_text(fixture->schema, TRAVEL, "Non-Travel");
    fixture->state = (struct employee_state){.employee_id = SPAN_LITERAL("Zo\xc3\xab"),
                                             .occurred_at_ms = -5,
                                             .source_topic = SPAN_LITERAL("events"),
                                             .source_partition = 3,
                                             .source_offset = 1234567890123,
                                             .cells = fixture->cells};
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    employee_state_reader_free(fixture->reader);
    schema_free(fixture->schema);
    buffer_free(&fixture->bytes);
    free(fixture);
    return 0;
}

static enum event_code read_back(void *context)
{
    struct fixture *fixture = context;
    return employee_state_read(fixture->reader, buffer_span(&fixture->bytes), &fixture->out, &fixture->fault);
}

static void assert_round_trip(struct fixture *fixture)
{
    const struct employee_state *in = &fixture->state, *out = &fixture->out;
    buffer_clear(&fixture->bytes);
    employee_state_encode(fixture->schema, in, &fixture->bytes);
    assert_int_equal(read_back(fixture), EVENT_OK);
    assert_true(span_equal(out->employee_id, in->employee_id) && span_equal(out->source_topic, in->source_topic));
    assert_true(out->occurred_at_ms == in->occurred_at_ms && out->source_partition == 3 &&
                out->source_offset == in->source_offset);
    assert_int_equal(out->scored, in->scored);
    assert_int_equal(out->alerted, in->alerted);
    assert_int_equal(out->cells != NULL, in->cells != NULL);
}

static void test_a_current_record(void **state)
{
    struct fixture *fixture = *state;
    assert_round_trip(fixture);
    assert_true(fixture->out.cells[INCOME].number == 4321);
    assert_int_equal(fixture->out.cells[TRAVEL].code, 0);
    assert_int_equal(fixture->out.cells[0].code, CELL_MISSING);
}

/* Attributes that came encoded are copied. */
static void test_encoded_attributes(void **state)
{
    struct fixture *fixture = *state;
    struct buffer attributes = {0}, made = {0};
    attributes_encode(fixture->schema, fixture->cells, &attributes);
    employee_state_encode(fixture->schema, &fixture->state, &made);
    fixture->state.attributes = buffer_span(&attributes);
    assert_round_trip(fixture);
    assert_true(span_equal(buffer_span(&fixture->bytes), buffer_span(&made)));
    buffer_free(&attributes);
    buffer_free(&made);
}

static void test_with_a_prediction_and_an_alert(void **state)
{
    struct fixture *fixture = *state;
    fixture->state.scored = fixture->state.alerted = true;
    fixture->state.label = fixture->state.alerted_label = 1;
    fixture->state.probability = 0.1 + 0.2;
    fixture->state.margin = -1.5;
    fixture->state.threshold = 0.3;
    fixture->state.model_name = SPAN_LITERAL("attrition");
    fixture->state.model_version = SPAN_LITERAL("7");
    fixture->state.alerted_probability = 0.75;
    assert_round_trip(fixture);
    assert_true(fixture->out.label == 1 && fixture->out.probability == 0.1 + 0.2 && fixture->out.margin == -1.5);
    assert_true(span_equal(fixture->out.model_version, SPAN_LITERAL("7")) && fixture->out.threshold == 0.3);
    assert_true(fixture->out.alerted_label == 1 && fixture->out.alerted_probability == 0.75);
}

static void test_who_has_left(void **state)
{
    struct fixture *fixture = *state;
    fixture->state.cells = NULL;
    assert_round_trip(fixture);
}

static void test_anything_else_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_round_trip(fixture);
    unit_assert_nothing_else_is_read(&fixture->bytes, read_back, fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_current_record, make, unmake),
        cmocka_unit_test_setup_teardown(test_encoded_attributes, make, unmake),
        cmocka_unit_test_setup_teardown(test_with_a_prediction_and_an_alert, make, unmake),
        cmocka_unit_test_setup_teardown(test_who_has_left, make, unmake),
        cmocka_unit_test_setup_teardown(test_anything_else_is_refused, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
