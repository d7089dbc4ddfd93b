/* The solver: closed cases, the optimum's own conditions, flat directions, data without an optimum. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "trainer/dense_matrix.h"
#include "trainer/logistic.h"

static struct error err;

static const double ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static struct logistic_fit fitted(const double *features, const uint8_t *labels, const double *weights, size_t rows,
                                  size_t count, double c)
{
    const struct logistic_problem problem = {features, labels, weights, rows, count, c, 200};
    struct logistic_fit fit;
    assert_int_equal(logistic_fit(&problem, &fit, &err), STATUS_OK);
    return fit;
}

/* One yes-or-no feature: the optimum is each group's own log-odds. */
static void test_saturated_model_is_the_groups_log_odds(void **state)
{
    (void)state;
    const double features[] = {0, 0, 0, 0, 1, 1, 1, 1, 1};
    const uint8_t labels[] = {1, 0, 0, 0, 1, 1, 1, 0, 0};
    struct logistic_fit fit = fitted(features, labels, ones, 9, 1, INFINITY);
    assert_true(fit.converged);
    assert_true(fabs(fit.intercept - log(1.0 / 3)) < 1e-13);
    assert_true(fabs(fit.intercept + fit.coefficients[0] - log(3.0 / 2)) < 1e-13);
    logistic_fit_clear(&fit);
}

static void test_weights_count_as_repeated_rows(void **state)
{
    (void)state;
    const double features[] = {0, 0, 1, 1};
    const uint8_t labels[] = {1, 0, 1, 0};
    const double weights[] = {1, 3, 3, 2};
    struct logistic_fit fit = fitted(features, labels, weights, 4, 1, INFINITY);
    assert_true(fabs(fit.intercept - log(1.0 / 3)) < 1e-13);
    assert_true(fabs(fit.intercept + fit.coefficients[0] - log(3.0 / 2)) < 1e-13);
    logistic_fit_clear(&fit);
}

