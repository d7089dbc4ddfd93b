/* Measures against values worked out by hand (and by scikit-learn), ties included. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "trainer/metrics.h"

static void test_known_values(void **state)
{
    (void)state;
    const uint8_t labels[] = {0, 0, 1, 1}, calls[] = {0, 0, 0, 1};
    const double probabilities[] = {0.1, 0.4, 0.35, 0.8};
    struct metrics metrics = metrics_measure(labels, calls, probabilities, 4);
    assert_true(metrics.accuracy == 0.75);
    assert_true(metrics.precision == 1);
    assert_true(metrics.recall == 0.5);
    assert_true(fabs(metrics.f1 - 2.0 / 3) < 1e-15);
    assert_true(metrics.roc_auc == 0.75);
    assert_true(fabs(metrics.pr_auc - 5.0 / 6) < 1e-15);
    assert_true(fabs(metrics.log_loss + (log(.9) + log(.6) + log(.35) + log(.8)) / 4) < 1e-15);
    assert_true(fabs(metrics.brier - (.01 + .16 + .4225 + .04) / 4) < 1e-15);
}

static void test_ties(void **state)
{
    (void)state;
    const uint8_t labels[] = {0, 1, 0, 1, 0}, calls[] = {0, 0, 0, 0, 0};
    const double same[] = {.3, .3, .3, .3, .3}, sure[] = {0, 1, 0, 0, 0};
    struct metrics metrics = metrics_measure(labels, calls, same, 5);
    assert_true(metrics.roc_auc == 0.5);
    assert_true(fabs(metrics.pr_auc - 0.4) < 1e-15);
    assert_true(metrics.precision == 0 && metrics.recall == 0 && metrics.f1 == 0);
    metrics = metrics_measure(labels, calls, sure, 5);
    assert_true(isfinite(metrics.log_loss)); /* sure and wrong costs much, not everything */
    assert_true(metrics.roc_auc == 0.75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_ties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
