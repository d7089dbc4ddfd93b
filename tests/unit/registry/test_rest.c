/* A server that refuses, talks nonsense, or keeps its files elsewhere: each is said in one line with what to do, and
 * nothing it says is believed. */
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/sha256.h"
#include "registry/registry.h"
#include "registry/rest.h"
#include "registry/store.h"
#include "tests/support/fake_http.h"

static char cache[64];
static struct error err;

static int setup(void **state)
{
    (void)state;
    strcpy(cache, "/tmp/rest-test-XXXXXX");
    assert_non_null(mkdtemp(cache));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_discard(cache);
    return 0;
}

static struct registry *opened(const char *url, const char *user, const char *token)
{
    struct registry *registry;
    const struct registry_settings settings = {.tracking_uri = url,
                                               .username.text = user,
                                               .password.text = user,
                                               .token.text = token,
                                               .timeout_ms = 3000,
                                               .cache_dir = cache};
    assert_int_equal(registry_open_with(&settings, &registry, &err), STATUS_OK);
    return registry;
}

/* What registry_models comes to beside that one answer. */
static enum status ask(int http, const char *type, const char *body, struct fake_http *server)
{
    char *answer = fake_http_reply(http, type, body);
    const char *answers[] = {answer};
    struct text_list names;
    *server = (struct fake_http){.answers = answers, .answer_count = 1};
    fake_http_start(server);
    struct registry *registry = opened(server->url, NULL, NULL);
    enum status status = registry_models(registry, &names, &err);
    if (status == STATUS_OK)
        text_list_clear(&names);
    registry_close(registry);
    fake_http_stop(server);
    free(answer);
    return status;
}

static void test_refusals_say_what_to_do(void **state)
{
    (void)state;
    static const struct {
        int http;
        const char *type, *body;
        enum status status;
        const char *said;
    } rows[] = {
        {401, "text/plain", "You are not authenticated.", STATUS_DENIED, "MLFLOW_TRACKING_TOKEN"},
        {403, "text/plain", "Permission denied", STATUS_DENIED, "permissions"},
        {404, "text/html", "<html>nothing</html>", STATUS_UNSUPPORTED, "address of an MLflow server"},
        {200, "text/html", "<html>Log in</html>", STATUS_INVALID, "is it an MLflow server"},
        {200, "application/json", "{\"registered_models\":[", STATUS_INVALID, "is it an MLflow server"},
        {200, "application/json", "[1,2]", STATUS_INVALID, "is it an MLflow server"},
        {400, "application/json", "{\"error_code\":\"INVALID_PARAMETER_VALUE\",\"message\":\"bad\\nname\"}",
         STATUS_INVALID, "INVALID_PARAMETER_VALUE"},
        {200, "application/json", "{\"registered_models\":[{\"name\":\"a\"}],\"next_page_token\":\"again\"}",
         STATUS_LIMIT, "more than 50 pages of registered_models"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct fake_http server;
        enum status status = ask(rows[r].http, rows[r].type, rows[r].body, &server);
        fake_http_free(&server);
        assert_int_equal(status, rows[r].status);
        if (!strstr(err.text, rows[r].said))
            fail_msg("\"%s\" does not say \"%s\"", err.text, rows[r].said);
        assert_null(strchr(err.text, '\n'));
    }
}

static void test_answers_of_other_types_hold_nothing(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{}", "{\"registered_models\":7}", "{\"registered_models\":[7,null,{}]}",
                                         "{\"registered_models\":[{\"name\":[1]}],\"next_page_token\":3}"};
    for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++) {
        struct fake_http server;
        assert_int_equal(ask(200, "application/json", bodies[b], &server), STATUS_OK);
        fake_http_free(&server);
    }
}