/* Two equal columns: without a penalty they share the weight evenly (least norm), with one as well (convexity). */
static void test_flat_directions_take_the_least_norm(void **state)
{
    (void)state;
    const double features[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const uint8_t labels[] = {1, 0, 0, 0, 1, 1, 1, 0, 0};
    struct logistic_fit fit = fitted(features, labels, ones, 9, 2, INFINITY);
    assert_true(fit.converged);
    assert_true(fabs(fit.coefficients[0] - fit.coefficients[1]) < 1e-12);
    assert_true(fabs(fit.intercept + fit.coefficients[0] + fit.coefficients[1] - log(3.0 / 2)) < 1e-12);
    logistic_fit_clear(&fit);
    fit = fitted(features, labels, ones, 9, 2, 1);
    assert_true(fit.converged);
    assert_true(fabs(fit.coefficients[0] - fit.coefficients[1]) < 1e-13);
    logistic_fit_clear(&fit);
}

/* At the optimum Σ (p - y) x + w / C = 0, and Σ (p - y) = 0 for the free intercept. */
static void test_penalised_optimum_meets_its_conditions(void **state)
{
    (void)state;
    enum { ROWS = 40, FEATURES = 3 };
    double features[ROWS * FEATURES];
    uint8_t labels[ROWS];
    unsigned drawn = 12345;
    for (size_t i = 0; i < ROWS * FEATURES; i++)
        features[i] = (double)((drawn = drawn * 1103515245 + 12345) >> 16 & 1023) / 100 - 5;
    for (size_t r = 0; r < ROWS; r++)
        labels[r] = features[r * FEATURES] + features[r * FEATURES + 1] > 0;
    for (double c = 1e-4; c < 1e7; c *= 10) {
        struct logistic_fit fit = fitted(features, labels, ones, ROWS, FEATURES, c);
        assert_true(fit.converged);
        double gradient[FEATURES + 1] = {0};
        for (size_t r = 0; r < ROWS; r++) {
            const double *row = features + r * FEATURES;
            double off = logistic_probability(logistic_margin(&fit, row, FEATURES)) - labels[r];
            for (size_t f = 0; f < FEATURES; f++)
                gradient[f] += off * row[f];
            gradient[FEATURES] += off;
        }
        for (size_t f = 0; f < FEATURES; f++)
            assert_true(fabs(gradient[f] + fit.coefficients[f] / c) < 1e-11);
        assert_true(fabs(gradient[FEATURES]) < 1e-11);
        logistic_fit_clear(&fit);
    }
}

static void test_separated_classes_end_in_probability(void **state)
{
    (void)state;
    const double apart[] = {-2, -1, 1, 2}, almost[] = {-2, -1, 0, 0, 1, 2}, huge[] = {-1e150, -1e100, 1e100, 1e150};
    const uint8_t labels[] = {0, 0, 1, 1}, almost_labels[] = {0, 0, 0, 1, 1, 1};
    struct logistic_fit fit = fitted(apart, labels, ones, 4, 1, INFINITY);
    assert_true(fit.unbounded && fit.loss < 1e-6);
    logistic_fit_clear(&fit);
    fit = fitted(almost, almost_labels, ones, 6, 1, INFINITY);
    assert_true(fit.unbounded && fabs(fit.loss - 2 * log(2) / 6) < 1e-9); /* the two in the middle stay undecided */
    assert_true(logistic_probability(logistic_margin(&fit, &almost[1], 1)) < 1e-9);
    logistic_fit_clear(&fit);
    fit = fitted(huge, labels, ones, 4, 1, INFINITY);
    assert_true(!fit.converged || fit.unbounded);
    logistic_fit_clear(&fit);
    fit = fitted(apart, labels, ones, 4, 1, 1);
    assert_true(fit.converged && !fit.unbounded); /* a penalty gives even these an optimum */
    logistic_fit_clear(&fit);
}

static void test_not_finite_is_refused(void **state)
{
    (void)state;
    const double features[] = {1, NAN};
    const uint8_t labels[] = {0, 1};
    const struct logistic_problem problem = {features, labels, ones, 2, 1, 1, 100};
    struct logistic_fit fit;
    assert_int_equal(logistic_fit(&problem, &fit, &err), STATUS_INVALID);
}

static void test_no_features_leave_the_base_rate(void **state)
{
    (void)state;
    const uint8_t labels[] = {0, 0, 0, 1};
    struct logistic_fit fit = fitted(ones, labels, ones, 4, 0, 1);
    assert_true(fabs(fit.intercept - log(1.0 / 3)) < 1e-14);
    logistic_fit_clear(&fit);
}

static void test_probability_is_safe_at_the_ends(void **state)
{
    (void)state;
    assert_true(logistic_probability(0) == 0.5);
    assert_true(logistic_probability(800) == 1);
    assert_true(logistic_probability(-700) > 0);
    assert_true(logistic_probability(-800) == 0);
}

static void test_eigenvectors_rebuild_the_matrix(void **state)
{
    (void)state;
    const double given[9] = {4, 1, -2, 1, 2, 0, -2, 0, 3};
    double matrix[9], values[3], vectors[9];
    for (int i = 0; i < 9; i++)
        matrix[i] = given[i];
    dense_matrix_eigen(matrix, 3, values, vectors);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            double sum = 0;
            for (int k = 0; k < 3; k++)
                sum += vectors[i * 3 + k] * values[k] * vectors[j * 3 + k];
            assert_true(fabs(sum - given[i * 3 + j]) < 1e-14);
        }
    }
}

static void test_cholesky_solves_or_refuses(void **state)
{
    (void)state;
    double good[4] = {4, 0, 2, 3}, b[2] = {10, 8}, flat[4] = {1, 0, 1, 1}, negative[1] = {-1};
    assert_true(dense_matrix_cholesky(good, 2));
    dense_matrix_cholesky_solve(good, 2, b); /* 4x + 2y = 10, 2x + 3y = 8 */
    assert_true(fabs(b[0] - 1.75) < 1e-15 && fabs(b[1] - 1.5) < 1e-15);
    assert_false(dense_matrix_cholesky(flat, 2));
    assert_false(dense_matrix_cholesky(negative, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saturated_model_is_the_groups_log_odds),
        cmocka_unit_test(test_weights_count_as_repeated_rows),
        cmocka_unit_test(test_flat_directions_take_the_least_norm),
        cmocka_unit_test(test_penalised_optimum_meets_its_conditions),
        cmocka_unit_test(test_separated_classes_end_in_probability),
        cmocka_unit_test(test_not_finite_is_refused),
        cmocka_unit_test(test_no_features_leave_the_base_rate),
        cmocka_unit_test(test_probability_is_safe_at_the_ends),
        cmocka_unit_test(test_eigenvectors_rebuild_the_matrix),
        cmocka_unit_test(test_cholesky_solves_or_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
