/* The HTTP client against a server that says what the test set. */
#include "tests/support/test.h"

#include "base/file.h"
#include "base/http_client.h"
#include "base/memory.h"
#include "tests/support/fake_http.h"

static const char fine[] = "HTTP/1.1 200 OK\r\nContent-Type: Application/JSON; charset=utf-8\r\nContent-Length: 2\r\n"
                           "Connection: close\r\n\r\n{}";
static const char busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/* One request to a server with these answers; the server's requests stay to be read. */
static enum status ask(struct fake_http *server, struct http_settings settings, struct http_request request,
                       struct http_response *response, struct error *err)
{
    struct http_client *client;
    fake_http_start(server);
    char *url = NULL;
    assert_true(asprintf(&url, "%s%s", server->url, settings.base_url ? settings.base_url : "") > 0);
    settings.base_url = url;
    assert_int_equal(http_client_new(&settings, &client, err), STATUS_OK);
    enum status status = http_client_send(client, &request, response, err);
    http_client_free(client);
    fake_http_stop(server);
    free(url);
    return status;
}

static void sends_method_path_headers_and_body(void **state)
{
    (void)state;
    const char *answers[] = {fine};
    struct fake_http server = {.answers = answers, .answer_count = 1};
    struct http_response response = {0};
    struct error err = {0};
    const struct http_request request = {
        .method = HTTP_PATCH, .path = "/api?name=a%20b", .body = SPAN_LITERAL("{\"a\":1}")};
    assert_int_equal(ask(&server, (struct http_settings){.base_url = "/some/path/"}, request, &response, &err),
                     STATUS_OK);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.content_type, "application/json");
    assert_string_equal(response.body.data, "{}");
    assert_int_equal(response.body.bytes, 2);
    const char *seen = server.requests[0];
    assert_non_null(strstr(seen, "PATCH /some/path/api?name=a%20b HTTP/1.1\r\n"));
    assert_non_null(strstr(seen, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(seen, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(seen, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(seen, "Authorization"));
    http_response_clear(&response);
    fake_http_free(&server);
}

static void assert_header(struct http_settings settings, const char *wanted)
{
    const char *answers[] = {fine};
    struct fake_http server = {.answers = answers, .answer_count = 1};
    struct http_response response = {0};
    struct error err = {0};
    assert_int_equal(ask(&server, settings, (struct http_request){.path = "/"}, &response, &err), STATUS_OK);
    assert_non_null(strstr(server.requests[0], wanted));
    http_response_clear(&response);
    fake_http_free(&server);
}

static void sends_credentials(void **state)
{
    (void)state;
    assert_header((struct http_settings){.username.text = "ann", .password.text = "secret"},
                  "\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n");
    assert_header((struct http_settings){.username.text = "ann", .password.text = "secret", .token.text = "abc"},
                  "\r\nAuthorization: Bearer abc\r\n");
}

/* A server's token is replaced by writing its file, the new one above the old. */
static void follows_a_secret_whose_file_is_read_again(void **state)
{
    (void)state;
    char path[] = "/tmp/http-secret-XXXXXX";
    const char *answers[] = {fine};
    struct fake_http server = {.answers = answers, .answer_count = 1};
    struct http_response response = {0};
    struct secret_file *file;
    struct http_client *client;
    struct error err = {0};
    bool changed = false;
    close(mkstemp(path));
    assert_int_equal(file_write_atomic(path, SPAN_LITERAL("old\n"), &err), STATUS_OK);
    assert_int_equal(secret_file_new("TOKEN_FILE", path, &file, &err), STATUS_OK);
    fake_http_start(&server);
    const struct http_settings settings = {.base_url = server.url, .token.file = file};
    const struct http_request request = {.path = "/"};
    assert_int_equal(http_client_new(&settings, &client, &err), STATUS_OK);
    assert_int_equal(http_client_send(client, &request, &response, &err), STATUS_OK);
    assert_int_equal(file_write_atomic(path, SPAN_LITERAL("new\nold\n"), &err), STATUS_OK);
    assert_int_equal(secret_file_reread(file, &changed, &err), STATUS_OK);
    assert_true(changed);
    assert_int_equal(http_client_send(client, &request, &response, &err), STATUS_OK);
    assert_int_equal(file_write_atomic(path, SPAN_LITERAL("a\001b"), &err), STATUS_OK);
    assert_int_equal(secret_file_reread(file, &changed, &err), STATUS_OK);
    assert_int_equal(http_client_send(client, &request, &response, &err), STATUS_INVALID);
    http_client_free(client);
    fake_http_stop(&server);
    assert_non_null(strstr(server.requests[0], "\r\nAuthorization: Bearer old\r\n"));
    assert_non_null(strstr(server.requests[1], "\r\nAuthorization: Bearer new\r\n"));
    secret_file_free(file);
    http_response_clear(&response);
    fake_http_free(&server);
    unlink(path);
}

static void takes_credentials_out_of_the_address(void **state)
{
    (void)state;
    const char *answers[] = {fine};
    struct fake_http server = {.answers = answers, .answer_count = 1};
    struct http_client *client;
    struct http_response response = {0};
    struct error err = {0};
    char url[128];
    fake_http_start(&server);
    snprintf(url, sizeof url, "http://ann:s%%40cret@%s/base", server.url + 7);
    assert_int_equal(http_client_new(&(struct http_settings){.base_url = url}, &client, &err), STATUS_OK);
    assert_null(strstr(http_client_url(client), "cret"));
    assert_null(strchr(http_client_url(client), '@'));
    assert_int_equal(http_client_send(client, &(struct http_request){.path = "/x"}, &response, &err), STATUS_OK);
    fake_http_stop(&server);
    assert_non_null(strstr(server.requests[0], "\r\nAuthorization: Basic YW5uOnNAY3JldA==\r\n"));
    assert_int_equal(http_client_send(client, &(struct http_request){.path = "/x?token=1"}, &response, &err),
                     STATUS_UNAVAILABLE);
    assert_null(strstr(err.text, "cret"));
    assert_null(strstr(err.text, "token"));
    http_client_free(client);
    http_response_clear(&response);
    fake_http_free(&server);
}

static size_t tries(enum http_method method, bool repeatable, const char *first, long *last)
{
    const char *answers[] = {first, first, fine};
    struct fake_http server = {.answers = answers, .answer_count = 3};
    struct http_response response = {0};
    struct error err = {0};
    (void)!ask(&server, (struct http_settings){.attempts = 3},
               (struct http_request){.method = method, .path = "/", .repeatable = repeatable}, &response, &err);
    *last = response.status;
    size_t count = server.request_count;
    http_response_clear(&response);
    fake_http_free(&server);
    return count;
}

static void tries_again_what_may_be_repeated(void **state)
{
    (void)state;
    long last;
    assert_int_equal(tries(HTTP_GET, false, busy, &last), 3);
    assert_int_equal(last, 200);
    assert_int_equal(tries(HTTP_GET, false, NULL, &last), 3); /* closed without a word */
    assert_int_equal(last, 200);
    assert_int_equal(tries(HTTP_POST, true, busy, &last), 3);
    assert_int_equal(tries(HTTP_POST, false, busy, &last), 1);
    assert_int_equal(last, 503);
    assert_int_equal(tries(HTTP_POST, false, NULL, &last), 1);
    assert_int_equal(last, 0);
}

static void assert_failure(const char *answer, struct http_settings settings, enum status wanted)
{
    const char *answers[] = {answer};
    struct fake_http server = {.answers = answers, .answer_count = 1};
    struct http_response response = {0};
    struct error err = {0};
    assert_int_equal(ask(&server, settings, (struct http_request){.path = "/"}, &response, &err), wanted);
    assert_int_equal(err.status, wanted);
    assert_non_null(strstr(err.text, "GET http://127.0.0.1:"));
    http_response_clear(&response);
    fake_http_free(&server);
}

static void bounds_answers(void **state)
{
    (void)state;
    const struct http_settings small = {.max_body_bytes = 4};
    assert_failure("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345", small, STATUS_LIMIT);
    assert_failure("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n12345", small, STATUS_LIMIT);
    assert_failure("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n1", small, STATUS_LIMIT); /* not waited for */
}

static void reports_nonsense(void **state)
{
    (void)state;
    assert_failure("SSH-2.0-OpenSSH_9.2\r\n", (struct http_settings){0}, STATUS_INVALID);
    assert_failure("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nshort", (struct http_settings){0},
                   STATUS_UNAVAILABLE);
}

static void gives_up_in_time(void **state)
{
    (void)state;
    assert_failure("", (struct http_settings){.timeout_ms = 100}, STATUS_UNAVAILABLE);
}

static bool always(void *context)
{
    (void)context;
    return true;
}

static void can_be_cancelled(void **state)
{
    (void)state;
    assert_failure("", (struct http_settings){.cancelled = always}, STATUS_UNAVAILABLE);
    assert_failure(NULL, (struct http_settings){.cancelled = always, .attempts = 9}, STATUS_UNAVAILABLE);
}

static void refuses_bad_settings(void **state)
{
    (void)state;
    static const struct {
        struct http_settings settings;
        enum status status;
    } cases[] = {
        {{.base_url = "ftp://host"}, STATUS_INVALID},
        {{.base_url = "http://"}, STATUS_INVALID},
        {{.base_url = "http://ho st"}, STATUS_INVALID},
        {{.base_url = "http://host:99999"}, STATUS_INVALID},
        {{.base_url = "http://host/?a=b"}, STATUS_INVALID},
        {{.base_url = "http://host", .token.text = "a\r\nX: y"}, STATUS_INVALID},
        {{.base_url = "http://host", .username.text = "a:b"}, STATUS_INVALID},
        {{.base_url = "https://host", .ca_file = "/nowhere/ca.pem"}, STATUS_NOT_FOUND},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct http_client *client;
        struct error err = {0};
        assert_int_equal(http_client_new(&cases[c].settings, &client, &err), cases[c].status);
        assert_true(err.text[0] != '\0');
    }
}

static void encodes_names(void **state)
{
    (void)state;
    struct buffer out = {0};
    http_add_encoded(&out, "a b/c&d=\xC3\xA9~", false);
    http_add_encoded(&out, "x/y z", true);
    assert_true(span_equal(buffer_span(&out), span_of("a%20b%2Fc%26d%3D%C3%A9~x/y%20z")));
    buffer_free(&out);
}

static void reads_statuses(void **state)
{
    (void)state;
    static const struct {
        long http;
        enum status status;
    } cases[] = {{200, STATUS_OK},     {204, STATUS_OK},          {302, STATUS_UNSUPPORTED}, {400, STATUS_INVALID},
                 {401, STATUS_DENIED}, {403, STATUS_DENIED},      {404, STATUS_NOT_FOUND},   {409, STATUS_CONFLICT},
                 {413, STATUS_LIMIT},  {429, STATUS_UNAVAILABLE}, {500, STATUS_UNAVAILABLE}, {422, STATUS_INVALID}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_int_equal(http_status_of(cases[c].http), cases[c].status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_method_path_headers_and_body),
        cmocka_unit_test(sends_credentials),
        cmocka_unit_test(follows_a_secret_whose_file_is_read_again),
        cmocka_unit_test(takes_credentials_out_of_the_address),
        cmocka_unit_test(tries_again_what_may_be_repeated),
        cmocka_unit_test(bounds_answers),
        cmocka_unit_test(reports_nonsense),
        cmocka_unit_test(gives_up_in_time),
        cmocka_unit_test(can_be_cancelled),
        cmocka_unit_test(refuses_bad_settings),
        cmocka_unit_test(encodes_names),
        cmocka_unit_test(reads_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
