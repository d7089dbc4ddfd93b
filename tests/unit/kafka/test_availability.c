/* kafka/availability.c on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kafka/availability.h"

enum { SECOND = 1000000, FETCH = 1, HEARTBEAT = 12, JOIN_GROUP = 11, API_VERSIONS = 18 };

static void nobody_answers_before_the_first_answer(void **state)
{
    (void)state;
    struct availability availability = {0};
    assert_false(availability_is_up(&availability, 1000));
    availability_note_request(&availability, API_VERSIONS, 1000);
    availability_note_answer(&availability, API_VERSIONS, 2000); /* it may deny us yet */
    assert_false(availability_is_up(&availability, 3000));
    availability_note_answer(&availability, FETCH, 3000);
    assert_true(availability_is_up(&availability, 3600LL * SECOND)); /* nothing was asked since */
}

static void a_request_without_an_answer_counts(void **state)
{
    (void)state;
    struct availability availability = {0};
    int64_t now = 100LL * SECOND;
    availability_note_answer(&availability, FETCH, now);
    availability_note_request(&availability, FETCH, now);
    availability_note_request(&availability, HEARTBEAT, now + 3LL * SECOND); /* the first one counts */
    assert_true(availability_is_up(&availability, now + ANSWER_LIMIT_US));
    assert_false(availability_is_up(&availability, now + ANSWER_LIMIT_US + 1));
    availability_note_answer(&availability, HEARTBEAT, now + 9LL * SECOND);
    assert_true(availability_is_up(&availability, now + 9LL * SECOND));
}

static void a_group_may_take_its_time(void **state)
{
    (void)state;
    struct availability availability = {0};
    int64_t now = 100LL * SECOND;
    availability_note_answer(&availability, FETCH, now);
    availability_note_request(&availability, JOIN_GROUP, now);
    assert_true(availability_is_up(&availability, now + 300LL * SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_answers_before_the_first_answer),
        cmocka_unit_test(a_request_without_an_answer_counts),
        cmocka_unit_test(a_group_may_take_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
