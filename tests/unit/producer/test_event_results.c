/* producer/event_results.h: sent and ended in either order, others' events, what is missing. */
#include "producer/event_results.h"
#include "tests/unit/producer/unit.h"

static void test_either_order(void **state)
{
    (void)state;
    struct event_results results = {0};
    event_results_init(&results, 2);
    event_results_set_base(&results, 0, 1000);
    event_results_sent(&results, 0, 1000);
    event_results_found(&results, 0, 1000, EVENT_RESULT_SCORED);
    event_results_found(&results, 1, 5, EVENT_RESULT_DEAD_LETTER + EVENT_RULE);
    assert_int_equal(results.ended, 1);
    event_results_sent(&results, 1, 5);
    event_results_sent(&results, 1, 5); /* a report that comes twice */
    assert_int_equal(results.sent, 2);
    assert_int_equal(results.ended, 2);
    assert_int_equal(results.by_result[EVENT_RESULT_SCORED], 1);
    assert_int_equal(results.by_result[EVENT_RESULT_DEAD_LETTER + EVENT_RULE], 1);
    event_results_free(&results);
}

static void test_others_and_repeats_do_not_count(void **state)
{
    (void)state;
    struct event_results results = {0};
    event_results_init(&results, 1);
    event_results_set_base(&results, 0, 10);
    event_results_sent(&results, 0, 12);
    event_results_found(&results, 0, 9, EVENT_RESULT_SCORED);   /* before we began */
    event_results_found(&results, 0, 11, EVENT_RESULT_SCORED);  /* somebody else's */
    event_results_found(&results, 7, 12, EVENT_RESULT_SCORED);  /* no partition of ours */
    event_results_found(&results, -1, 12, EVENT_RESULT_SCORED); /* nor this */
    assert_int_equal(results.ended, 0);
    event_results_found(&results, 0, 12, EVENT_RESULT_OUTCOME);
    event_results_found(&results, 0, 12, EVENT_RESULT_SCORED); /* at least once: the first counts */
    assert_int_equal(results.ended, 1);
    assert_int_equal(results.by_result[EVENT_RESULT_OUTCOME], 1);
    assert_int_equal(results.by_result[EVENT_RESULT_SCORED], 0);
    event_results_free(&results);
}

static void test_an_offset_far_beyond_takes_no_memory(void **state)
{
    (void)state;
    struct event_results results = {0};
    event_results_init(&results, 1);
    event_results_set_base(&results, 0, 10);
    event_results_found(&results, 0, INT64_MAX, EVENT_RESULT_SCORED);
    assert_int_equal(results.partitions[0].count, 0);
    event_results_sent(&results, 0, 10);
    event_results_found(&results, 0, INT64_C(9000000000000000000), EVENT_RESULT_SCORED);
    assert_int_equal(results.partitions[0].count, 1);
    event_results_free(&results);
}

static void test_what_is_missing_is_named(void **state)
{
    (void)state;
    struct event_results results = {0};
    int32_t partition = 0;
    int64_t offset = 0;
    event_results_init(&results, 3);
    event_results_set_base(&results, 1, 100);
    event_results_sent(&results, 0, 0);
    event_results_found(&results, 0, 0, EVENT_RESULT_SCORED);
    event_results_sent(&results, 1, 105);
    event_results_sent(&results, 1, 107);
    event_results_sent(&results, 2, 3);
    const struct {
        int32_t partition;
        int64_t offset;
    } wanted[] = {{1, 105}, {1, 107}, {2, 3}};
    for (size_t i = 0; i < 3; i++, offset++) {
        assert_true(event_results_missing(&results, &partition, &offset));
        assert_int_equal(partition, wanted[i].partition);
        assert_int_equal(offset, wanted[i].offset);
    }
    assert_false(event_results_missing(&results, &partition, &offset));
    event_results_free(&results);
}

/* What the scorer ignores leaves no record; its group's offsets pass it. */
static void test_what_was_passed_has_an_end(void **state)
{
    (void)state;
    struct event_results results = {0};
    event_results_init(&results, 2);
    event_results_set_base(&results, 0, 10);
    event_results_sent(&results, 0, 10);
    event_results_sent(&results, 0, 11);
    event_results_sent(&results, 0, 13);
    event_results_found(&results, 0, 10, EVENT_RESULT_SCORED);
    event_results_found(&results, 0, 12, EVENT_RESULT_SCORED); /* somebody else's */
    event_results_passed(&results, 0, 13, EVENT_RESULT_IGNORED);
    assert_int_equal(results.by_result[EVENT_RESULT_SCORED], 1);
    assert_int_equal(results.by_result[EVENT_RESULT_IGNORED], 1);
    assert_int_equal(results.ended, 2);
    event_results_passed(&results, 0, -1001, EVENT_RESULT_IGNORED); /* no offset is known */
    event_results_passed(&results, 7, 13, EVENT_RESULT_IGNORED);
    assert_int_equal(results.ended, 2);
    event_results_passed(&results, 0, INT64_MAX, EVENT_RESULT_IGNORED);
    assert_int_equal(results.by_result[EVENT_RESULT_IGNORED], 2);
    event_results_free(&results);
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
