/* base/background_call.h: one call at a time, seen to run and waited for; what it wrote is there afterwards. */
#include "tests/unit/base/unit.h"

#include <semaphore.h>

#include "base/background_call.h"
#include "tests/support/wait.h"

struct call {
    sem_t go;
    int made; /* written by the call alone */
};

static void make(void *context)
{
    struct call *call = context;
    sem_wait(&call->go);
    call->made++;
}

static struct background_call *made(void)
{
    struct background_call *background;
    struct error err;
    assert_int_equal(background_call_new(&background, &err), STATUS_OK);
    return background;
}

static void a_call_runs_while_its_caller_goes_on(void **state)
{
    (void)state;
    struct call call = {0};
    assert_int_equal(sem_init(&call.go, 0, 0), 0);
    struct background_call *background = made();
    assert_false(background_call_runs(background));
    background_call_wait(background);
    background_call_start(background, make, &call);
    assert_true(background_call_runs(background));
    sem_post(&call.go);
    WAIT_UNTIL(!background_call_runs(background), "the call still runs");
    assert_int_equal(call.made, 1);
    background_call_free(background);
}

static void calls_follow_each_other(void **state)
{
    (void)state;
    struct call call = {0};
    assert_int_equal(sem_init(&call.go, 0, 1000), 0);
    struct background_call *background = made();
    for (int i = 1; i <= 1000; i++) {
        background_call_start(background, make, &call);
        background_call_wait(background);
        assert_false(background_call_runs(background));
        assert_int_equal(call.made, i);
    }
    background_call_free(background);
}

static void the_end_waits_for_the_call(void **state)
{
    (void)state;
    struct call call = {0};
    assert_int_equal(sem_init(&call.go, 0, 1), 0);
    struct background_call *background = made();
    background_call_start(background, make, &call);
    background_call_free(background);
    assert_int_equal(call.made, 1);
    background_call_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_runs_while_its_caller_goes_on),
        cmocka_unit_test(calls_follow_each_other),
        cmocka_unit_test(the_end_waits_for_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