/* Sixteen megabytes of lists would take a gigabyte. */
static void test_an_answer_of_many_lists_is_not_read(void **state)
{
    (void)state;
    struct buffer body = {0};
    struct fake_http server;
    buffer_add_text(&body, "{\"registered_models\":[");
    for (int item = 0; item < 300000; item++)
        buffer_add_text(&body, "[],");
    buffer_add(&body, "{}]}", sizeof "{}]}");
    assert_int_equal(ask(200, "application/json", body.data, &server), STATUS_LIMIT);
    assert_non_null(strstr(err.text, "more values than are read"));
    fake_http_free(&server);
    buffer_free(&body);
}

static char *endless_runs(void *context, const char *request)
{
    (void)context;
    bool search = strstr(request, "runs/search") != NULL;
    return fake_http_reply(200, "application/json",
                           search
                               ? "{\"runs\":[{\"info\":{\"run_id\":\"r\"},\"data\":{}}],\"next_page_token\":\"more\"}"
                               : "{\"experiment\":{\"experiment_id\":\"1\",\"lifecycle_stage\":\"active\"}}");
}

/* A list that is not read to its end says so. */
static void test_a_list_of_runs_that_is_cut_says_so(void **state)
{
    (void)state;
    struct fake_http server = {.answer = endless_runs};
    struct run_list runs;
    fake_http_start(&server);
    struct registry *registry = opened(server.url, NULL, NULL);
    assert_int_equal(registry_runs(registry, "e", &runs, &err), STATUS_OK);
    assert_int_equal(runs.count, 20); /* pages */
    assert_true(runs.cut);
    run_list_clear(&runs);
    registry_close(registry);
    fake_http_stop(&server);
    fake_http_free(&server);
}

static void test_credentials_are_sent(void **state)
{
    (void)state;
    static const char *const heads[] = {"\r\nAuthorization: Basic YW5uOmFubg==\r\n",
                                        "\r\nAuthorization: Bearer abc\r\n"};
    char *answer = fake_http_reply(200, "application/json", "{}");
    for (int token = 0; token < 2; token++) {
        const char *answers[] = {answer};
        struct fake_http server = {.answers = answers, .answer_count = 1};
        struct text_list names;
        fake_http_start(&server);
        struct registry *registry = opened(server.url, token ? NULL : "ann", token ? "abc" : NULL);
        assert_int_equal(registry_models(registry, &names, &err), STATUS_OK);
        text_list_clear(&names);
        registry_close(registry);
        fake_http_stop(&server);
        assert_non_null(strstr(server.requests[0], heads[token]));
        fake_http_free(&server);
    }
    free(answer);
}

static void test_too_many_requests_are_asked_again(void **state)
{
    (void)state;
    char *busy = fake_http_reply(429, "text/plain", "slow down"),
         *good = fake_http_reply(200, "application/json", "{}");
    const char *answers[] = {busy, good};
    struct fake_http server = {.answers = answers, .answer_count = 2};
    struct text_list names;
    fake_http_start(&server);
    struct registry *registry = opened(server.url, NULL, NULL);
    assert_int_equal(registry_models(registry, &names, &err), STATUS_OK);
    text_list_clear(&names);
    registry_close(registry);
    fake_http_stop(&server);
    assert_int_equal(server.request_count, 2);
    fake_http_free(&server);
    free(busy);
    free(good);
}

static void test_redirects_are_reported_not_followed(void **state)
{
    (void)state;
    const char *answers[] = {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"};
    struct fake_http server = {.answers = answers, .answer_count = 1};
    struct text_list names;
    fake_http_start(&server);
    struct registry *registry = opened(server.url, NULL, "secret");
    assert_int_equal(registry_models(registry, &names, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.text, "MLFLOW_TRACKING_URI"));
    registry_close(registry);
    fake_http_stop(&server);
    assert_int_equal(server.request_count, 1);
    fake_http_free(&server);
}

static void test_places_that_are_not_passed_on(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        enum status status;
        const char *said;
    } rows[] = {
        {"s3://bucket/1/model", STATUS_UNSUPPORTED, "--serve-artifacts"},
        {"/home/ann/mlruns/1", STATUS_UNSUPPORTED, "--serve-artifacts"},
        {"mlflow-artifacts://elsewhere:5000/1", STATUS_UNSUPPORTED, "another server"},
        {"mlflow-artifacts:/1/../../etc", STATUS_INVALID, "outside"},
        {"mlflow-artifacts:/1/run/artifacts/", STATUS_OK, ""},
    };
    struct registry *registry = opened("http://127.0.0.1:1", NULL, NULL);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        char *path = NULL;
        assert_int_equal(rest_artifact_path(registry, rows[r].uri, &path, &err), rows[r].status);
        if (rows[r].status == STATUS_OK)
            assert_string_equal(path, "1/run/artifacts");
        else
            assert_non_null(strstr(err.text, rows[r].said));
        free(path);
    }
    registry_close(registry);
}

