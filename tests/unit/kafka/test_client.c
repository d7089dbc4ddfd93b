/* kafka/client.c: which property reaches which client, what is refused, what is kept secret. No broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kafka/client.h"
#include "kafka/credentials.h"

static int no_run(const struct options *options)
{
    (void)options;
    return 0;
}

static const struct subcommand subcommands[] = {{"run", "", "", .run = no_run}, {0}};

static struct options *options_of(const char *const *environment, int argc, const char *const *argv)
{
    struct options *options;
    struct error err;
    bool exit_now = false;
    assert_int_equal(options_parse(PROGRAM_SCORER, subcommands, argc, (char **)argv, (char **)environment, &options,
                                   &exit_now, &err),
                     STATUS_OK);
    return options;
}

static struct options *with_environment(const char *const *environment)
{
    const char *argv[] = {"scorer", NULL};
    return options_of(environment, 1, argv);
}

static enum status conf_of(const struct options *options, rd_kafka_type_t type, const char *name, char out[512],
                           struct error *err)
{
    rd_kafka_conf_t *conf;
    size_t bytes = 512;
    enum status status = kafka_conf(options, type, NULL, &conf, err);
    if (status != STATUS_OK)
        return status;
    if (rd_kafka_conf_get(conf, name, out, &bytes) != RD_KAFKA_CONF_OK)
        strcpy(out, "(unknown)");
    rd_kafka_conf_destroy(conf);
    return STATUS_OK;
}

static void environment_reaches_the_client_that_knows_it(void **state)
{
    (void)state;
    const char *environment[] = {"KAFKA_SASL_USERNAME=ann", "KAFKA_LINGER_MS=77", "KAFKA_SESSION_TIMEOUT_MS=12345",
                                 "KAFKA_PORT=tcp://10.0.0.1:9092", NULL};
    struct options *options = with_environment(environment);
    struct error err;
    char value[512];
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "sasl.username", value, &err), STATUS_OK);
    assert_string_equal(value, "ann");
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "linger.ms", value, &err), STATUS_OK);
    assert_string_equal(value, "77");
    assert_int_equal(conf_of(options, RD_KAFKA_CONSUMER, "session.timeout.ms", value, &err), STATUS_OK);
    assert_string_equal(value, "12345");
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "session.timeout.ms", value, &err), STATUS_OK);
    assert_string_not_equal(value, "12345");
    options_free(options);
}

static void defaults_are_ours(void **state)
{
    (void)state;
    const char *environment[] = {NULL};
    struct options *options = with_environment(environment);
    struct error err;
    char value[512];
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "partitioner", value, &err), STATUS_OK);
    assert_string_equal(value, "murmur2_random");
    assert_int_equal(conf_of(options, RD_KAFKA_CONSUMER, "enable.auto.commit", value, &err), STATUS_OK);
    assert_string_equal(value, "false");
    assert_int_equal(conf_of(options, RD_KAFKA_CONSUMER, "auto.offset.reset", value, &err), STATUS_OK);
    assert_true(!strcmp(value, "earliest") || !strcmp(value, "smallest"));
    options_free(options);
}

static void the_flag_goes_before_the_environment(void **state)
{
    (void)state;
    const char *environment[] = {"KAFKA_BOOTSTRAP_SERVERS=env:1", "KAFKA_LINGER_MS=77", NULL};
    const char *argv[] = {"scorer", "--bootstrap-servers=flag:2", "-X", "linger.ms=3", NULL};
    struct options *options = options_of(environment, 4, argv);
    struct error err;
    char value[512];
    assert_int_equal(conf_of(options, RD_KAFKA_CONSUMER, "bootstrap.servers", value, &err), STATUS_OK);
    assert_string_equal(value, "flag:2");
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "linger.ms", value, &err), STATUS_OK);
    assert_true(!strcmp(value, "3"));
    options_free(options);
}

static void what_the_guarantee_rests_on_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "transactional.id",         "enable.idempotence",           "isolation.level", "enable.auto.commit", "group.id",
        "enable.auto.offset.store", "partition.assignment.strategy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char pair[128], value[512];
        const char *environment[] = {NULL}, *argv[] = {"scorer", "-X", pair, NULL};
        struct error err = {0};
        snprintf(pair, sizeof pair, "%s=x", names[i]);
        struct options *options = options_of(environment, 3, argv);
        assert_int_equal(conf_of(options, RD_KAFKA_CONSUMER, "client.id", value, &err), STATUS_INVALID);
        assert_non_null(strstr(err.text, names[i]));
        assert_non_null(strstr(err.text, "cannot be set: "));
        options_free(options);
    }
    const char *environment[] = {"KAFKA_TRANSACTIONAL_ID=x", NULL};
    struct options *options = with_environment(environment);
    struct error err = {0};
    char value[512];
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "client.id", value, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "KAFKA_TRANSACTIONAL_ID"));
    options_free(options);
}

static void an_unknown_property_is_an_error_only_on_the_command_line(void **state)
{
    (void)state;
    const char *none[] = {NULL}, *argv[] = {"scorer", "-X", "linger.mss=3", NULL};
    struct options *options = options_of(none, 3, argv);
    struct error err = {0};
    char value[512];
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "client.id", value, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "linger.mss"));
    options_free(options);
    const char *environment[] = {"KAFKA_HEAP_OPTS=-Xmx1g", NULL};
    options = with_environment(environment);
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "client.id", value, &err), STATUS_OK);
    options_free(options);
}

static void a_secret_is_never_in_an_error(void **state)
{
    (void)state;
    const char *none[] = {NULL},
               *argv[] = {"scorer", "-X", "ssl.key.pem=hunter2", "-X", "socket.timeout.ms=zebra", NULL};
    struct options *options = options_of(none, 5, argv);
    struct error err = {0};
    char value[512];
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "client.id", value, &err), STATUS_INVALID);
    assert_null(strstr(err.text, "hunter2"));
    options_free(options);
}

static void a_secret_may_come_from_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/attrition-test-XXXXXX", variable[256], value[512];
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, "s3cret\n", 7), 7);
    close(file);
    snprintf(variable, sizeof variable, "KAFKA_SASL_PASSWORD_FILE=%s", path);
    const char *environment[] = {variable, NULL};
    struct options *options = with_environment(environment);
    struct error err = {0};
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "sasl.password", value, &err), STATUS_OK);
    assert_string_equal(value, "s3cret");
    unlink(path);
    options_free(options);
}

static void nobody_there_is_unavailable_at_the_deadline(void **state)
{
    (void)state;
    const char *none[] = {NULL}, *argv[] = {"scorer", "--bootstrap-servers=127.0.0.1:1", NULL};
    struct options *options = options_of(none, 2, argv);
    struct error err = {0};
    rd_kafka_conf_t *conf;
    rd_kafka_t *client;
    assert_int_equal(kafka_conf(options, RD_KAFKA_PRODUCER, NULL, &conf, &err), STATUS_OK);
    assert_int_equal(kafka_client_new(RD_KAFKA_PRODUCER, &conf, &client, &err), STATUS_OK);
    assert_null(conf);
    assert_int_equal(kafka_wait_for_broker(client, "test", 1, NULL, &err), STATUS_UNAVAILABLE);
    assert_false(kafka_up());
    rd_kafka_destroy(client);
    options_free(options);
}

/* librdkafka 2.0 fails after interceptors were called, and frees theirs; so the conf is left, here in sight of the leak
 * checker. */
