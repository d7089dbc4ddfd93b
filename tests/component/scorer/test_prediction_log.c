/* The producer of what is predicted over HTTP, against the mock cluster: an error that stays costs neither a storm of
 * producers nor of log lines, and what is under way at the end does not hold it up. */
#include "scorer/http/prediction_log.h"

#include "base/clock.h"
#include "tests/component/lab.h"
#include "tests/support/scorer.h"
#include "tests/support/wait.h"

#include <stdatomic.h>

enum { API_INIT_PRODUCER_ID = 22 };

struct fixture {
    struct lab kafka;
    struct options *options;
    struct settings settings;
    struct prediction_log *log;
    FILE *lines; /* what is written to standard error meanwhile */
    int standard_error;
};

static void set_up(struct fixture *f, const char *log_timeout)
{
    struct error err = {0};
    char servers[160];
    *f = (struct fixture){.lines = tmpfile(), .standard_error = dup(STDERR_FILENO)};
    assert_non_null(f->lines);
    lab_start(&f->kafka, 1);
    lab_create_topic(&f->kafka, "attrition-predictions", 1);
    snprintf(servers, sizeof servers, "--bootstrap-servers=%s", f->kafka.servers);
    f->options = scorer_options((const char *const[]){servers, log_timeout, "--instance-id=t", "--roles=http", NULL});
    if (settings_resolve(f->options, NULL, &f->settings, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    dup2(fileno(f->lines), STDERR_FILENO);
}

static void tear_down(struct fixture *f)
{
    fclose(f->lines);
    settings_release(&f->settings);
    options_free(f->options);
    lab_stop(&f->kafka);
}

/* How often `words` stands in what was logged. */
static size_t count_lines(struct fixture *f, const char *words)
{
    static char text[1 << 20];
    size_t count = 0;
    fflush(stderr);
    dup2(f->standard_error, STDERR_FILENO);
    close(f->standard_error);
    rewind(f->lines);
    text[fread(text, 1, sizeof text - 1, f->lines)] = '\0';
    for (const char *at = text; *words && (at = strstr(at, words)); at++)
        count++;
    return count;
}

struct report {
    atomic_bool called, acknowledged;
};

static void on_report(void *context, bool acknowledged)
{
    struct report *report = context;
    report->acknowledged = acknowledged;
    report->called = true;
}

static bool send_one(struct prediction_log *log, struct report *report)
{
    struct prediction_log_records records = {0};
    *report = (struct report){false, false};
    prediction_log_begin_record(&records, SPAN_LITERAL("e-1"));
    buffer_add(&records.bytes, "x", 1);
    prediction_log_end_record(&records);
    bool sent = prediction_log_send(log, &records, on_report, report);
    prediction_log_records_clear(&records);
    return sent;
}

static bool is_logged(struct prediction_log *log)
{
    struct report report;
    if (!send_one(log, &report))
        return false;
    WAIT_UNTIL(report.called, "no report");
    return report.acknowledged;
}

/* As without IdempotentWrite on a cluster before 2.8: each fresh producer meets the same error at once. Three times it
 * does: without a backoff that is over in a moment; with one, the pauses are 1 s and 2 s. */
static void an_error_that_stays_is_met_seldom_and_logged_once(void **state)
{
    (void)state;
    struct fixture f;
    struct error err;
    const rd_kafka_resp_err_t denied = RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    set_up(&f, "--http-log-timeout=3s");
    rd_kafka_mock_push_request_errors(f.kafka.cluster, API_INIT_PRODUCER_ID, 3, denied, denied, denied);
    int64_t began_us = clock_steady_us(&clock_system);
    assert_int_equal(prediction_log_new(&f.settings, &f.log, &err), STATUS_OK);
    WAIT_UNTIL(is_logged(f.log), "never logged again");
    int64_t took_us = clock_steady_us(&clock_system) - began_us;
    prediction_log_free(f.log);
    size_t failures = count_lines(&f, "cannot be logged");
    assert_true(took_us > 2900000);
    assert_int_equal(failures, 1);
    tear_down(&f);
}

/* Nobody acknowledges, and HTTP_LOG_TIMEOUT is long: the end comes after a second all the same. */
static void what_is_under_way_does_not_hold_up_the_end(void **state)
{
    (void)state;
    struct fixture f;
    struct error err;
    struct report report;
    set_up(&f, "--http-log-timeout=60s");
    assert_int_equal(rd_kafka_mock_broker_set_down(f.kafka.cluster, 1), 0);
    assert_int_equal(prediction_log_new(&f.settings, &f.log, &err), STATUS_OK);
    assert_true(send_one(f.log, &report));
    int64_t began_us = clock_steady_us(&clock_system);
    prediction_log_stop(f.log);
    WAIT_UNTIL(report.called, "no report");
    assert_false(report.acknowledged);
    prediction_log_free(f.log);
    int64_t took_us = clock_steady_us(&clock_system) - began_us;
    (void)count_lines(&f, "");
    assert_true(took_us < 30000000);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_that_stays_is_met_seldom_and_logged_once),
        cmocka_unit_test(what_is_under_way_does_not_hold_up_the_end),
    };
    return cmocka_run_group_tests_name("scorer/http/prediction_log", tests, NULL, NULL);
}
