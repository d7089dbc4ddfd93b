/* producer/random.h: the same numbers everywhere, of the laws they claim. */
#include "tests/unit/producer/unit.h"

#include <math.h>

#include "producer/event_id.h"
#include "producer/random.h"

/* Fixed for good: a change here changes every synthetic table that somebody refers to by its seed. */
static void test_sequence_is_fixed(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 42, 0, 7);
    assert_int_equal(random_bits(&random), UINT64_C(0x3f41a871b0bd6bdc));
    assert_int_equal(random_bits(&random), UINT64_C(0xbda0117fbcefa7c1));
}

static void test_streams_differ(void **state)
{
    (void)state;
    struct random a, b;
    const uint64_t others[][3] = {{2, 0, 0}, {1, 1, 0}, {1, 0, 1}};
    for (size_t i = 0; i < 3; i++) {
        random_seed(&a, 1, 0, 0);
        random_seed(&b, others[i][0], others[i][1], others[i][2]);
        assert_int_not_equal(random_bits(&a), random_bits(&b));
    }
}

static void moments(double (*draw)(struct random *), double *mean, double *sd)
{
    enum { COUNT = 200000 };
    struct random random;
    double sum = 0, squares = 0;
    random_seed(&random, 1, 2, 3);
    for (int i = 0; i < COUNT; i++) {
        double x = draw(&random);
        sum += x;
        squares += x * x;
    }
    *mean = sum / COUNT;
    *sd = sqrt(squares / COUNT - *mean * *mean);
}

static void test_laws_have_their_moments(void **state)
{
    (void)state;
    const struct {
        double (*draw)(struct random *);
        double mean, sd;
    } laws[] = {{random_uniform, 0.5, 0.288675}, {random_normal, 0, 1}, {random_exponential, 1, 1}};
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        double mean, sd;
        moments(laws[i].draw, &mean, &sd);
        assert_true(fabs(mean - laws[i].mean) < 0.01);
        assert_true(fabs(sd - laws[i].sd) < 0.01);
    }
}

static void test_exp_is_close(void **state)
{
    (void)state;
    for (double x = -50; x <= 50; x += 0.37)
        assert_true(fabs(random_exp(x) / exp(x) - 1) < 1e-11);
    assert_true(random_exp(1000) == random_exp(50));
}

static void test_index_stays_below_count(void **state)
{
    (void)state;
    struct random random;
    bool seen[3] = {false};
    random_seed(&random, 0, 0, 0);
    for (int i = 0; i < 1000; i++) {
        size_t index = random_index(&random, 3);
        assert_true(index < 3);
        seen[index] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
}

static void test_event_ids_are_uuids(void **state)
{
    (void)state;
    char id[EVENT_ID_BYTES];
    event_id_of_bits(UINT64_MAX, UINT64_MAX, id);
    assert_string_equal(id, "ffffffff-ffff-8fff-bfff-ffffffffffff");
    event_id_of_bits(0x0123456789abcdef, 0x0123456789abcdef, id);
    assert_string_equal(id, "01234567-89ab-8def-8123-456789abcdef");
    struct sha256 *sha256 = sha256_new();
    event_id_of_text(sha256, SPAN_LITERAL("abc"), id);
    assert_string_equal(id, "ba7816bf-8f01-8fea-8141-40de5dae2223");
    sha256_free(sha256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequence_is_fixed),       cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_laws_have_their_moments), cmocka_unit_test(test_exp_is_close),
        cmocka_unit_test(test_index_stays_below_count), cmocka_unit_test(test_event_ids_are_uuids),
    };
    return cmocka_run_group_tests_name("producer/random", tests, NULL, NULL);
}
