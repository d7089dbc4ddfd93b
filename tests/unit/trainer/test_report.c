/* The parts of descriptions and reports: distinct values, bars, text in markup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "trainer/report/histogram.h"
#include "trainer/report/svg.h"

static void test_values_are_counted_by_class(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (int i = 0; i < 1000; i++)
        tally_add_number(&tally, i % 100, i % 2);
    tally_add_number(&tally, -0.0, TALLY_UNLABELLED);
    tally_sort(&tally);
    assert_int_equal(tally.count, 100);
    assert_int_equal(tally.total, 1001);
    assert_int_equal(tally_entry_count(&tally.entries[0]), 11);
    assert_int_equal(tally.entries[1].counts[TALLY_POSITIVE], 10);
    tally_free(&tally);
}

static void test_quantiles_interpolate(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (int i = 4; i >= 1; i--)
        tally_add_number(&tally, i, 0);
    tally_sort(&tally);
    assert_true(tally_quantile(&tally, 0.5) == 2.5);
    assert_true(tally_quantile(&tally, 0) == 1 && tally_quantile(&tally, 1) == 4);
    tally_free(&tally);
    assert_true(isnan(tally_quantile(&tally, 0.5)));
}

/* No value is lost between bars, whatever the numbers. */
static void test_bars_hold_every_value(void **state)
{
    (void)state;
    static const double scales[] = {1e-12, 0.1, 1, 7.3, 1e12};
    const struct column column = {.kind = COLUMN_NUMERIC, .type = COLUMN_DOUBLE, .low = -INFINITY, .high = INFINITY};
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        struct tally tally = {0};
        struct histogram histogram;
        size_t sum = 0;
        for (int i = -50; i < 300; i++)
            tally_add_number(&tally, i * scales[s] + 1e-13, 0);
        tally_sort(&tally);
        histogram_make(&column, &tally, &histogram);
        for (size_t b = 0; b < histogram.count; b++)
            sum += bar_count(&histogram.bars[b]);
        assert_int_equal(sum, 350);
        assert_in_range(histogram.count, 2, HISTOGRAM_MOST + 1);
        histogram_clear(&histogram);
        tally_free(&tally);
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
