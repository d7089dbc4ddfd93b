/* Boosted trees on problems small enough to be worked out by hand, and the properties of larger ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "trainer/boosting.h"
#include "trainer/random.h"

enum { MOST = 20000, COLUMNS = 3 };

/* Codes by row, and bounds that are the codes themselves. Columns 0 and 1 are numbers, 2 has categories. */
static struct bins bins;
static float bounds[BINS_MOST];
static struct bin_column columns[COLUMNS];
static uint8_t labels[MOST];
static double weights[MOST];
static const struct boost_settings plain = {.n_estimators = 1,
                                            .max_depth = 1,
                                            .early_stopping_rounds = 20,
                                            .learning_rate = 1,
                                            .reg_lambda = 1,
                                            .subsample = 1,
                                            .colsample_bytree = 1,
                                            .threads = 1};

static int setup(void **state)
{
    (void)state;
    bins = (struct bins){.columns = columns, .column_count = COLUMNS, .codes = mem_zeroed(MOST, BINS_LANES)};
    for (size_t code = 0; code < BINS_MOST; code++)
        bounds[code] = (float)code;
    for (size_t c = 0; c < COLUMNS; c++) {
        columns[c] =
            (struct bin_column){.nominal = c == 2, .count = 20, .first = 20 * c, .low = bounds, .high = bounds};
        bins.code_count += columns[c].count;
    }
    for (size_t r = 0; r < MOST; r++)
        weights[r] = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(bins.codes);
    return 0;
}

static void put(size_t row, uint8_t first, uint8_t second, uint8_t category, uint8_t label)
{
    const uint8_t codes[COLUMNS] = {first, second, category};
    memcpy(bins.codes + row * BINS_LANES, codes, COLUMNS);
    labels[row] = label;
}

static void fit(size_t rows, const struct boost_settings *settings, struct boosting *out)
{
    const struct boost_problem problem = {&bins, labels, weights};
    bins.row_count = rows;
    boosting_fit(&problem, settings, out);
}

static double margin(const struct boosting *model, size_t row)
{
    double sum = model->base;
    for (size_t t = 0; t < model->tree_count; t++)
        sum += (double)boost_tree_walk(&model->trees[t], &model->sets, &bins, row)->weight;
    return sum;
}

/* Two of each class: every row has gradient ±1/2 and second derivative 1/4, so a side of two weighs 1 / (1/2 + λ). */
static void test_one_split(void **state)
{
    (void)state;
    struct boosting model;
    put(0, 1, 1, 1, 0);
    put(1, 2, 1, 1, 0);
    put(2, 7, 1, 1, 1);
    put(3, 8, 1, 1, 1);
    fit(4, &plain, &model);
    const struct boost_node *nodes = model.trees[0].nodes;
    assert_int_equal(model.trees[0].node_count, 3);
    assert_true(model.base == 0);
    assert_int_equal(nodes[0].column, 0);
    assert_true(nodes[0].threshold > 2 && nodes[0].threshold < 7);
    assert_true(fabs(margin(&model, 0) + 2.0 / 3) < 1e-6);
    assert_true(fabs(margin(&model, 3) - 2.0 / 3) < 1e-6);
    assert_int_equal(nodes[nodes[0].left].rows, 2);
    boosting_free(&model);
}

static void test_missing_goes_where_it_belongs(void **state)
{
    (void)state;
    for (uint8_t label = 0; label <= 1; label++) {
        struct boosting model;
        for (uint8_t r = 0; r < 8; r++)
            put(r, r < 4 ? 2 : 9, 1, 1, r >= 4);
        put(8, 0, 1, 1, label);
        put(9, 0, 1, 1, label);
        fit(10, &plain, &model);
        assert_int_equal(model.trees[0].nodes[0].missing_left, !label);
        assert_true((margin(&model, 8) > model.base) == label);
        boosting_free(&model);
    }
}

/* Odd categories leave: no order of codes separates them, a set does; and what was never seen goes with the many. */
static void test_categories_split_as_sets(void **state)
{
    (void)state;
    struct boosting model;
    for (uint32_t r = 0; r < 400; r++) {
        uint8_t category = (uint8_t)(1 + r % 9);
        put(r, 1, 1, category, category % 2 == 0);
    }
    fit(400, &plain, &model);
    const struct boost_node *root = &model.trees[0].nodes[0];
    assert_true(root->nominal);
    assert_int_equal(model.sets.count, 1);
    assert_int_equal(model.sets.items[0].codes[0], 1u << 2 | 1u << 4 | 1u << 6 | 1u << 8);
    put(400, 1, 1, 15, 0);
    assert_ptr_equal(boost_tree_walk(&model.trees[0], &model.sets, &bins, 400), &model.trees[0].nodes[root->right]);
    boosting_free(&model);
}

