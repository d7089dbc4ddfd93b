/* Thresholds by rule, and the rules' texts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "trainer/threshold.h"

static const uint8_t labels[] = {0, 0, 1, 0, 1, 1};
static const double probabilities[] = {0.1, 0.2, 0.3, 0.35, 0.6, 0.9};

static double choose(const char *text)
{
    struct threshold_rule rule;
    assert_int_equal(threshold_parse(text, &rule, ERROR_IGNORED), STATUS_OK);
    return threshold_choose(&rule, labels, probabilities, 6);
}

static void test_largest_f1(void **state)
{
    (void)state;
    const struct threshold_rule rule = {THRESHOLD_MAX_F1, 0};
    const uint8_t none[] = {0, 0};
    assert_true(choose("max-f1") == 0.25); /* four called, three right */
    assert_true(threshold_choose(&rule, none, probabilities, 2) == 0.5);
}

/* Neighbours that differ in the last digits still get a threshold between them. */
static void test_between_near_neighbours(void **state)
{
    (void)state;
    const struct threshold_rule rule = {THRESHOLD_MAX_F1, 0};
    const uint8_t two[] = {0, 1};
    const double near[] = {0.25, nextafter(0.25, 1)};
    double threshold = threshold_choose(&rule, two, near, 2);
    assert_true(threshold > near[0] && threshold <= near[1]);
}

static void test_recall_floor(void **state)
{
    (void)state;
    double two_of_three = choose("recall=0.6"), all = choose("recall=1");
    assert_true(two_of_three > 0.35 && two_of_three <= 0.6);
    assert_true(all > 0.2 && all <= 0.3);
}

static void test_least_cost(void **state)
{
    (void)state;
    double dear = choose("cost=10:1"), cheap = choose("cost=1:10");
    assert_true(dear > 0.2 && dear <= 0.3); /* no one is missed for one false alarm */
    assert_true(cheap > 0.35 && cheap <= 0.6);
}

static void test_given(void **state)
{
    (void)state;
    assert_true(choose("0.5") == 0.5);
    assert_true(choose("0") == 0);
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "f1",  "recall=0", "recall=1.1", "recall=", "cost=5",    "cost=0:1",
        "cost=1:0", "1.5", "-1",       "nan",        "0.5x",    "cost=5:1x", "recall=nan"};
    static const char *const good[] = {"max-f1", "recall=0.8", "cost=5:1", "0.25"};
    struct threshold_rule rule;
    char text[THRESHOLD_TEXT_BYTES];
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
        assert_int_equal(threshold_parse(bad[b], &rule, ERROR_IGNORED), STATUS_INVALID);
    for (size_t g = 0; g < sizeof good / sizeof *good; g++) {
        assert_int_equal(threshold_parse(good[g], &rule, ERROR_IGNORED), STATUS_OK);
        threshold_describe(&rule, text);
        assert_string_equal(text, good[g]);
    }
}

static void test_precision(void **state)
{
    (void)state;
    assert_true(choose("precision=1") > 0.35 && choose("precision=1") <= 0.6);    /* two called, both right */
    assert_true(choose("precision=0.7") > 0.2 && choose("precision=0.7") <= 0.3); /* four, three of them right */
    static const uint8_t worst[] = {0, 0, 1, 0, 1, 0};
    const struct threshold_rule rule = {THRESHOLD_PRECISION, 0.9};
    assert_true(threshold_choose(&rule, worst, probabilities, 6) > 0.9); /* not to be had: nobody */
}

static void test_share(void **state)
{
    (void)state;
    assert_true(choose("share=0.5") > 0.3 && choose("share=0.5") <= 0.35);
    assert_true(choose("share=0.49") > 0.35 && choose("share=0.49") <= 0.6);
    assert_true(choose("share=0.1") > 0.9); /* one row is more than a tenth */
    assert_true(choose("share=1") > 0 && choose("share=1") <= 0.1);
    for (const char *const *text = (const char *const[]){"share=0", "share=1.1", "precision=x", "share=", NULL}; *text;
         text++) {
        struct threshold_rule rule;
        assert_int_equal(threshold_parse(*text, &rule, ERROR_IGNORED), STATUS_INVALID);
    }
}

static void test_rules_read_back(void **state)
{
    (void)state;
    for (const char *const *text =
             (const char *const[]){"max-f1", "recall=0.8", "cost=5:1", "precision=0.6", "share=0.1", "0.25", NULL};
         *text; text++) {
        struct threshold_rule rule;
        char said[THRESHOLD_TEXT_BYTES];
        assert_int_equal(threshold_parse(*text, &rule, ERROR_IGNORED), STATUS_OK);
        threshold_describe(&rule, said);
        assert_string_equal(said, *text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_largest_f1),      cmocka_unit_test(test_between_near_neighbours),
        cmocka_unit_test(test_recall_floor),    cmocka_unit_test(test_least_cost),
        cmocka_unit_test(test_given),           cmocka_unit_test(test_texts),
        cmocka_unit_test(test_precision),       cmocka_unit_test(test_share),
        cmocka_unit_test(test_rules_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
