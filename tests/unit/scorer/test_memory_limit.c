/* scorer/memory_limit.c: shares add up to the limit, and what cannot hold is refused with the least that can. */
#include "tests/support/scorer.h"

#include "scorer/settings.h"

enum { MIB = 1024 * 1024 };

static enum status split(const char *const *words, struct memory_shares *out, struct error *err)
{
    static struct options *options;
    struct settings settings;
    options_free(options);
    options = scorer_options(words);
    if (settings_resolve(options, NULL, &settings, err) != STATUS_OK)
        return err->status;
    const struct memory_needs needs = settings_memory_needs(&settings);
    enum status status = memory_split(options, &needs, out, err);
    settings_release(&settings);
    return status;
}

static void without_a_limit_nothing_is_set(void **state)
{
    (void)state;
    struct memory_shares shares;
    struct error err;
    assert_int_equal(split((const char *const[]){"--instance-id=x", NULL}, &shares, &err), STATUS_OK);
    assert_int_equal(shares.consumer, 0);
    assert_int_equal(shares.producer, 0);
}

static void the_shares_add_up(void **state)
{
    (void)state;
    struct memory_shares shares;
    struct error err;
    const char *const words[] = {"--instance-id=x", "--memory-limit=256MiB", "--workers=2", NULL};
    assert_int_equal(split(words, &shares, &err), STATUS_OK);
    int64_t sum = 64 * MIB + 3 * shares.consumer + 3 * (shares.producer + shares.staged) + 3 * shares.sink_batch;
    assert_true(sum <= 256LL * MIB && sum > 250LL * MIB);
}

/* They get half of what is not needed anyhow, shared among the loops that keep some. */
static void current_records_get_their_share(void **state)
{
    (void)state;
    struct memory_shares with, without;
    struct error err;
    struct options *options = scorer_options((const char *const[]){"--instance-id=x", NULL});
    struct memory_needs needs = {.limit = 1024LL * MIB, .consumers = 2, .producers = 2};
    assert_int_equal(memory_split(options, &needs, &without, &err), STATUS_OK);
    needs.states = 2;
    assert_int_equal(memory_split(options, &needs, &with, &err), STATUS_OK);
    assert_int_equal(without.state, 0);
    assert_true(with.state > 200LL * MIB && with.consumer <= without.consumer);
    int64_t sum = 64 * MIB + 2 * with.state + 2 * with.consumer + 2 * (with.producer + with.staged);
    assert_true(sum <= 1024LL * MIB);
    options_free(options);
}

static void what_cannot_hold_is_refused(void **state)
{
    (void)state;
    struct memory_shares shares;
    struct error err = {0};
    assert_int_equal(split((const char *const[]){"--instance-id=x", "--memory-limit=64MiB", NULL}, &shares, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "at least 106 MiB"));
    const char *const twice[] = {"--instance-id=x", "--memory-limit=1GiB", "-X", "fetch.max.bytes=2000000", NULL};
    assert_int_equal(split(twice, &shares, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "fetch.max.bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_nothing_is_set),
        cmocka_unit_test(the_shares_add_up),
        cmocka_unit_test(current_records_get_their_share),
        cmocka_unit_test(what_cannot_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
