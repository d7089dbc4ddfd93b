/* producer/event_results.h: sent and ended in either order, others' events, what is missing. */
#include "producer/event_results.h"
#include "tests/unit/producer/unit.h"

static void test_either_order(void **state)
{
    (void)state;
    struct ends ends = {0};
    ends_init(&ends, 2);
    ends_set_base(&ends, 0, 1000);
    ends_sent(&ends, 0, 1000);
    ends_found(&ends, 0, 1000, END_SCORED);
    ends_found(&ends, 1, 5, END_DEAD_LETTER + EVENT_RULE);
    assert_int_equal(ends.ended, 1);
    ends_sent(&ends, 1, 5);
    ends_sent(&ends, 1, 5); /* a report that comes twice */
    assert_int_equal(ends.sent, 2);
    assert_int_equal(ends.ended, 2);
    assert_int_equal(ends.by_kind[END_SCORED], 1);
    assert_int_equal(ends.by_kind[END_DEAD_LETTER + EVENT_RULE], 1);
    ends_free(&ends);
}

static void test_others_and_repeats_do_not_count(void **state)
{
    (void)state;
    struct ends ends = {0};
    ends_init(&ends, 1);
    ends_set_base(&ends, 0, 10);
    ends_sent(&ends, 0, 12);
    ends_found(&ends, 0, 9, END_SCORED);   /* before we began */
    ends_found(&ends, 0, 11, END_SCORED);  /* somebody else's */
    ends_found(&ends, 7, 12, END_SCORED);  /* no partition of ours */
    ends_found(&ends, -1, 12, END_SCORED); /* nor this */
    assert_int_equal(ends.ended, 0);
    ends_found(&ends, 0, 12, END_OUTCOME);
    ends_found(&ends, 0, 12, END_SCORED); /* at least once: the first counts */
    assert_int_equal(ends.ended, 1);
    assert_int_equal(ends.by_kind[END_OUTCOME], 1);
    assert_int_equal(ends.by_kind[END_SCORED], 0);
    ends_free(&ends);
}

static void test_an_offset_far_beyond_takes_no_memory(void **state)
{
    (void)state;
    struct ends ends = {0};
    ends_init(&ends, 1);
    ends_set_base(&ends, 0, 10);
    ends_found(&ends, 0, INT64_MAX, END_SCORED);
    assert_int_equal(ends.partitions[0].count, 0);
    ends_sent(&ends, 0, 10);
    ends_found(&ends, 0, INT64_C(9000000000000000000), END_SCORED);
    assert_int_equal(ends.partitions[0].count, 1);
    ends_free(&ends);
}

static void test_what_is_missing_is_named(void **state)
{
    (void)state;
    struct ends ends = {0};
    int32_t partition = 0;
    int64_t offset = 0;
    ends_init(&ends, 3);
    ends_set_base(&ends, 1, 100);
    ends_sent(&ends, 0, 0);
    ends_found(&ends, 0, 0, END_SCORED);
    ends_sent(&ends, 1, 105);
    ends_sent(&ends, 1, 107);
    ends_sent(&ends, 2, 3);
    const struct {
        int32_t partition;
        int64_t offset;
    } wanted[] = {{1, 105}, {1, 107}, {2, 3}};
    for (size_t i = 0; i < 3; i++, offset++) {
        assert_true(ends_missing(&ends, &partition, &offset));
        assert_int_equal(partition, wanted[i].partition);
        assert_int_equal(offset, wanted[i].offset);
    }
    assert_false(ends_missing(&ends, &partition, &offset));
    ends_free(&ends);
}

/* What the scorer ignores leaves no record; its group's offsets pass it. */
static void test_what_was_passed_has_an_end(void **state)
{
    (void)state;
    struct ends ends = {0};
    ends_init(&ends, 2);
    ends_set_base(&ends, 0, 10);
    ends_sent(&ends, 0, 10);
    ends_sent(&ends, 0, 11);
    ends_sent(&ends, 0, 13);
    ends_found(&ends, 0, 10, END_SCORED);
    ends_found(&ends, 0, 12, END_SCORED); /* somebody else's */
    ends_passed(&ends, 0, 13, END_IGNORED);
    assert_int_equal(ends.by_kind[END_SCORED], 1);
    assert_int_equal(ends.by_kind[END_IGNORED], 1);
    assert_int_equal(ends.ended, 2);
    ends_passed(&ends, 0, -1001, END_IGNORED); /* no offset is known */
    ends_passed(&ends, 7, 13, END_IGNORED);
    assert_int_equal(ends.ended, 2);
    ends_passed(&ends, 0, INT64_MAX, END_IGNORED);
    assert_int_equal(ends.by_kind[END_IGNORED], 2);
    ends_free(&ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_either_order),
        cmocka_unit_test(test_others_and_repeats_do_not_count),
        cmocka_unit_test(test_an_offset_far_beyond_takes_no_memory),
        cmocka_unit_test(test_what_is_missing_is_named),
        cmocka_unit_test(test_what_was_passed_has_an_end),
    };
    return cmocka_run_group_tests_name("producer/ends", tests, NULL, NULL);
}