/* A server with one version, whose file is what `sha256` says or not. */
struct one_model {
    const char *sha256;
    atomic_bool down;
};

static char *answer_model(void *context, const char *request)
{
    const struct one_model *model = context;
    char body[512];
    if (model->down)
        return NULL;
    if (strstr(request, "get-download-uri"))
        return fake_http_reply(200, "application/json", "{\"artifact_uri\":\"mlflow-artifacts:/1/m\"}");
    if (strstr(request, "/MLmodel "))
        return fake_http_reply(200, "text/plain", "flavors:\n  onnx:\n    data: model.onnx\n");
    if (strstr(request, "/model.onnx "))
        return fake_http_reply(200, "application/octet-stream", "bytes");
    if (strstr(request, "mlflow-artifacts/artifacts?"))
        return fake_http_reply(200, "application/json", "{\"files\":[{\"path\":\"model.onnx\",\"is_dir\":false}]}");
    snprintf(body, sizeof body,
             "{\"model_version\":{\"name\":\"m\",\"version\":\"3\",\"status\":\"READY\",\"source\":\"mlflow-artifacts:/"
             "1/m\","
             "\"tags\":[{\"key\":\"model.sha256\",\"value\":\"%s\"}]}}",
             model->sha256);
    return fake_http_reply(200, "application/json", body);
}

static const char bytes_digest[] = "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9";

static void test_a_file_is_kept_and_recalled(void **state)
{
    (void)state;
    struct one_model model = {.sha256 = bytes_digest};
    struct fake_http server = {.answer = answer_model, .context = &model};
    struct model_version found, again;
    struct buffer file = {0};
    fake_http_start(&server);
    struct registry *registry = opened(server.url, NULL, NULL);
    assert_int_equal(registry_recall(registry, "models:/m@production", &found, &err), STATUS_NOT_FOUND);
    assert_int_equal(registry_resolve(registry, "models:/m@production", &found, &err), STATUS_OK);
    assert_string_equal(found.version, "3");
    model.down = true;
    assert_int_equal(registry_resolve(registry, "models:/m@production", &again, &err), STATUS_UNAVAILABLE);
    assert_int_equal(registry_recall(registry, "models:/m@production", &again, &err), STATUS_OK);
    assert_string_equal(again.path, found.path);
    assert_int_equal(registry_read(registry, &again, &file, &err), STATUS_OK);
    assert_int_equal(file.bytes, 5);
    buffer_free(&file);
    FILE *damaged = fopen(found.path, "w");
    assert_non_null(damaged);
    fclose(damaged);
    assert_int_equal(registry_read(registry, &again, &file, &err), STATUS_NOT_FOUND);
    model.down = false;
    model_version_clear(&again);
    assert_int_equal(registry_resolve(registry, "models:/m@production", &again, &err), STATUS_OK); /* fetched again */
    assert_int_equal(registry_read(registry, &again, &file, &err), STATUS_OK);
    buffer_free(&file);
    model_version_clear(&again);
    model_version_clear(&found);
    registry_close(registry);
    fake_http_stop(&server);
    fake_http_free(&server);
}

