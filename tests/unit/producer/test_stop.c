/* producer/stop.h: one request is one request, even where it comes twice. */
#include <signal.h>
#include <sys/wait.h>

#include "producer/stop.h"
#include "tests/unit/producer/unit.h"

/* How a process ended that got the signal twice, `pause_us` apart; 0: it went on. */
static int killed_by(int number, useconds_t pause_us)
{
    pid_t child = fork();
    if (child == 0) {
        signal(number, SIG_DFL); /* the test may itself run under nohup */
        stop_catch_signals();
        raise(number);
        usleep(pause_us);
        raise(number);
        _exit(stop_requested ? 0 : 1);
    }
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) || WEXITSTATUS(ended) == 0);
    return WIFSIGNALED(ended) ? WTERMSIG(ended) : 0;
}

/* timeout(1) sends its signal to the process and to its group. */
static void test_a_doubled_signal_is_one_request(void **state)
{
    (void)state;
    assert_int_equal(killed_by(SIGTERM, 0), 0);
    assert_int_equal(killed_by(SIGINT, 0), 0);
}

static void test_a_second_request_ends_at_once(void **state)
{
    (void)state;
    assert_int_equal(killed_by(SIGTERM, 700 * 1000), SIGTERM);
    assert_int_equal(killed_by(SIGINT, 700 * 1000), SIGINT);
}

/* With the disposition of HUP that a process begins with. */
static int ended_by_hangup(void (*disposition)(int))
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGHUP, disposition);
        stop_catch_signals();
        raise(SIGHUP);
        _exit(stop_requested ? 3 : 4);
    }
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended));
    return WEXITSTATUS(ended);
}

static void test_a_closed_terminal_is_a_request_but_under_nohup(void **state)
{
    (void)state;
    assert_int_equal(ended_by_hangup(SIG_DFL), 3);
    assert_int_equal(ended_by_hangup(SIG_IGN), 4);
    assert_int_equal(killed_by(SIGHUP, 700 * 1000), 0); /* a shell that ends may pass a second one on */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_doubled_signal_is_one_request),
        cmocka_unit_test(test_a_second_request_ends_at_once),
        cmocka_unit_test(test_a_closed_terminal_is_a_request_but_under_nohup),
    };
    return cmocka_run_group_tests_name("producer/stop", tests, NULL, NULL);
}
