/* scorer/audit/audit_state.h: each fault of current records, found once and at its place; and what is none. */
#include "tests/support/test.h"

#include <stdlib.h>

#include "base/memory.h"
#include "events/employee_state.h"
#include "scorer/audit/audit_state.h"
#include "scorer/state/state_position.h"

static const struct audit_names names = {"in", {"out", "dead", "left", "alerts"}};
static const struct audit_rules rules = {.exactly_once = true};
static const struct audit_state_of of = {"group", "in", "state", true, NULL};

struct fixture {
    struct schema *schema;
    struct cell *cells;
    struct audit_ledger *ledger;
    struct audit_state *state;
    int64_t offset; /* of the next record */
};

static int make(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    struct error err;
    assert_int_equal(schema_load("schemas", &fixture->schema, &err), STATUS_OK);
    fixture->cells = mem_zeroed(fixture->schema->column_count, sizeof *fixture->cells);
    for (size_t c = 0; c < fixture->schema->column_count; c++)
        fixture->cells[c] = cell_missing(&fixture->schema->columns[c]);
    fixture->ledger = audit_ledger_new(&rules, &names);
    fixture->state = audit_state_new(fixture->schema, &of, fixture->ledger);
    audit_state_add_part(fixture->state, 0, 100, 10);
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    audit_state_free(fixture->state);
    audit_ledger_free(fixture->ledger);
    free(fixture->cells);
    schema_free(fixture->schema);
    free(fixture);
    return 0;
}

/* A current record, or a marker, that the event at this source offset has left. */
static void record(struct fixture *fixture, int64_t source_offset, double margin, bool left)
{
    struct buffer value = {0};
    const struct employee_state found = {.employee_id = SPAN_LITERAL("7"),
                                         .occurred_at_ms = 1000 + source_offset,
                                         .source_topic = SPAN_LITERAL("in"),
                                         .source_offset = source_offset,
                                         .scored = !left,
                                         .probability = 0.5,
                                         .margin = margin,
                                         .threshold = 0.5,
                                         .model_name = SPAN_LITERAL("m"),
                                         .model_version = SPAN_LITERAL("1"),
                                         .cells = left ? NULL : fixture->cells};
    employee_state_encode(fixture->schema, &found, &value);
    audit_state_record(fixture->state, 0, fixture->offset++, SPAN_LITERAL("7"), buffer_span(&value));
    buffer_free(&value);
}

static void position(struct fixture *fixture, int64_t offset, int64_t records)
{
    struct buffer value = {0};
    const struct state_position found = {"group", "in", 0, 1, offset, records, 0};
    state_position_write(&found, &value);
    audit_state_record(fixture->state, 0, fixture->offset++, STATE_POSITION_KEY, buffer_span(&value));
    buffer_free(&value);
}

static void output(struct fixture *fixture, enum audit_end end, int64_t source_offset, double margin)
{
    const struct audit_record found = {.end = end,
                                       .source = AUDIT_SOURCE_KNOWN,
                                       .source_offset = source_offset,
                                       .employee = audit_hash(0, SPAN_LITERAL("7")),
                                       .occurred_at_ms = 1000 + source_offset,
                                       .said = audit_said(0.5, margin, 0.5, SPAN_LITERAL("1"))};
    audit_state_output(fixture->state, &found);
}

/* Expects this one fault; offset -1: none. */
static void expect(struct fixture *fixture, enum audit_fault_kind kind, int64_t offset)
{
    const struct audit_fault *places;
    audit_state_close(fixture->state, true);
    for (enum audit_fault_kind k = 0; k < AUDIT_FAULT_COUNT; k++)
        assert_int_equal(audit_ledger_faults(fixture->ledger, k), k == kind && offset >= 0);
    if (offset >= 0 && audit_ledger_places(fixture->ledger, &places)) {
        assert_string_equal(places[0].topic, "state");
        assert_int_equal(places[0].offset, offset);
    }
}

static void what_the_output_says_is_proven(void **state)
{
    struct fixture *fixture = *state;
    const struct audit_state_part *parts;
    record(fixture, 2, 1.5, false);
    record(fixture, 5, 2.5, false);
    position(fixture, 10, 1);
    audit_state_read(fixture->state);
    output(fixture, AUDIT_PREDICTION, 2, 1.5);
    output(fixture, AUDIT_PREDICTION, 5, 2.5);
    expect(fixture, AUDIT_FAULT_STATE_POSITION, -1);
    assert_int_equal(audit_state_parts(fixture->state, &parts), 1);
    assert_true(parts[0].records == 1 && parts[0].proven == 1 && parts[0].position == 10);
}

