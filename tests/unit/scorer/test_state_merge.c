/* scorer/state/state_merge.h: what becomes of a record, event by event. */
#include "tests/support/test.h"

#include <stdlib.h>

#include "base/memory.h"
#include "scorer/state/state_merge.h"
#include "scorer/state/state_row.h"

enum { COLUMNS = 30, AGE = 0, TRAVEL = 1, INCOME = 15, TOTAL_YEARS = 23, COMPANY_YEARS = 26 };

struct fixture {
    struct schema *schema;
    struct state *state;
    struct state_merge *merge;
    struct cell cells[COLUMNS], kept[COLUMNS];
    struct event event;
    struct fault fault;
    int64_t offset;
};

static int make(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    struct error err;
    if (schema_load("schemas", &fixture->schema, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    fixture->state = state_new();
    fixture->merge = state_merge_new(fixture->schema, fixture->state);
    (void)state_open(fixture->state, 0);
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    state_merge_free(fixture->merge);
    state_free(fixture->state);
    schema_free(fixture->schema);
    free(fixture);
    return 0;
}

static void begin(struct fixture *fixture, enum event_type type, int64_t time, bool partial)
{
    fixture->event = (struct event){.event_id = SPAN_LITERAL("e"),
                                    .employee_id = SPAN_LITERAL("7"),
                                    .occurred_at_ms = time,
                                    .type = (int32_t)type,
                                    .cells = fixture->cells,
                                    .partial = partial};
    for (size_t c = 0; c < COLUMNS; c++)
        fixture->cells[c] = partial ? (struct cell){.code = CELL_UNLISTED} : cell_missing(&fixture->schema->columns[c]);
}

static enum state_change merge_keyed(struct fixture *fixture, bool keyed)
{
    const struct state_source source = {0, fixture->offset++, keyed};
    fixture->fault = (struct fault){0};
    return state_merge_event(fixture->merge, &source, &fixture->event, &fixture->fault);
}

static enum state_change send_whole(struct fixture *fixture, enum event_type type, int64_t time, double age)
{
    begin(fixture, type, time, false);
    fixture->cells[AGE] = cell_number(age);
    fixture->cells[INCOME] = cell_number(5000);
    return merge_keyed(fixture, true);
}

static enum state_change send_partial(struct fixture *fixture, int64_t time, size_t column, double number)
{
    begin(fixture, EVENT_TYPE_CHANGED, time, true);
    fixture->cells[column] = cell_number(number);
    return merge_keyed(fixture, true);
}

static bool find(struct fixture *fixture, struct state_record *record)
{
    return state_find(fixture->state, 0, SPAN_LITERAL("7"), record);
}

static const struct cell *kept(struct fixture *fixture)
{
    struct state_record record;
    assert_true(find(fixture, &record));
    assert_false(record.left);
    state_row_unpack(fixture->schema, record.row.data, fixture->kept);
    return fixture->kept;
}

static void assert_refused(struct fixture *fixture, enum state_change change, enum event_code code)
{
    assert_int_equal(change, STATE_CHANGE_REFUSED);
    assert_int_equal(fixture->fault.code, code);
}

static void a_patch_changes_what_it_lists(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_RECORD);
    assert_int_equal(send_partial(fixture, 11, AGE, 31), STATE_CHANGE_RECORD);
    assert_false(fixture->event.partial);
    assert_true(fixture->cells[AGE].number == 31 && fixture->cells[INCOME].number == 5000); /* what is scored */
    assert_int_equal(fixture->cells[TRAVEL].code, CELL_MISSING);
    assert_true(kept(fixture)[AGE].number == 31 && fixture->kept[INCOME].number == 5000);
    assert_int_equal(send_partial(fixture, 11, INCOME, NAN), STATE_CHANGE_RECORD); /* the same time is not older */
    assert_int_equal(kept(fixture)[INCOME].code, CELL_MISSING);
}

static void an_empty_list_is_the_record_again(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_RECORD);
    begin(fixture, EVENT_TYPE_CHANGED, 10, true);
    assert_int_equal(merge_keyed(fixture, true), STATE_CHANGE_RECORD);
    assert_true(fixture->cells[AGE].number == 30);
}

static enum state_change send_rescore(struct fixture *fixture, int64_t time)
{
    begin(fixture, EVENT_TYPE_CHANGED, time, true);
    fixture->event.event_id = SPAN_LITERAL("rescore/run/0-4711");
    return merge_keyed(fixture, true);
}

