/* kafka/answers.c on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kafka/answers.h"

enum { SECOND = 1000000, FETCH = 1, HEARTBEAT = 12, JOIN_GROUP = 11, API_VERSIONS = 18 };

static void nobody_answers_before_the_first_answer(void **state)
{
    (void)state;
    struct answers answers = {0};
    assert_false(answers_fresh(&answers, 1000));
    answers_note_request(&answers, API_VERSIONS, 1000);
    answers_note_answer(&answers, API_VERSIONS, 2000); /* it may deny us yet */
    assert_false(answers_fresh(&answers, 3000));
    answers_note_answer(&answers, FETCH, 3000);
    assert_true(answers_fresh(&answers, 3600LL * SECOND)); /* nothing was asked since */
}

static void a_request_without_an_answer_counts(void **state)
{
    (void)state;
    struct answers answers = {0};
    int64_t now = 100LL * SECOND;
    answers_note_answer(&answers, FETCH, now);
    answers_note_request(&answers, FETCH, now);
    answers_note_request(&answers, HEARTBEAT, now + 3LL * SECOND); /* the first one counts */
    assert_true(answers_fresh(&answers, now + ANSWER_LIMIT_US));
    assert_false(answers_fresh(&answers, now + ANSWER_LIMIT_US + 1));
    answers_note_answer(&answers, HEARTBEAT, now + 9LL * SECOND);
    assert_true(answers_fresh(&answers, now + 9LL * SECOND));
}

static void a_group_may_take_its_time(void **state)
{
    (void)state;
    struct answers answers = {0};
    int64_t now = 100LL * SECOND;
    answers_note_answer(&answers, FETCH, now);
    answers_note_request(&answers, JOIN_GROUP, now);
    assert_true(answers_fresh(&answers, now + 300LL * SECOND));
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
