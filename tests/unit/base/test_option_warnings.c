/* base/option_warnings.c: what about the settings is unsafe is named, with what to do, and never with the secret. */
#include "tests/unit/base/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/options_private.h"

static int run(const struct options *options)
{
    (void)options;
    return 0;
}

/* Of a scorer; both lists end with NULL. */
static struct options *parse(char **arguments, char **environment)
{
    static const struct subcommand rows[] = {{"run", "", "run the daemon", .run = run}, {0}};
    char name[] = "program", *argv[32] = {name};
    int argc = 1;
    bool exit_now;
    struct options *options = NULL;
    struct error err;
    while (*arguments)
        argv[argc++] = *arguments++;
    assert_int_equal(options_parse(PROGRAM_SCORER, rows, argc, argv, environment, &options, &exit_now, &err),
                     STATUS_OK);
    return options;
}

#define LIST(...) ((char **)(uintptr_t)(const char *[]){__VA_ARGS__, NULL})
#define NONE LIST(NULL)

/* A file of this test's own, overwritten by the next call. */
static char *file_with(const char *content)
{
    static char path[64];
    struct error failed;
    snprintf(path, sizeof path, "/tmp/test-option-warnings-%ld", (long)getpid());
    assert_int_equal(file_write_atomic(path, span_of(content), &failed), STATUS_OK);
    return path;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file_with(""));
}

/* The warnings of these arguments and variables hold each of the parts, one a line, and nothing of the secret. */
static void assert_warns(char **arguments, char **environment, size_t count, const char *part)
{
    struct buffer lines = {0};
    struct options *options = parse(arguments, environment);
    option_warnings(options, &lines);
    buffer_add_u8(&lines, '\0');
    size_t found = 0;
    for (const char *at = lines.data; *at; at++)
        found += *at == '\n';
    assert_int_equal(found, count);
    if (count)
        assert_non_null(strstr(lines.data, part));
    assert_null(strstr(lines.data, "hush"));
    buffer_free(&lines);
    options_free(options);
}

static void unsafe_settings_are_warned_of(void **state)
{
    (void)state;
    char variable[128];
    assert_warns(NONE, NONE, 0, "");
    assert_warns(LIST("run", "--http-token", "hush"), NONE, 1, "HTTP_TOKEN_FILE");
    assert_warns(LIST("run", "--database-url", "postgresql://me:hush@localhost/d"), NONE, 1, "DATABASE_URL_FILE");
    assert_warns(LIST("run", "--database-url", "postgresql://me@localhost/d", "--tracking-username", "me"), NONE, 0,
                 "");
    assert_warns(LIST("run", "-X", "sasl.password=hush"), NONE, 1, "sasl.password");
    assert_warns(NONE,
                 LIST("HTTP_TOKEN=hush", "DATABASE_URL=postgresql://me:hush@localhost/d", "KAFKA_SASL_PASSWORD=hush"),
                 0, "");
    assert_warns(NONE, LIST("MLFLOW_TRACKING_URI=http://ml:5000", "MLFLOW_TRACKING_TOKEN=hush"), 1, "https://");
    assert_warns(NONE, LIST("MLFLOW_TRACKING_URI=https://ml:5000", "MLFLOW_TRACKING_TOKEN=hush"), 0, "");
    assert_warns(NONE, LIST("MLFLOW_TRACKING_URI=http://127.0.0.1:5000", "MLFLOW_TRACKING_TOKEN=hush"), 0, "");
    assert_warns(NONE, LIST("SCHEMA_REGISTRY_URL=http://me:hush@sr:8081"), 1, "SCHEMA_REGISTRY_URL");
    assert_warns(NONE, LIST("STREAM_URL=http://scorer:8080", "HTTP_TOKEN=hush"), 1, "STREAM_URL");
    assert_warns(NONE, LIST("MLFLOW_TRACKING_INSECURE_TLS=true"), 1, "any server can pass for MLflow");
    assert_warns(NONE, LIST("KAFKA_ENABLE_SSL_CERTIFICATE_VERIFICATION=false"), 1, "KAFKA_SSL_CA_LOCATION");
    assert_warns(LIST("run", "-X", "ssl.endpoint.identification.algorithm=none"), NONE, 1, "same authority");
    assert_warns(NONE, LIST("KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT", "KAFKA_BOOTSTRAP_SERVERS=b:1"), 1, "SASL_SSL");
    const char *path = file_with("hush");
    snprintf(variable, sizeof variable, "HTTP_TOKEN_FILE=%s", path);
    assert_int_equal(chmod(path, 0644), 0);
    assert_warns(NONE, LIST(variable), 1, "chmod 600");
    assert_int_equal(chmod(path, 0622), 0);
    assert_warns(NONE, LIST(variable), 1, "may change");
    assert_int_equal(chmod(path, 0600), 0);
    assert_warns(NONE, LIST(variable), 0, "");
    assert_warns(LIST("run", "-X", "ssl.key.pem=hush"), NONE, 1, "ssl.key.pem");
    assert_warns(NONE, LIST("SCHEMA_REGISTRY_URL=https://sr:1,http://sr:2", "SCHEMA_REGISTRY_TOKEN=hush"), 1, "https:");
    assert_warns(NONE, LIST("MLFLOW_TRACKING_URI=http://127.example:5000", "MLFLOW_TRACKING_TOKEN=hush"), 1, "https:");
    assert_warns(NONE, LIST("STREAM_URL=http://localhost.example", "HTTP_TOKEN=hush"), 1, "STREAM_URL");
}

