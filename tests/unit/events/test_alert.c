/* events/alert.h: what is written is read; anything else is refused. */
#include "tests/unit/events/unit.h"

#include "events/alert.h"
#include "events/fault.h"

struct fixture {
    struct schema *schema;
    struct alert_reader *reader;
    struct alert alert, out;
    struct buffer bytes;
    struct arena arena;
    struct fault fault;
};

static const struct alert_driver drivers[] = {
    {SPAN_LITERAL("OverTime"), SPAN_LITERAL("null"), SPAN_LITERAL("\"Yes\""), -0.25, 0.1 + 0.2},
    {SPAN_LITERAL("Age"), SPAN_LITERAL("41"), SPAN_LITERAL("29"), 0, -1e-300},
};

static int make(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    fixture->schema = unit_shipped();
    fixture->reader = alert_reader_new(fixture->schema);
    fixture->alert = (struct alert){
        .event_id = SPAN_LITERAL("e-1"),
        .employee_id = SPAN_LITERAL("Zo\xc3\xab"),
        .occurred_at_ms = -5,
        .kind = ALERT_CROSSED_DOWN,
        .has_before = true,
        .before = {1, 0.75, 1.0986122886681098, 0.5, SPAN_LITERAL("attrition"), SPAN_LITERAL("7")},
        .after = {0, 0.1 + 0.2, -0.8, 0.4, SPAN_LITERAL("attrition"), SPAN_LITERAL("8")},
        .has_drivers = true,
        .drivers = drivers,
        .driver_count = 2,
        .model_change = -0.125,
        .cause = ALERT_CAUSE_BOTH,
    };
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    alert_reader_free(fixture->reader);
    schema_free(fixture->schema);
    buffer_free(&fixture->bytes);
    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

static enum event_code read_back(void *context)
{
    struct fixture *fixture = context;
    bool waits;
    return alert_read(fixture->reader, buffer_span(&fixture->bytes), SPAN_NULL, &fixture->arena, &fixture->out,
                      &fixture->fault, &waits);
}

static void assert_assessment(const struct alert_assessment *a, const struct alert_assessment *b)
{
    assert_true(a->label == b->label && a->probability == b->probability && a->margin == b->margin &&
                a->threshold == b->threshold && span_equal(a->model_name, b->model_name) &&
                span_equal(a->model_version, b->model_version));
}

static void assert_round_trip(struct fixture *fixture)
{
    const struct alert *in = &fixture->alert, *out = &fixture->out;
    buffer_clear(&fixture->bytes);
    alert_encode(fixture->schema, in, &fixture->bytes);
    assert_int_equal(read_back(fixture), EVENT_OK);
    assert_true(span_equal(out->event_id, in->event_id) && span_equal(out->employee_id, in->employee_id));
    assert_true(out->occurred_at_ms == in->occurred_at_ms && out->model_change == in->model_change);
    assert_true(out->kind == in->kind && out->cause == in->cause && out->has_before == in->has_before);
    if (in->has_before)
        assert_assessment(&out->before, &in->before);
    assert_assessment(&out->after, &in->after);
    assert_int_equal(out->has_drivers, in->has_drivers);
    assert_int_equal(out->driver_count, in->has_drivers ? in->driver_count : 0);
    for (size_t d = 0; d < out->driver_count; d++) {
        const struct alert_driver *a = &out->drivers[d], *b = &in->drivers[d];
        assert_true(span_equal(a->feature, b->feature) && span_equal(a->before, b->before) &&
                    span_equal(a->after, b->after) && a->contribution_before == b->contribution_before &&
                    a->contribution_after == b->contribution_after);
    }
}

static void test_a_change_with_its_drivers(void **state)
{
    assert_round_trip(*state);
}

static void test_a_first_one_without(void **state)
{
    struct fixture *fixture = *state;
    fixture->alert.kind = ALERT_FIRST;
    fixture->alert.has_before = false;
    fixture->alert.driver_count = 0;
    assert_round_trip(fixture);
    fixture->alert.has_drivers = false;
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
        cmocka_unit_test_setup_teardown(test_a_change_with_its_drivers, make, unmake),
        cmocka_unit_test_setup_teardown(test_a_first_one_without, make, unmake),
        cmocka_unit_test_setup_teardown(test_anything_else_is_refused, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