/* Scored as it is by then, at its own time; whoever is gone does not come back. */
static void a_rescore_is_of_the_record_there_is(void **state)
{
    struct fixture *fixture = *state;
    struct state_record record;
    assert_int_equal(send_rescore(fixture, 10), STATE_CHANGE_GONE);
    assert_false(find(fixture, &record));
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 20, 30), STATE_CHANGE_RECORD);
    assert_int_equal(send_rescore(fixture, 10), STATE_CHANGE_RECORD);
    assert_true(fixture->cells[AGE].number == 30);
    assert_int_equal(fixture->event.occurred_at_ms, 20);
    assert_true(find(fixture, &record) && record.occurred_at_ms == 20);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_TERMINATED, 20, 30), STATE_CHANGE_MARKER);
    assert_int_equal(send_rescore(fixture, 20), STATE_CHANGE_GONE);
    assert_true(find(fixture, &record) && record.left);
    /* only what lists nothing is one */
    assert_int_equal(send_whole(fixture, EVENT_TYPE_HIRED, 20, 30), STATE_CHANGE_RECORD);
    begin(fixture, EVENT_TYPE_CHANGED, 10, true);
    fixture->event.event_id = SPAN_LITERAL("rescore/run/0-4711");
    fixture->cells[AGE] = cell_number(31);
    assert_refused(fixture, merge_keyed(fixture, true), EVENT_STALE);
}

static void a_patch_for_nobody_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct state_record record;
    assert_refused(fixture, send_partial(fixture, 10, AGE, 31), EVENT_PARTIAL);
    assert_false(find(fixture, &record));
}

static void an_older_patch_is_stale(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_RECORD);
    assert_refused(fixture, send_partial(fixture, 9, AGE, 31), EVENT_STALE);
    assert_true(kept(fixture)[AGE].number == 30);
}

static void an_older_whole_record_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_RECORD);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 9, 29), STATE_CHANGE_NONE);
    assert_true(fixture->cells[AGE].number == 29); /* and is scored as it is */
    assert_true(kept(fixture)[AGE].number == 30);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 28), STATE_CHANGE_RECORD);
    assert_true(kept(fixture)[AGE].number == 28);
}

static void rules_count_after_merging(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_RECORD);
    assert_int_equal(send_partial(fixture, 11, TOTAL_YEARS, 5), STATE_CHANGE_RECORD);
    assert_refused(fixture, send_partial(fixture, 12, COMPANY_YEARS, 6), EVENT_RULE);
    assert_int_equal(kept(fixture)[COMPANY_YEARS].code, CELL_MISSING);
    assert_int_equal(send_partial(fixture, 12, COMPANY_YEARS, 5), STATE_CHANGE_RECORD);
}

static void what_is_required_counts_after_merging(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, EVENT_TYPE_SNAPSHOT, 10, false);
    fixture->cells[AGE] = cell_number(30);
    assert_int_equal(merge_keyed(fixture, true), STATE_CHANGE_RECORD);
    assert_refused(fixture, send_partial(fixture, 11, AGE, NAN), EVENT_MISSING_REQUIRED); /* min_present */
    assert_true(kept(fixture)[AGE].number == 30);
}

static void who_has_left_is_not_revived_by_what_is_older(void **state)
{
    struct fixture *fixture = *state;
    struct state_record record;
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_RECORD);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_TERMINATED, 20, 30), STATE_CHANGE_MARKER);
    assert_true(find(fixture, &record) && record.left && record.row.bytes == 0);
    assert_refused(fixture, send_partial(fixture, 19, AGE, 31), EVENT_STALE);
    assert_refused(fixture, send_partial(fixture, 21, AGE, 31), EVENT_PARTIAL);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 19, 30), STATE_CHANGE_NONE);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 20, 30), STATE_CHANGE_NONE);
    assert_true(find(fixture, &record) && record.left);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_HIRED, 20, 41), STATE_CHANGE_RECORD);
    assert_true(kept(fixture)[AGE].number == 41);
}

static void a_late_termination_is_an_outcome_alone(void **state)
{
    struct fixture *fixture = *state;
    struct state_record record;
    assert_int_equal(send_whole(fixture, EVENT_TYPE_TERMINATED, 20, 30), STATE_CHANGE_MARKER);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 21, 30), STATE_CHANGE_RECORD);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_TERMINATED, 20, 30), STATE_CHANGE_NONE);
    assert_true(find(fixture, &record) && !record.left);
}