/* At least once, a process that stood still writes what it had, behind what another has written since. */
static void records_that_come_late_are_passed_over(void **state)
{
    struct fixture *fixture = *state;
    struct audit_state_of repeats = of;
    const struct audit_state_part *parts;
    repeats.exactly_once = false;
    audit_state_free(fixture->state);
    fixture->state = audit_state_new(fixture->schema, &repeats, fixture->ledger);
    audit_state_add_part(fixture->state, 0, 100, 10);
    record(fixture, 2, 1.5, false);
    record(fixture, 5, 2.5, false);
    position(fixture, 10, 1);
    record(fixture, 2, 1.5, false);
    position(fixture, 4, 1);
    audit_state_read(fixture->state);
    output(fixture, AUDIT_PREDICTION, 2, 1.5);
    output(fixture, AUDIT_PREDICTION, 5, 2.5);
    audit_state_source(fixture->state, 0, 5, SPAN_LITERAL("7"));
    expect(fixture, AUDIT_FAULT_STATE_STALE, -1);
    assert_int_equal(audit_state_parts(fixture->state, &parts), 1);
    assert_int_equal(parts[0].position, 10);
    assert_int_equal(parts[0].proven, 1);
}

static void another_prediction_is_found(void **state)
{
    struct fixture *fixture = *state;
    record(fixture, 5, 2.5, false);
    position(fixture, 10, 1);
    audit_state_read(fixture->state);
    output(fixture, AUDIT_PREDICTION, 5, 2.25);
    expect(fixture, AUDIT_FAULT_STATE_PREDICTION, 0);
}

static void a_record_past_its_position_is_found(void **state)
{
    struct fixture *fixture = *state;
    position(fixture, 10, 0);
    record(fixture, 10, 2.5, false);
    audit_state_read(fixture->state);
    expect(fixture, AUDIT_FAULT_STATE_POSITION, 1);
}

static void records_that_are_gone_are_found(void **state)
{
    struct fixture *fixture = *state;
    position(fixture, 10, 1);
    audit_state_read(fixture->state);
    expect(fixture, AUDIT_FAULT_STATE_POSITION, 100);
}

static void who_was_erased_has_no_record(void **state)
{
    struct fixture *fixture = *state;
    record(fixture, 5, 2.5, false);
    position(fixture, 10, 1);
    audit_state_read(fixture->state);
    output(fixture, AUDIT_PREDICTION, 5, 2.5);
    output(fixture, AUDIT_ERASURE, 6, 0);
    expect(fixture, AUDIT_FAULT_STATE_STALE, 0);
}

/* Who has left has a marker; an event without a key has no part in it. */
static void later_outputs_are_looked_up_by_key(void **state)
{
    struct fixture *fixture = *state;
    record(fixture, 5, 2.5, false);
    position(fixture, 10, 1);
    audit_state_read(fixture->state);
    output(fixture, AUDIT_PREDICTION, 5, 2.5);
    output(fixture, AUDIT_PREDICTION, 6, 2.5);
    output(fixture, AUDIT_OUTCOME, 7, 0);
    audit_state_source(fixture->state, 0, 6, SPAN_NULL);
    audit_state_source(fixture->state, 0, 7, SPAN_LITERAL("7"));
    expect(fixture, AUDIT_FAULT_STATE_STALE, 0);
}

static void what_the_reading_cuts_is_completed(void **state)
{
    struct fixture *fixture = *state;
    record(fixture, 5, 2.5, false);
    position(fixture, 10, 1);
    record(fixture, 11, 3.5, false);
    audit_state_extend(fixture->state);
    position(fixture, 12, 1);
    record(fixture, 13, 4.5, false); /* of the next transaction */
    audit_state_read(fixture->state);
    output(fixture, AUDIT_PREDICTION, 5, 2.5);
    expect(fixture, AUDIT_FAULT_STATE_POSITION, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_output_says_is_proven, make, unmake),
        cmocka_unit_test_setup_teardown(records_that_come_late_are_passed_over, make, unmake),
        cmocka_unit_test_setup_teardown(another_prediction_is_found, make, unmake),
        cmocka_unit_test_setup_teardown(a_record_past_its_position_is_found, make, unmake),
        cmocka_unit_test_setup_teardown(records_that_are_gone_are_found, make, unmake),
        cmocka_unit_test_setup_teardown(who_was_erased_has_no_record, make, unmake),
        cmocka_unit_test_setup_teardown(later_outputs_are_looked_up_by_key, make, unmake),
        cmocka_unit_test_setup_teardown(what_the_reading_cuts_is_completed, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
