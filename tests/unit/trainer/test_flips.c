/* The flip test on planted models: which decisions change, by group and way. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trainer/flips.h"

enum { SEX, AGE, PAY, COLUMNS };
static const struct span sexes[] = {SPAN_LITERAL("f"), SPAN_LITERAL("m"), SPAN_LITERAL("x")};
static const double bands[] = {30, 40};
static struct column columns[COLUMNS] = {
    [SEX] =
        {.name = "sex", .kind = COLUMN_NOMINAL, .type = COLUMN_TEXT, .values = sexes, .value_count = 3, .group = true},
    [AGE] = {.name = "age", .kind = COLUMN_NUMERIC, .type = COLUMN_INT, .bands = bands, .band_count = 2, .group = true},
    [PAY] = {.name = "pay", .kind = COLUMN_NUMERIC, .type = COLUMN_DOUBLE},
};
static const struct schema schema = {.columns = columns, .column_count = COLUMNS};

/* Nobody is x; one has no sex, one no age. Of those under 30: 21, 25, 25, 29, 29; then 30, 32, 33, 38; and 44. */
static const struct {
    int32_t sex;
    double age, pay;
} people[] = {
    {0, 21, 1},  {0, 25, 3}, {0, 29, 1}, {1, 29, 3}, {1, 30, 1},
    {1, 32, 3},  {1, 38, 1}, {0, 44, 1}, {1, 33, 3}, {CELL_MISSING, 25, 1},
    {0, NAN, 1},
};
enum { PEOPLE = sizeof people / sizeof *people };

/* Women with little pay are positive. */
static double by_sex(const struct cell *cells)
{
    return cells[SEX].code == 0 && cells[PAY].number < 2 ? 0.5 : 0.4;
}

/* Of 32 and from 40 on; whoever has no age gets no probability. */
static double by_age(const struct cell *cells)
{
    double age = cells[AGE].number;
    return isnan(age) ? NAN : age == 32 || age >= 40 ? 0.9 : 0.1;
}

static double by_pay(const struct cell *cells)
{
    return cells[PAY].number < 2 ? 0.9 : 0.1;
}

static void predict(const void *context, const struct cell *cells, size_t count, double *probabilities)
{
    double (*const *rule)(const struct cell *) = context;
    for (size_t r = 0; r < count; r++)
        probabilities[r] = (*rule)(cells + r * COLUMNS);
}

static void measure(double (*rule)(const struct cell *), size_t threads, struct flips *out)
{
    struct cell cells[PEOPLE * COLUMNS];
    uint32_t rows[PEOPLE];
    for (size_t r = 0; r < PEOPLE; r++) {
        rows[r] = (uint32_t)r;
        cells[r * COLUMNS + SEX] = (struct cell){.code = people[r].sex};
        cells[r * COLUMNS + AGE] = cell_number(people[r].age);
        cells[r * COLUMNS + PAY] = cell_number(people[r].pay);
    }
    const struct table table = {.schema = &schema, .cells = cells, .row_count = PEOPLE};
    const struct predictor predictor = {predict, &rule};
    flips_measure(&predictor, &table, rows, PEOPLE, 0.5, threads, out);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void check(const struct flips *flips, uint32_t column, const char *from, const char *to, size_t count, size_t up,
                  size_t down)
{
    for (size_t i = 0; i < flips->count; i++) {
        const struct flip *flip = &flips->items[i];
        if (flip->column != column || !same(flip->from, from) || !same(flip->to, to))
            continue;
        assert_int_equal(flip->count, count);
        assert_int_equal(flip->up, up);
        assert_int_equal(flip->down, down);
        return;
    }
    assert_int_equal(up + down, 0); /* pairs without a flip are left out */
    assert_non_null(to);
}

static void test_a_category_that_matters(void **state)
{
    (void)state;
    struct flips flips;
    measure(by_sex, 2, &flips);
    assert_int_equal(flips.row_count, PEOPLE);
    check(&flips, SEX, NULL, NULL, 11, 3, 4); /* two men with little pay and who has no sex; four of five women */
    check(&flips, SEX, "f", NULL, 5, 0, 4);
    check(&flips, SEX, "f", "m", 5, 0, 4);
    check(&flips, SEX, "f", "x", 5, 0, 0);       /* nobody is x */
    check(&flips, SEX, "f", "missing", 5, 0, 0); /* which is no value */
    check(&flips, SEX, "m", NULL, 5, 2, 0);
    check(&flips, SEX, "m", "f", 5, 2, 0);
    check(&flips, SEX, "missing", NULL, 1, 1, 0);
    check(&flips, SEX, "missing", "f", 1, 1, 0);
    check(&flips, AGE, NULL, NULL, 11, 0, 0);
    assert_true(flips_most(&flips) == 7.0 / 11);
    flips_clear(&flips);
}

/* Medians: 25; 32, the lower of two; 44. */
static void test_a_band_is_its_median(void **state)
{
    (void)state;
    struct flips flips;
    measure(by_age, 1, &flips);
    check(&flips, AGE, NULL, NULL, 11, 8, 2);
    check(&flips, AGE, "under 30", "30 to 39", 5, 5, 0);
    check(&flips, AGE, "under 30", "40 and over", 5, 5, 0);
    check(&flips, AGE, "under 30", NULL, 5, 5, 0); /* once each */
    check(&flips, AGE, "30 to 39", "under 30", 4, 0, 1);
    check(&flips, AGE, "30 to 39", "30 to 39", 4, 0, 0);
    check(&flips, AGE, "30 to 39", "40 and over", 4, 3, 0);
    check(&flips, AGE, "30 to 39", NULL, 4, 3, 1);
    check(&flips, AGE, "40 and over", "under 30", 1, 0, 1);
    check(&flips, AGE, "40 and over", "30 to 39", 1, 0, 0);
    check(&flips, AGE, "missing", NULL, 1, 0, 0); /* it had no probability */
    check(&flips, SEX, NULL, NULL, 11, 0, 0);
    flips_clear(&flips);
}

static void test_another_column_flips_nothing(void **state)
{
    (void)state;
    struct flips flips;
    measure(by_pay, 3, &flips);
    assert_int_equal(flips.count, 9); /* sums alone: all, f, m, missing; all, three bands, missing */
    for (size_t i = 0; i < flips.count; i++) {
        assert_int_equal(flips.items[i].up + flips.items[i].down, 0);
        assert_null(flips.items[i].to);
    }
    assert_true(flips_most(&flips) == 0);
    flips_clear(&flips);
}

static void test_without_groups_there_is_nothing(void **state)
{
    (void)state;
    struct flips flips;
    columns[SEX].group = columns[AGE].group = false;
    measure(by_sex, 1, &flips);
    columns[SEX].group = columns[AGE].group = true;
    assert_int_equal(flips.count, 0);
    assert_true(isnan(flips_most(&flips)));
    flips_clear(&flips);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_category_that_matters),
        cmocka_unit_test(test_a_band_is_its_median),
        cmocka_unit_test(test_another_column_flips_nothing),
        cmocka_unit_test(test_without_groups_there_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