static void a_config_file_is_kept_from_others(void **state)
{
    (void)state;
    char *path = file_with("workers = 3\n");
    assert_int_equal(chmod(path, 0644), 0);
    assert_warns(LIST("run", "--config", path), NONE, 0, "");
    assert_int_equal(chmod(path, 0646), 0);
    assert_warns(LIST("run", "--config", path), NONE, 1, "chmod o-w");
    file_with("http-token = hush\n");
    assert_int_equal(chmod(path, 0644), 0);
    assert_warns(LIST("run", "--config", path), NONE, 1, "may read");
    assert_warns(LIST("run", "--config", path, "--http-token", "hush"), NONE, 1, "HTTP_TOKEN_FILE");
    assert_int_equal(chmod(path, 0600), 0);
    assert_warns(LIST("run", "--config", path), NONE, 0, "");
}

static void a_database_that_is_not_verified_is_warned_of(void **state)
{
    (void)state;
    static const char *const far[] = {"postgresql://me@h/d", "postgresql://me:hush@h/d", "host = h password = hush",
                                      "postgresql:///d?host=h&password=hush",
                                      "postgresql://me:hush@h/d?sslmode=require"};
    static const char *const near[] = {
        "postgresql://me@h,i/d?sslmode=verify-full", "postgresql://me:hush@localhost:5432/d",
        "postgresql:///d?host=/run/x&password=hush", "postgresql:///d?host=localhost&password=hush",
        "postgresql://me:hush@%2Frun%2Fx/d",         "password=hush",
        "host=h password=hush sslmode=verify-full"};
    char variable[128];
    for (size_t f = 0; f < sizeof far / sizeof *far; f++) {
        snprintf(variable, sizeof variable, "DATABASE_URL=%s", far[f]);
        assert_warns(NONE, LIST(variable), 1, "sslmode=verify-full");
    }
    for (size_t n = 0; n < sizeof near / sizeof *near; n++) {
        snprintf(variable, sizeof variable, "DATABASE_URL=%s", near[n]);
        assert_warns(NONE, LIST(variable), 0, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsafe_settings_are_warned_of),
        cmocka_unit_test(a_config_file_is_kept_from_others),
        cmocka_unit_test(a_database_that_is_not_verified_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, remove_file);
}
