/* producer/erasures.h: whose request comes after which event. */
#include <stdio.h>

#include "producer/erasures.h"
#include "tests/unit/producer/unit.h"

static void test_order_by_place_then_by_time(void **state)
{
    (void)state;
    struct erasures erasures = {0};
    assert_false(erasures_follow(&erasures, span_of("e1"), (struct erasure_place){0, 5, 100}));
    erasures_add(&erasures, span_of("e1"), (struct erasure_place){0, 10, 1000});
    assert_true(erasures_follow(&erasures, span_of("e1"), (struct erasure_place){0, 9, 5000}));  /* the place decides */
    assert_false(erasures_follow(&erasures, span_of("e1"), (struct erasure_place){0, 11, 500})); /* hired again */
    assert_true(erasures_follow(&erasures, span_of("e1"), (struct erasure_place){3, 99, 999}));  /* the time decides */
    assert_false(erasures_follow(&erasures, span_of("e1"), (struct erasure_place){3, 1, 1001}));
    assert_true(erasures_follow(&erasures, span_of("e1"), (struct erasure_place){-1, 0, 999}));
    assert_false(erasures_follow(&erasures, span_of("e2"), (struct erasure_place){0, 1, 1}));
    erasures_add(&erasures, span_of("e1"), (struct erasure_place){0, 20, 2000}); /* a second request */
    assert_true(erasures_follow(&erasures, span_of("e1"), (struct erasure_place){0, 11, 500}));
    erasures_add(&erasures, span_of("e1"), (struct erasure_place){2, 7, 10});
    assert_true(erasures_follow(&erasures, span_of("e1"), (struct erasure_place){2, 6, 9999}));
    erasures_free(&erasures);
}

static void test_of_nobody_any_request_counts(void **state)
{
    (void)state;
    struct erasures erasures = {0};
    assert_false(erasures_follow(&erasures, SPAN_NULL, (struct erasure_place){0, 1, 1}));
    erasures_add(&erasures, span_of("e1"), (struct erasure_place){0, 10, 1000});
    assert_true(erasures_follow(&erasures, SPAN_NULL, (struct erasure_place){0, 9, 5000}));
    assert_false(erasures_follow(&erasures, SPAN_NULL, (struct erasure_place){0, 11, 5000}));
    assert_true(erasures_follow(&erasures, SPAN_NULL, (struct erasure_place){1, 50, 900}));
    erasures_free(&erasures);
}

static void test_many(void **state)
{
    (void)state;
    struct erasures erasures = {0};
    char id[16];
    for (int n = 0; n < 10000; n++)
        erasures_add(&erasures, (struct span){id, (size_t)snprintf(id, sizeof id, "e%d", n)},
                     (struct erasure_place){n % 4, n, n});
    for (int n = 0; n < 10000; n++) {
        struct span name = {id, (size_t)snprintf(id, sizeof id, "e%d", n)};
        assert_true(erasures_follow(&erasures, name, (struct erasure_place){n % 4, n - 1, 0}));
        assert_false(erasures_follow(&erasures, name, (struct erasure_place){n % 4, n, 0}));
    }
    erasures_free(&erasures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_by_place_then_by_time),
        cmocka_unit_test(test_of_nobody_any_request_counts),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("producer/erasures", tests, NULL, NULL);
}
