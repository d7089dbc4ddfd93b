/* Partial dependence: which categories are measured, and the mean over the rows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "trainer/dependence.h"

enum { CATEGORIES = 25 };
static struct span categories[CATEGORIES];
static struct column column = {.name = "text", .kind = COLUMN_NOMINAL, .values = categories, .value_count = CATEGORIES};
static const struct schema schema = {.columns = &column, .column_count = 1};

static void predict(const void *context, const struct cell *cells, size_t count, double *probabilities)
{
    (void)context;
    for (size_t r = 0; r < count; r++)
        probabilities[r] = cells[r].code / 100.0;
}

/* The last category has `last` rows, the others two each. */
static void measure(size_t last, struct evaluation *out)
{
    enum { ROWS = 2 * CATEGORIES + 1 };
    struct permuted permuted = {0};
    struct cell cells[ROWS];
    uint32_t rows[ROWS];
    size_t count = 2 * (CATEGORIES - 1) + last;
    for (size_t r = 0; r < count; r++) {
        cells[r] = (struct cell){.code = r / 2 < CATEGORIES ? (int32_t)(r / 2) : CATEGORIES - 1};
        rows[r] = (uint32_t)r;
    }
    const struct table table = {.schema = &schema, .cells = cells, .row_count = count};
    const struct predictor predictor = {.predict = predict};
    *out = (struct evaluation){.permuted = &permuted, .permuted_count = 1};
    dependence_measure(&predictor, &table, rows, count, 1, out);
}

static void check_points(size_t last_rows, size_t last_category)
{
    struct evaluation evaluation;
    measure(last_rows, &evaluation);
    const struct dependence *dependence = &evaluation.dependence[0];
    assert_int_equal(dependence->count, DEPENDENCE_POINTS);
    for (size_t p = 0; p < DEPENDENCE_POINTS; p++) {
        double category = p + 1 < DEPENDENCE_POINTS ? (double)p : (double)last_category;
        assert_true(dependence->points[p].value == category);
        assert_true(fabs(dependence->points[p].probability - category / 100) < 1e-12);
    }
    free(evaluation.dependence);
}

static void test_equally_frequent_categories_go_by_the_schema(void **state)
{
    (void)state;
    check_points(2, DEPENDENCE_POINTS - 1);
}

static void test_the_most_frequent_category_is_measured(void **state)
{
    (void)state;
    check_points(3, CATEGORIES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equally_frequent_categories_go_by_the_schema),
        cmocka_unit_test(test_the_most_frequent_category_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
