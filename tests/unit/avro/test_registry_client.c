/* The registry's client and the plan cache before it, against a server that gives the answers it was given. */
#include "avro/registry_client.h"

#include <unistd.h>

#include "tests/support/fake_http.h"
#include "tests/support/test.h"
#include "tests/support/wait.h"

#define REPLY(STATUS, BYTES, BODY) "HTTP/1.1 " STATUS "\r\nContent-Length: " BYTES "\r\nConnection: close\r\n\r\n" BODY

static const char known[] = REPLY("200 OK", "20", "{\"schema\":\"\\\"int\\\"\"}");
static const char unknown[] = REPLY("404 Not Found", "20", "{\"error_code\":40403}");
static const char refused[] = REPLY("401 Unauthorized", "0", "");
static const char gateway[] = REPLY("502 Bad Gateway", "11", "<html>Bad</");
static const char moved[] = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: "
                            "close\r\n\r\n";
static struct buffer text;
static struct error why;

static struct registry_settings settings_of(const char *urls)
{
    return (struct registry_settings){
        .urls = urls, .timeout_us = 5000000, .unknown_us = 3600000000, .pause_first_us = 1000};
}

static struct registry_client *start(const struct registry_settings *settings)
{
    struct registry_client *client;
    struct error err;
    if (registry_client_new(settings, NULL, &client, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return client;
}

static enum registry_find find_now(struct registry_client *client, uint32_t id)
{
    const struct schema_key key = schema_key_of_id(id);
    return registry_client_find(client, &key, &text, &why);
}

static enum registry_find find(struct registry_client *client, uint32_t id)
{
    enum registry_find found;
    WAIT_UNTIL((found = find_now(client, id)) != REGISTRY_FIND_WAIT, "schema %u is still asked for", id);
    return found;
}

static void end(struct registry_client *client, struct fake_http *server)
{
    registry_client_free(client);
    fake_http_stop(server);
    fake_http_free(server);
}

static void asks_once_for_each_id(void **state)
{
    (void)state;
    const char *answers[] = {known, unknown};
    struct fake_http server = {.answers = answers, .answer_count = 2};
    fake_http_start(&server);
    const struct registry_settings settings = settings_of(server.url);
    struct registry_client *client = start(&settings);
    for (int again = 0; again < 100; again++)
        (void)find_now(client, 7);
    assert_int_equal(find(client, 7), REGISTRY_FIND_SCHEMA);
    assert_true(span_equal(buffer_span(&text), SPAN_LITERAL("\"int\"")));
    for (int again = 0; again < 100; again++)
        assert_int_equal(find(client, 8), REGISTRY_FIND_UNKNOWN);
    assert_int_equal(find_now(client, 0), REGISTRY_FIND_UNKNOWN);
    assert_int_equal(find_now(client, UINT32_MAX), REGISTRY_FIND_UNKNOWN);
    assert_int_equal(registry_client_requests(client), 2);
    assert_int_equal(registry_client_answers(client), 2);
    assert_true(registry_client_up(client));
    registry_client_free(client);
    fake_http_stop(&server);
    assert_int_equal(server.request_count, 2);
    assert_non_null(strstr(server.requests[0], "GET /schemas/ids/7 HTTP"));
    assert_non_null(strstr(server.requests[1], "GET /schemas/ids/8 HTTP"));
    assert_null(strstr(server.requests[0], "Authorization"));
    fake_http_free(&server);
}

static void unknown_is_believed_for_a_while(void **state)
{
    (void)state;
    const char *answers[] = {unknown, known};
    struct fake_http server = {.answers = answers, .answer_count = 2};
    fake_http_start(&server);
    struct registry_settings settings = settings_of(server.url);
    settings.unknown_us = 1;
    struct registry_client *client = start(&settings);
    assert_int_equal(find_now(client, 7), REGISTRY_FIND_WAIT);
    WAIT_UNTIL(registry_client_answers(client) > 0, "no answer");
    assert_int_equal(find_now(client, 7), REGISTRY_FIND_WAIT); /* it has expired: asked again */
    assert_int_equal(find(client, 7), REGISTRY_FIND_SCHEMA);
    assert_int_equal(registry_client_requests(client), 2);
    end(client, &server);
}

static void asks_again_after_an_outage(void **state)
{
    (void)state;
    const char *answers[] = {gateway, NULL, refused, moved, "nonsense\r\n\r\n", known};
    struct fake_http server = {.answers = answers, .answer_count = 6};
    fake_http_start(&server);
    const struct registry_settings settings = settings_of(server.url);
    struct registry_client *client = start(&settings);
    assert_int_equal(find(client, 7), REGISTRY_FIND_SCHEMA);
    assert_true(registry_client_requests(client) >= 6);
    assert_int_equal(registry_client_answers(client), 1);
    assert_true(registry_client_up(client));
    end(client, &server);
}

static void silence_is_an_outage(void **state)
{
    (void)state;
    const char *answers[] = {""};
    struct fake_http server = {.answers = answers, .answer_count = 1};
    fake_http_start(&server);
    struct registry_settings settings = settings_of(server.url);
    settings.timeout_us = 50000;
    struct registry_client *client = start(&settings);
    assert_int_equal(find_now(client, 7), REGISTRY_FIND_WAIT);
    WAIT_UNTIL(!registry_client_up(client), "a silent registry is still taken for available");
    assert_int_equal(find_now(client, 7), REGISTRY_FIND_WAIT);
    assert_int_equal(registry_client_answers(client), 0);
    end(client, &server); /* and it ends, a request under way or not */
}

static void the_next_address_is_asked(void **state)
{
    (void)state;
    const char *first[] = {gateway}, *second[] = {known};
    struct fake_http unavailable = {.answers = first, .answer_count = 1}, fine = {.answers = second, .answer_count = 1};
    char urls[160];
    fake_http_start(&unavailable);
    fake_http_start(&fine);
    snprintf(urls, sizeof urls, " http://127.0.0.1:1, %s ,%s/base/", unavailable.url, fine.url);
    const struct registry_settings settings = settings_of(urls);
    struct registry_client *client = start(&settings);
    assert_int_equal(find(client, 7), REGISTRY_FIND_SCHEMA);
    assert_int_equal(find(client, 8), REGISTRY_FIND_SCHEMA);
    assert_int_equal(registry_client_requests(client), 4); /* the one that answered is asked first then */
    registry_client_free(client);
    fake_http_stop(&unavailable);
    fake_http_stop(&fine);
    assert_int_equal(unavailable.request_count, 1);
    assert_non_null(strstr(fine.requests[1], "GET /base/schemas/ids/8 HTTP"));
    fake_http_free(&unavailable);
    fake_http_free(&fine);
}

static void assert_credentials(struct registry_settings settings, const char *wanted)
{
    const char *answers[] = {known};
    struct fake_http server = {.answers = answers, .answer_count = 1};
    fake_http_start(&server);
    settings.urls = server.url;
    struct registry_client *client = start(&settings);
    assert_int_equal(find(client, 7), REGISTRY_FIND_SCHEMA);
    registry_client_free(client);
    fake_http_stop(&server);
    assert_non_null(strstr(server.requests[0], wanted));
    fake_http_free(&server);
}

static void sends_credentials(void **state)
{
    (void)state;
    struct registry_settings settings = settings_of(NULL);
    settings.username.text = "ann";
    settings.password.text = "secret";
    assert_credentials(settings, "\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n");
    settings.token.text = "abc";
    assert_credentials(settings, "\r\nAuthorization: Bearer abc\r\n");
}

static int free_text(void **state)
{
    (void)state;
    buffer_free(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_once_for_each_id),      cmocka_unit_test(unknown_is_believed_for_a_while),
        cmocka_unit_test(asks_again_after_an_outage), cmocka_unit_test(silence_is_an_outage),
        cmocka_unit_test(the_next_address_is_asked),  cmocka_unit_test(sends_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, free_text);
}
