/* The parts of descriptions and reports: distinct values, bars, text in markup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "trainer/report/histogram.h"
#include "base/svg.h"

static void test_values_are_counted_by_class(void **state)
{
    (void)state;
    struct value_counts values = {0};
    for (int i = 0; i < 1000; i++)
        value_counts_add_number(&values, i % 100, i % 2);
    value_counts_add_number(&values, -0.0, VALUE_UNLABELLED);
    value_counts_sort(&values);
    assert_int_equal(values.count, 100);
    assert_int_equal(values.total, 1001);
    assert_int_equal(value_count_total(&values.entries[0]), 11);
    assert_int_equal(values.entries[1].counts[VALUE_POSITIVE], 10);
    value_counts_free(&values);
}

static void test_quantiles_interpolate(void **state)
{
    (void)state;
    struct value_counts values = {0};
    for (int i = 4; i >= 1; i--)
        value_counts_add_number(&values, i, 0);
    value_counts_sort(&values);
    assert_true(value_counts_quantile(&values, 0.5) == 2.5);
    assert_true(value_counts_quantile(&values, 0) == 1 && value_counts_quantile(&values, 1) == 4);
    value_counts_free(&values);
    assert_true(isnan(value_counts_quantile(&values, 0.5)));
}

/* No value is lost between bars, whatever the numbers. */
static void test_bars_hold_every_value(void **state)
{
    (void)state;
    static const double scales[] = {1e-12, 0.1, 1, 7.3, 1e12};
    const struct column column = {.kind = COLUMN_NUMERIC, .type = COLUMN_DOUBLE, .low = -INFINITY, .high = INFINITY};
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        struct value_counts values = {0};
        struct histogram histogram;
        size_t sum = 0;
        for (int i = -50; i < 300; i++)
            value_counts_add_number(&values, i * scales[s] + 1e-13, 0);
        value_counts_sort(&values);
        histogram_make(&column, &values, &histogram);
        for (size_t b = 0; b < histogram.count; b++)
            sum += bar_count(&histogram.bars[b]);
        assert_int_equal(sum, 350);
        assert_in_range(histogram.count, 2, HISTOGRAM_MOST + 1);
        histogram_clear(&histogram);
        value_counts_free(&values);
    }
}

static void test_markup_is_escaped(void **state)
{
    (void)state;
    struct buffer out = {0};
    markup_text(&out, "a<b>&\"c\"\x01\xff");
    buffer_add_u8(&out, '\0');
    assert_string_equal(out.data, "a&lt;b&gt;&amp;&quot;c&quot; ?");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_counted_by_class), cmocka_unit_test(test_quantiles_interpolate),
        cmocka_unit_test(test_bars_hold_every_value), cmocka_unit_test(test_markup_is_escaped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
