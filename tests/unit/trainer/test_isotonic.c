/* Isotonic calibration beside scikit-learn's IsotonicRegression(out_of_bounds="clip"), and where scores say nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "trainer/isotonic.h"

static const double scores[] = {0.1, 0.12, 0.2, 0.2, 0.31, 0.33, 0.5, 0.62, 0.7, 0.9};
static const uint8_t labels[] = {0, 0, 1, 0, 0, 0, 1, 0, 1, 1};

static void test_as_scikit_learn(void **state)
{
    (void)state;
    static const double at[] = {0.05, 0.1, 0.15, 0.25, 0.4, 0.55, 0.66, 0.8, 0.95};
    static const double shares[] = {0, 0, 0.09375, 0.25, 0.35294117647058826, 0.5, 0.75, 1, 1};
    struct isotonic isotonic;
    isotonic_fit(scores, labels, 10, 0, &isotonic);
    for (size_t k = 0; k < sizeof at / sizeof *at; k++)
        assert_true(fabs(isotonic_share(&isotonic, at[k]) - shares[k]) < 1e-12);
    assert_true(fabs(isotonic_steepest(&isotonic) - 0.5 / (0.7 - 0.62)) < 1e-12);
    isotonic_clear(&isotonic);
}

/* 0.31 and 0.33 become one score, 0.62 and 0.7 stay apart. */
static void test_steps_of_scores(void **state)
{
    (void)state;
    struct isotonic isotonic;
    isotonic_fit(scores, labels, 10, 0.1, &isotonic);
    for (size_t k = 1; k < isotonic.count; k++)
        assert_true(isotonic.scores[k] - isotonic.scores[k - 1] > 0.0999);
    isotonic_clear(&isotonic);
}

static void test_scores_that_say_nothing(void **state)
{
    (void)state;
    static const double same[] = {0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7};
    struct isotonic isotonic;
    isotonic_fit(same, labels, 10, 0, &isotonic);
    assert_int_equal(isotonic.count, 1);
    assert_true(isotonic_share(&isotonic, 0.2) == 0.4 && isotonic_share(&isotonic, 0.9) == 0.4);
    assert_true(isotonic_steepest(&isotonic) == 0);
    isotonic_clear(&isotonic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_scikit_learn),
        cmocka_unit_test(test_steps_of_scores),
        cmocka_unit_test(test_scores_that_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