static void test_a_file_that_is_another_is_refused(void **state)
{
    (void)state;
    struct one_model model = {.sha256 = "00"};
    struct fake_http server = {.answer = answer_model, .context = &model};
    struct model_version found;
    fake_http_start(&server);
    struct registry *registry = opened(server.url, NULL, NULL);
    assert_int_equal(registry_resolve(registry, "models:/m/3", &found, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "SHA-256"));
    registry_close(registry);
    fake_http_stop(&server);
    fake_http_free(&server);
}

/* Where another user could have written, what the cache holds is not used: neither the file nor what is remembered. */
static void test_what_others_may_have_kept_is_refused(void **state)
{
    (void)state;
    struct one_model model = {.sha256 = bytes_digest};
    struct fake_http server = {.answer = answer_model, .context = &model};
    struct model_version found, recalled;
    struct buffer file = {0};
    fake_http_start(&server);
    struct registry *registry = opened(server.url, NULL, NULL);
    assert_int_equal(registry_resolve(registry, "models:/m@production", &found, &err), STATUS_OK);
    assert_int_equal(chmod(cache, 0777), 0);
    assert_int_equal(registry_read(registry, &found, &file, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "MODEL_CACHE_DIR"));
    assert_int_equal(registry_recall(registry, "models:/m@production", &recalled, &err), STATUS_DENIED);
    assert_int_equal(chmod(cache, 0700), 0);
    assert_int_equal(registry_recall(registry, "models:/m@production", &recalled, &err), STATUS_OK);
    free(recalled.path);
    recalled.path = strdup("/etc/hostname"); /* as a file of memories might say */
    assert_int_equal(registry_read(registry, &recalled, &file, &err), STATUS_DENIED);
    assert_int_equal(file.bytes, 0);
    buffer_free(&file);
    model_version_clear(&recalled);
    model_version_clear(&found);
    registry_close(registry);
    fake_http_stop(&server);
    fake_http_free(&server);
}

/* Its digest beside it too: the version's tag, which is remembered as well, says that it is another. */
static void test_a_swapped_file_is_refused_without_the_server(void **state)
{
    (void)state;
    struct one_model model = {.sha256 = bytes_digest};
    struct fake_http server = {.answer = answer_model, .context = &model};
    struct model_version found, recalled;
    struct buffer file = {0};
    char digest[SHA256_HEX_BYTES], beside[256];
    fake_http_start(&server);
    struct registry *registry = opened(server.url, NULL, NULL);
    assert_int_equal(registry_resolve(registry, "models:/m@production", &found, &err), STATUS_OK);
    sha256_hex(SPAN_LITERAL("other"), digest);
    snprintf(beside, sizeof beside, "%.*s/sha256", (int)(strrchr(found.path, '/') - found.path), found.path);
    assert_int_equal(file_write_private(found.path, SPAN_LITERAL("other"), &err), STATUS_OK);
    assert_int_equal(file_write_private(beside, span_of(digest), &err), STATUS_OK);
    assert_int_equal(registry_read(registry, &found, &file, &err), STATUS_INVALID);
    assert_int_equal(registry_recall(registry, "models:/m@production", &recalled, &err), STATUS_OK);
    assert_int_equal(registry_read(registry, &recalled, &file, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "not the file that was registered"));
    buffer_free(&file);
    model_version_clear(&recalled);
    model_version_clear(&found);
    registry_close(registry);
    fake_http_stop(&server);
    fake_http_free(&server);
}

/* No home: never a directory that all users share. */
static void test_no_place_that_all_users_share(void **state)
{
    (void)state;
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    char *place = rest_cache_default();
    assert_null(strstr(place, "/tmp"));
    free(place);
    if (home)
        setenv("HOME", home, 1);
    free(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals_say_what_to_do, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_of_other_types_hold_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_answer_of_many_lists_is_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_list_of_runs_that_is_cut_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_credentials_are_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_requests_are_asked_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirects_are_reported_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places_that_are_not_passed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_is_kept_and_recalled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_another_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_others_may_have_kept_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_swapped_file_is_refused_without_the_server, setup, teardown),
        cmocka_unit_test(test_no_place_that_all_users_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