/* The prediction stays with a record that is replaced, and goes with one that begins again. */
static void predictions_stay_until_a_record_begins_again(void **state)
{
    struct fixture *fixture = *state;
    struct state_record record;
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_RECORD);
    assert_true(state_merge_begins(fixture->merge));
    assert_true(find(fixture, &record) && !record.scored);
    record.scored = true;
    record.label = 1;
    record.margin = 0.9;
    state_set_score(fixture->state, 0, state_last_change(fixture->state), &record);
    assert_int_equal(send_partial(fixture, 11, AGE, 31), STATE_CHANGE_RECORD);
    assert_false(state_merge_begins(fixture->merge));
    assert_true(find(fixture, &record) && record.scored && record.margin == 0.9 && record.label == 1);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_HIRED, 12, 30), STATE_CHANGE_RECORD);
    assert_true(state_merge_begins(fixture->merge));
    assert_true(find(fixture, &record) && !record.scored);
}

static void without_a_key_there_is_no_part_in_it(void **state)
{
    struct fixture *fixture = *state;
    struct state_record record;
    begin(fixture, EVENT_TYPE_SNAPSHOT, 10, false);
    assert_int_equal(merge_keyed(fixture, false), STATE_CHANGE_NONE);
    assert_false(find(fixture, &record));
    begin(fixture, EVENT_TYPE_CHANGED, 10, true);
    assert_refused(fixture, merge_keyed(fixture, false), EVENT_NULL_KEY);
}

/* At least once: the state topic was written, the offset not. */
static void an_event_that_the_record_holds_is_a_repeat(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_RECORD);
    assert_int_equal(send_partial(fixture, 11, AGE, 31), STATE_CHANGE_RECORD);
    fixture->offset = 0;
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_REPEATED);
    assert_int_equal(send_partial(fixture, 11, AGE, 32), STATE_CHANGE_REPEATED);
    assert_true(kept(fixture)[AGE].number == 31);
    assert_int_equal(send_partial(fixture, 12, AGE, 33), STATE_CHANGE_RECORD);
}

/* Known employees go on. */
static void a_new_employee_without_room_waits(void **state)
{
    struct fixture *fixture = *state;
    struct state_record record;
    state_limit_bytes(fixture->state, 1);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_FULL);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_TERMINATED, 10, 30), STATE_CHANGE_FULL);
    assert_refused(fixture, send_partial(fixture, 10, AGE, 31), EVENT_PARTIAL);
    assert_false(find(fixture, &record));
    state_limit_bytes(fixture->state, 0);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 10, 30), STATE_CHANGE_RECORD);
    state_limit_bytes(fixture->state, 1);
    assert_int_equal(send_partial(fixture, 11, AGE, 31), STATE_CHANGE_RECORD);
    assert_int_equal(send_whole(fixture, EVENT_TYPE_SNAPSHOT, 12, 32), STATE_CHANGE_RECORD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_patch_changes_what_it_lists, make, unmake),
        cmocka_unit_test_setup_teardown(an_empty_list_is_the_record_again, make, unmake),
        cmocka_unit_test_setup_teardown(a_rescore_is_of_the_record_there_is, make, unmake),
        cmocka_unit_test_setup_teardown(a_patch_for_nobody_is_refused, make, unmake),
        cmocka_unit_test_setup_teardown(an_older_patch_is_stale, make, unmake),
        cmocka_unit_test_setup_teardown(an_older_whole_record_changes_nothing, make, unmake),
        cmocka_unit_test_setup_teardown(rules_count_after_merging, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_required_counts_after_merging, make, unmake),
        cmocka_unit_test_setup_teardown(who_has_left_is_not_revived_by_what_is_older, make, unmake),
        cmocka_unit_test_setup_teardown(a_late_termination_is_an_outcome_alone, make, unmake),
        cmocka_unit_test_setup_teardown(predictions_stay_until_a_record_begins_again, make, unmake),
        cmocka_unit_test_setup_teardown(without_a_key_there_is_no_part_in_it, make, unmake),
        cmocka_unit_test_setup_teardown(an_event_that_the_record_holds_is_a_repeat, make, unmake),
        cmocka_unit_test_setup_teardown(a_new_employee_without_room_waits, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
