/* The arithmetic of positions, without a client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scorer/intake_position.h"

static struct position started(int64_t offset)
{
    struct position position = {0};
    position_start(&position, offset);
    return position;
}

static void handle(struct position *position, int64_t offset)
{
    assert_true(position_take(position, offset));
    position_handle(position, offset, 1);
}

/* Another partition came to its end: this one has not, and stays where it is. */
static void an_end_that_was_not_reached_moves_nothing(void **state)
{
    (void)state;
    struct position position = started(0);
    position_move_to_end(&position);
    assert_int_equal(position.next, 0);
    assert_false(position_moved(&position));
    handle(&position, 0);
    position_move_to_end(&position);
    assert_int_equal(position.next, 1);
}

static void an_end_behind_control_records_is_moved_to(void **state)
{
    (void)state;
    struct position position = started(3);
    handle(&position, 3);
    position_reach_end(&position, 6);
    position_move_to_end(&position);
    assert_int_equal(position.next, 6);
    assert_int_equal(position.taken, 6);
    handle(&position, 7);
    position_move_to_end(&position); /* the end of before lies behind */
    assert_int_equal(position.next, 8);
}

static void a_rewind_forgets_the_end(void **state)
{
    (void)state;
    struct position position = started(5);
    handle(&position, 5);
    position_reach_end(&position, 9);
    position_move_to_end(&position);
    assert_true(position_moved(&position));
    position_rewind(&position);
    position_move_to_end(&position);
    assert_int_equal(position.next, 5);
    handle(&position, 5);
    assert_int_equal(position.next, 6);
}

static void messages_below_those_handed_out_are_told(void **state)
{
    (void)state;
    struct position position = started(10);
    assert_false(position_take(&position, 9));
    assert_true(position_take(&position, 10));
    assert_false(position_take(&position, 10));
    assert_true(position_take(&position, 20)); /* compacted, or control records */
    position_handle(&position, 10, 1);
    assert_false(position_take(&position, 11));
    position_handle(&position, 20, 1);
    assert_int_equal(position.next, 21);
}

static void a_held_partition_stays_before_what_it_waits_for(void **state)
{
    (void)state;
    struct position position = started(0);
    for (int64_t offset = 0; offset < 4; offset++)
        assert_true(position_take(&position, offset));
    position.held = true;
    position.held_at = 2;
    for (int64_t offset = 0; offset < 4; offset++)
        position_handle(&position, offset, 1);
    position_reach_end(&position, 4);
    position_move_to_end(&position);
    assert_int_equal(position.next, 2);
    position.held = false;
    position_read_again(&position);
    position_move_to_end(&position); /* reached before: what lies before it was dropped */
    assert_int_equal(position.next, 2);
    handle(&position, 2);
    assert_int_equal(position.next, 3);
}

static void what_is_not_assigned_reaches_no_end(void **state)
{
    (void)state;
    struct position position = {0};
    position_reach_end(&position, 4);
    position_move_to_end(&position);
    assert_int_equal(position.next, 0);
    assert_false(position_moved(&position));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_that_was_not_reached_moves_nothing),
        cmocka_unit_test(an_end_behind_control_records_is_moved_to),
        cmocka_unit_test(a_rewind_forgets_the_end),
        cmocka_unit_test(messages_below_those_handed_out_are_told),
        cmocka_unit_test(a_held_partition_stays_before_what_it_waits_for),
        cmocka_unit_test(what_is_not_assigned_reaches_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