/* The exclusive or of two numbers, with noise; categories mean nothing. */
static void draw(size_t rows, double noise)
{
    uint64_t random = 11;
    for (size_t r = 0; r < rows; r++) {
        uint8_t a = (uint8_t)random_below(&random, 20), b = (uint8_t)random_below(&random, 20);
        bool flipped = (double)random_below(&random, 1000) < 1000 * noise;
        put(r, a, b, (uint8_t)random_below(&random, 20), ((a > 9) != (b > 9)) != flipped);
    }
}

static double share_right(const struct boosting *model, size_t rows)
{
    size_t right = 0;
    for (size_t r = 0; r < rows; r++)
        right += (margin(model, r) > 0) == labels[r];
    return (double)right / (double)rows;
}

static void test_interactions_are_found(void **state)
{
    (void)state;
    struct boost_settings settings = plain;
    struct boosting model;
    draw(4000, 0.1);
    settings.max_depth = 3;
    settings.n_estimators = 40;
    settings.learning_rate = 0.3;
    fit(4000, &settings, &model);
    assert_true(share_right(&model, 4000) > 0.89 && share_right(&model, 4000) < 0.95);
    boosting_free(&model);
}

static void test_threads_change_nothing(void **state)
{
    (void)state;
    struct boosting models[2];
    draw(MOST, 0.2);
    for (unsigned m = 0; m < 2; m++) {
        struct boost_settings settings = plain;
        settings.max_depth = 0;
        settings.max_leaves = 20;
        settings.n_estimators = 5;
        settings.subsample = 0.8;
        settings.colsample_bytree = 0.7;
        settings.threads = 1 + 3 * m;
        fit(MOST, &settings, &models[m]);
    }
    for (size_t t = 0; t < 5; t++) {
        assert_int_equal(models[0].trees[t].node_count, models[1].trees[t].node_count);
        assert_memory_equal(models[0].trees[t].nodes, models[1].trees[t].nodes,
                            models[0].trees[t].node_count * sizeof(struct boost_node));
    }
    boosting_free(&models[0]);
    boosting_free(&models[1]);
}

/* Every row ends in one leaf of each tree, sampled or not. */
static void test_leaves_count_all_rows(void **state)
{
    (void)state;
    struct boost_settings settings = plain;
    struct boosting model;
    size_t sum = 0;
    draw(1000, 0.2);
    settings.max_depth = 4;
    settings.subsample = 0.3;
    fit(1000, &settings, &model);
    for (size_t n = 0; n < model.trees[0].node_count; n++)
        sum += model.trees[0].nodes[n].left ? 0 : model.trees[0].nodes[n].rows;
    assert_int_equal(sum, 1000);
    boosting_free(&model);
}

/* Where labels are noise, few trees are best; where a rule is to be learned slowly, many. */
static void test_number_of_trees(void **state)
{
    (void)state;
    const struct boost_problem problem = {&bins, labels, weights};
    struct boost_settings settings = plain;
    uint8_t folds[2000];
    bins.row_count = 2000;
    settings.max_depth = 3;
    settings.learning_rate = 0.1;
    for (size_t r = 0; r < 2000; r++)
        folds[r] = (uint8_t)(r % 5);
    draw(2000, 0.5);
    unsigned noise = boosting_choose_count(&problem, &settings, folds, 5);
    draw(2000, 0.05);
    unsigned rule = boosting_choose_count(&problem, &settings, folds, 5);
    settings.threads = 3;
    assert_true(noise < 10 && rule > 30);
    assert_int_equal(boosting_choose_count(&problem, &settings, folds, 5), rule);
}

static void test_weights_bend_the_base(void **state)
{
    (void)state;
    struct boosting model;
    draw(100, 0.2);
    double of_class[2] = {0, 0};
    for (size_t r = 0; r < 100; r++) {
        weights[r] = labels[r] ? 3 : 1;
        of_class[labels[r]] += weights[r];
    }
    fit(100, &plain, &model);
    assert_true(fabs(model.base - log(of_class[1] / of_class[0])) < 1e-12);
    boosting_free(&model);
    for (size_t r = 0; r < 100; r++)
        weights[r] = 1;
}

static void test_monotone_columns(void **state)
{
    (void)state;
    struct boost_settings settings = plain;
    struct boosting model;
    draw(4000, 0.1);
    settings.max_depth = 4;
    settings.n_estimators = 30;
    columns[0].monotone = 1;
    fit(4000, &settings, &model);
    for (uint8_t other = 1; other < 20; other++)
        for (uint8_t value = 2; value < 20; value++) {
            put(0, (uint8_t)(value - 1), other, 1, 0);
            put(1, value, other, 1, 0);
            assert_true(margin(&model, 1) >= margin(&model, 0));
        }
    columns[0].monotone = 0;
    boosting_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_split),
        cmocka_unit_test(test_missing_goes_where_it_belongs),
        cmocka_unit_test(test_categories_split_as_sets),
        cmocka_unit_test(test_interactions_are_found),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_leaves_count_all_rows),
        cmocka_unit_test(test_number_of_trees),
        cmocka_unit_test(test_weights_bend_the_base),
        cmocka_unit_test(test_monotone_columns),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
