/* Platt's calibration beside scikit-learn's, and where scores say nothing or everything. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "trainer/sigmoid.h"

static const uint8_t labels[] = {0, 0, 0, 1, 0, 0, 1, 0, 1, 1};

/* sklearn.calibration._sigmoid_calibration gives −0.61210940444, 0.62077157698: its a and b are our negated ones. */
static void test_as_scikit_learn(void **state)
{
    (void)state;
    static const double scores[] = {-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3};
    struct sigmoid sigmoid = sigmoid_fit(scores, labels, 10);
    assert_true(fabs(sigmoid.slope - 0.61210940444) < 1e-5);
    assert_true(fabs(sigmoid.intercept + 0.62077157698) < 1e-5);
}

static void test_scores_that_say_nothing(void **state)
{
    (void)state;
    static const double scores[] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    struct sigmoid sigmoid = sigmoid_fit(scores, labels, 10);
    double share = 1 / (1 + exp(-(7 * sigmoid.slope + sigmoid.intercept)));
    assert_true(fabs(share - (4 * 5.0 / 6 + 6 / 8.0) / 10) < 1e-6); /* the mean of the targets */
}

static void test_scores_that_separate(void **state)
{
    (void)state;
    static const double scores[] = {-1, -1, -1, 1, -1, -1, 1, -1, 1, 1};
    struct sigmoid sigmoid = sigmoid_fit(scores, labels, 10);
    /* finite all the same: each class's share is its target */
    assert_true(fabs(1 / (1 + exp(-(sigmoid.slope + sigmoid.intercept))) - 5.0 / 6) < 1e-9);
    assert_true(fabs(1 / (1 + exp(sigmoid.slope - sigmoid.intercept)) - 1.0 / 8) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_scikit_learn),
        cmocka_unit_test(test_scores_that_say_nothing),
        cmocka_unit_test(test_scores_that_separate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