static void a_certificate_that_is_missing_is_an_error(void **state)
{
    static rd_kafka_conf_t *left;
    (void)state;
    const char *environment[] = {"KAFKA_SECURITY_PROTOCOL=SSL", "KAFKA_SSL_CA_LOCATION=/none", NULL};
    struct options *options = with_environment(environment);
    struct error err = {0};
    rd_kafka_conf_t *conf;
    rd_kafka_t *client;
    assert_int_equal(kafka_conf(options, RD_KAFKA_PRODUCER, NULL, &conf, &err), STATUS_OK);
    left = conf;
    assert_int_equal(kafka_client_new(RD_KAFKA_PRODUCER, &conf, &client, &err), STATUS_INVALID);
    assert_non_null(left);
    assert_non_null(strstr(err.text, "ssl.ca.location"));
    assert_null(conf);
    kafka_renew_credentials(options); /* of those that are running: it is not among them */
    options_free(options);
}

static void errors_have_a_status(void **state)
{
    (void)state;
    assert_int_equal(kafka_status(RD_KAFKA_RESP_ERR_NO_ERROR), STATUS_OK);
    assert_int_equal(kafka_status(RD_KAFKA_RESP_ERR__TRANSPORT), STATUS_UNAVAILABLE);
    assert_int_equal(kafka_status(RD_KAFKA_RESP_ERR__TIMED_OUT), STATUS_UNAVAILABLE);
    assert_int_equal(kafka_status(RD_KAFKA_RESP_ERR__FENCED), STATUS_CONFLICT);
    assert_int_equal(kafka_status(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), STATUS_DENIED);
    assert_int_equal(kafka_status(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), STATUS_NOT_FOUND);
    assert_int_equal(kafka_status(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), STATUS_LIMIT);
}

static void what_is_said_elsewhere_is_refused_with_the_place(void **state)
{
    (void)state;
    const char *environment[] = {"KAFKA_METADATA_BROKER_LIST=other:9092", NULL};
    const char *argv[] = {"scorer", "--bootstrap-servers", " , ", NULL};
    struct error err;
    char value[512];
    struct options *options = with_environment(environment);
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "linger.ms", value, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "--bootstrap-servers"));
    options_free(options);
    options = options_of((const char *const[]){NULL}, 3, argv);
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "linger.ms", value, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "--bootstrap-servers"));
    options_free(options);
}

/* Valgrind and the address sanitizer see what was said of it: the name that was never made. */
static void long_variables_are_passed_over(void **state)
{
    (void)state;
    char variable[300], value[512];
    const char *environment[] = {variable, NULL};
    struct error err;
    snprintf(variable, sizeof variable, "KAFKA_%0200d=1", 0);
    struct options *options = with_environment(environment);
    assert_int_equal(conf_of(options, RD_KAFKA_PRODUCER, "linger.ms", value, &err), STATUS_OK);
    options_free(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_reaches_the_client_that_knows_it),
        cmocka_unit_test(a_certificate_that_is_missing_is_an_error),
        cmocka_unit_test(defaults_are_ours),
        cmocka_unit_test(the_flag_goes_before_the_environment),
        cmocka_unit_test(what_the_guarantee_rests_on_is_refused),
        cmocka_unit_test(an_unknown_property_is_an_error_only_on_the_command_line),
        cmocka_unit_test(a_secret_is_never_in_an_error),
        cmocka_unit_test(a_secret_may_come_from_a_file),
        cmocka_unit_test(nobody_there_is_unavailable_at_the_deadline),
        cmocka_unit_test(errors_have_a_status),
        cmocka_unit_test(what_is_said_elsewhere_is_refused_with_the_place),
        cmocka_unit_test(long_variables_are_passed_over),
    };
    return cmocka_run_group_tests_name("kafka/client", tests, NULL, NULL);
}
