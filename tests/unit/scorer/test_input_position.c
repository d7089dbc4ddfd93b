/* The arithmetic of positions, without a client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "scorer/stream/input_position.h"

static struct input_position started(int64_t offset)
{
    struct input_position position = {0};
    input_position_start(&position, offset, NULL, 0);
    return position;
}

static void handle(struct input_position *position, int64_t offset)
{
    assert_int_equal(input_position_decide(position, offset, 1), INPUT_POSITION_TAKE);
    input_position_handle(position, offset, 1);
}

/* Another partition came to its end: this one has not, and stays where it is. */
static void an_end_that_was_not_reached_moves_nothing(void **state)
{
    (void)state;
    struct input_position position = started(0);
    input_position_move_to_end(&position);
    assert_int_equal(position.next, 0);
    assert_false(input_position_moved(&position));
    handle(&position, 0);
    input_position_move_to_end(&position);
    assert_int_equal(position.next, 1);
}

static void an_end_behind_control_records_is_moved_to(void **state)
{
    (void)state;
    struct input_position position = started(3);
    handle(&position, 3);
    input_position_reach_end(&position, 6);
    input_position_move_to_end(&position);
    assert_int_equal(position.next, 6);
    assert_int_equal(position.taken, 6);
    handle(&position, 7);
    input_position_move_to_end(&position); /* the end of before lies behind */
    assert_int_equal(position.next, 8);
}

static void a_rewind_forgets_the_end(void **state)
{
    (void)state;
    struct input_position position = started(5);
    handle(&position, 5);
    input_position_reach_end(&position, 9);
    input_position_move_to_end(&position);
    assert_true(input_position_moved(&position));
    input_position_rewind(&position);
    input_position_move_to_end(&position);
    assert_int_equal(position.next, 5);
    handle(&position, 5);
    assert_int_equal(position.next, 6);
}

static void messages_below_those_handed_out_are_reported(void **state)
{
    (void)state;
    struct input_position position = started(10);
    assert_int_equal(input_position_decide(&position, 9, 1), INPUT_POSITION_CHANGED);
    assert_int_equal(input_position_decide(&position, 10, 1), INPUT_POSITION_TAKE);
    assert_int_equal(input_position_decide(&position, 10, 1), INPUT_POSITION_CHANGED);
    assert_int_equal(input_position_decide(&position, 20, 1), INPUT_POSITION_TAKE); /* compacted, or control records */
    input_position_handle(&position, 10, 1);
    assert_int_equal(input_position_decide(&position, 11, 1), INPUT_POSITION_CHANGED);
    input_position_handle(&position, 20, 1);
    assert_int_equal(position.next, 21);
}

static void a_waiting_partition_stays_before_what_it_waits_for(void **state)
{
    (void)state;
    struct input_position position = started(0);
    for (int64_t offset = 0; offset < 4; offset++)
        assert_int_equal(input_position_decide(&position, offset, 1), INPUT_POSITION_TAKE);
    position.waiting = true;
    position.waiting_at = 2;
    for (int64_t offset = 0; offset < 4; offset++)
        input_position_handle(&position, offset, 1);
    input_position_reach_end(&position, 4);
    input_position_move_to_end(&position);
    assert_int_equal(position.next, 2);
    position.waiting = false;
    input_position_read_again(&position);
    input_position_move_to_end(&position); /* reached before: what lies before it was dropped */
    assert_int_equal(position.next, 2);
    handle(&position, 2);
    assert_int_equal(position.next, 3);
}

static void what_is_not_assigned_reaches_no_end(void **state)
{
    (void)state;
    struct input_position position = {0};
    input_position_reach_end(&position, 4);
    input_position_move_to_end(&position);
    assert_int_equal(position.next, 0);
    assert_false(input_position_moved(&position));
}

/* Handled up to `next`, the last record being 7 of time 70; started again. */
static struct input_position started_again(int64_t next, char metadata[OFFSET_METADATA_BYTES])
{
    struct input_position before = started(7), position = {0};
    assert_int_equal(input_position_decide(&before, 7, 70), INPUT_POSITION_TAKE);
    input_position_handle(&before, 7, 70);
    input_position_reach_end(&before, next);
    input_position_move_to_end(&before);
    offset_metadata_write(before.next, &before.last, false, metadata);
    input_position_start(&position, next, metadata, strlen(metadata));
    return position;
}

static void the_last_record_is_recognised_and_not_handed_out_again(void **state)
{
    char metadata[OFFSET_METADATA_BYTES];
    (void)state;
    struct input_position position = started_again(9, metadata);
    assert_string_equal(metadata, "next=9 last=7 ms=70");
    assert_int_equal(input_position_first_read(&position), 7);
    assert_int_equal(input_position_decide(&position, 7, 70), INPUT_POSITION_SKIP);
    handle(&position, 9);
    assert_int_equal(position.next, 10);
}

static void another_record_in_its_place_is_another_log(void **state)
{
    char metadata[OFFSET_METADATA_BYTES];
    (void)state;
    struct input_position position = started_again(9, metadata);
    assert_int_equal(input_position_decide(&position, 7, 71), INPUT_POSITION_CHANGED);
    position = started_again(9, metadata);
    assert_int_equal(input_position_decide(&position, 8, 70), INPUT_POSITION_CHANGED);
}

static void a_last_record_that_is_gone_proves_nothing(void **state)
{
    char metadata[OFFSET_METADATA_BYTES];
    (void)state;
    struct input_position position = started_again(9, metadata);
    handle(&position, 9);
    position = started_again(9, metadata);
    input_position_give_up_check(&position); /* the log starts after it */
    assert_int_equal(input_position_first_read(&position), 9);
    handle(&position, 9);
}

static void the_last_record_stays_where_nothing_was_handled(void **state)
{
    char metadata[OFFSET_METADATA_BYTES], again[OFFSET_METADATA_BYTES];
    (void)state;
    struct input_position position = started_again(8, metadata);
    assert_int_equal(input_position_decide(&position, 7, 70), INPUT_POSITION_SKIP);
    input_position_reach_end(&position, 11);
    input_position_move_to_end(&position);
    offset_metadata_write(position.next, &position.last, false, again);
    assert_string_equal(again, "next=11 last=7 ms=70");
}

/* Another partition's record to be checked is gone, or a transaction was rolled back: all are read again. */
static void a_check_that_is_not_done_outlives_reading_again(void **state)
{
    char metadata[OFFSET_METADATA_BYTES];
    (void)state;
    struct input_position position = started_again(9, metadata);
    input_position_read_again(&position);
    assert_int_equal(input_position_first_read(&position), 7);
    input_position_rewind(&position);
    assert_int_equal(input_position_first_read(&position), 7);
    assert_int_equal(input_position_decide(&position, 7, 71), INPUT_POSITION_CHANGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_that_was_not_reached_moves_nothing),
        cmocka_unit_test(an_end_behind_control_records_is_moved_to),
        cmocka_unit_test(a_rewind_forgets_the_end),
        cmocka_unit_test(messages_below_those_handed_out_are_reported),
        cmocka_unit_test(a_waiting_partition_stays_before_what_it_waits_for),
        cmocka_unit_test(what_is_not_assigned_reaches_no_end),
        cmocka_unit_test(the_last_record_is_recognised_and_not_handed_out_again),
        cmocka_unit_test(another_record_in_its_place_is_another_log),
        cmocka_unit_test(a_last_record_that_is_gone_proves_nothing),
        cmocka_unit_test(a_check_that_is_not_done_outlives_reading_again),
        cmocka_unit_test(the_last_record_stays_where_nothing_was_handled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
