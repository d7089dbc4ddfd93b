/* Columns as bins: missing values, numbers of few and of many values, categories by how common they are. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "trainer/bins.h"

enum { MANY = 1000 };
static struct span categories[] = {SPAN_LITERAL("rare"), SPAN_LITERAL("common"), SPAN_LITERAL("unseen")};
static struct column columns[] = {{.name = "number", .kind = COLUMN_NUMERIC, .type = COLUMN_DOUBLE},
                                  {.name = "text", .kind = COLUMN_NOMINAL, .values = categories, .value_count = 3}};
static const struct schema schema = {.columns = columns, .column_count = 2};
static struct cell cells[2 * MANY];
static uint32_t rows[MANY];
static struct preprocessor preprocessor;

static void make(size_t count, unsigned most, struct bins *out)
{
    const struct table table = {.schema = &schema, .cells = cells, .row_count = count};
    for (size_t r = 0; r < count; r++)
        rows[r] = (uint32_t)r;
    preprocess_fit(&table, rows, count, false, &preprocessor);
    bins_make(&preprocessor, &table, rows, count, most, out);
}

static void row_set(size_t row, double number, int32_t code)
{
    cells[2 * row] = cell_number(number);
    cells[2 * row + 1] = (struct cell){.code = code};
}

static void free_all(struct bins *bins)
{
    bins_free(bins);
    preprocess_free(&preprocessor);
}

static void test_few_values_have_a_code_each(void **state)
{
    (void)state;
    static const double numbers[] = {3, -0.0, NAN, -7.5, 0, 1e300, 3};
    static const int32_t codes[] = {1, 1, CELL_MISSING, 0, 1, 1, CELL_MISSING};
    static const uint8_t wanted[] = {3, 2, 0, 1, 2, 4, 3}, wanted_texts[] = {1, 1, 0, 2, 1, 1, 0};
    struct bins bins;
    for (size_t r = 0; r < 7; r++)
        row_set(r, numbers[r], codes[r]);
    make(7, 255, &bins);
    assert_int_equal(bins.columns[0].count, 5);
    assert_int_equal(bins.columns[1].count, 3); /* the category that no row has, has no code */
    assert_int_equal(bins.columns[1].first, 5);
    assert_int_equal(bins.code_count, 8);
    for (size_t r = 0; r < 7; r++) {
        assert_int_equal(bins_at(&bins, 0, r), wanted[r]);
        assert_int_equal(bins_at(&bins, 1, r), wanted_texts[r]);
    }
    assert_true(bins.columns[0].low[1] == -7.5F && bins.columns[0].high[2] == 0);
    assert_true(isinf(bins.columns[0].low[4])); /* as the float that trees compare */
    free_all(&bins);
}

static void test_many_values_share_codes_evenly(void **state)
{
    (void)state;
    struct bins bins;
    size_t of_code[BINS_MOST] = {0};
    for (size_t r = 0; r < MANY; r++)
        row_set(r, r < 600 ? (double)((r * 7919) % MANY) : 500.5, 0);
    make(MANY, 10, &bins);
    assert_true(bins.columns[0].count <= 11);
    for (size_t r = 0; r < MANY; r++) {
        uint8_t code = bins_at(&bins, 0, r);
        of_code[code]++;
        assert_true(code > 0 && (float)cells[2 * r].number >= bins.columns[0].low[code] &&
                    (float)cells[2 * r].number <= bins.columns[0].high[code]);
    }
    for (size_t code = 2; code < bins.columns[0].count; code++)
        assert_true(bins.columns[0].low[code] > bins.columns[0].high[code - 1]);
    assert_int_equal(of_code[1], MANY / 10);
    assert_true(of_code[bins_at(&bins, 0, 999)] >= 400); /* equal values stay together */
    free_all(&bins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_values_have_a_code_each),
        cmocka_unit_test(test_many_values_share_codes_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
