/* scorer/http/ over a real socket: routes, statuses, tokens, and numbers that add up. No other server. */
#include "tests/support/scorer.h"
#include "tests/support/wait.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "scorer/http/http.h"

struct lab {
    struct options *options;
    struct settings settings;
    struct counters counters[2];
    const struct counters *list[2];
    _Atomic bool draining;
    struct http *http;
};

static enum status start(struct lab *lab, const char *listen_at, const char *token, struct error *err)
{
    const char *words[] = {"--roles=sink,http", "--instance-id=x", listen_at, token, NULL};
    *lab = (struct lab){.options = scorer_options(words)};
    assert_int_equal(settings_resolve(lab->options, NULL, &lab->settings, err), STATUS_OK);
    for (size_t i = 0; i < 2; i++)
        lab->list[i] = &lab->counters[i];
    const struct http_view view = {
        .settings = &lab->settings, .counters = lab->list, .counters_count = 2, .draining = &lab->draining};
    return http_new(&view, &lab->http, err);
}

static void stop(struct lab *lab)
{
    http_free(lab->http);
    options_free(lab->options);
}

/* One request; returns the status code and the body (static). */
static int ask(const struct lab *lab, const char *method, const char *path, const char *header, const char **body)
{
    static char answer[65536];
    char request[512];
    size_t bytes = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(lab->http))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(server, (struct sockaddr *)&address, sizeof address), 0);
    int length = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", method,
                          path, header);
    bool sent = send(server, request, (size_t)length, MSG_NOSIGNAL) == length;
    for (ssize_t got; sent && (got = read(server, answer + bytes, sizeof answer - 1 - bytes)) > 0;)
        bytes += (size_t)got;
    close(server);
    answer[bytes] = '\0';
    *body = strstr(answer, "\r\n\r\n");
    *body = *body ? *body + 4 : "";
    return bytes > strlen("HTTP/1.1 ") ? atoi(answer + strlen("HTTP/1.1 ")) : 0;
}

static void routes_answer_with_their_status(void **state)
{
    (void)state;
    struct lab lab;
    struct error err;
    const char *body;
    assert_int_equal(start(&lab, "--http-listen=127.0.0.1:0", NULL, &err), STATUS_OK);
    assert_int_equal(ask(&lab, "GET", "/health/live", "", &body), 200);
    assert_int_equal(ask(&lab, "GET", "/health", "", &body), 503); /* no Kafka in a unit test */
    assert_int_equal(ask(&lab, "GET", "/health/ready", "", &body), 503);
    assert_non_null(strstr(body, "Kafka"));
    assert_int_equal(ask(&lab, "GET", "/metrics", "", &body), 200);
    assert_int_equal(ask(&lab, "GET", "/nowhere", "", &body), 404);
    assert_non_null(strstr(body, "{\"detail\":\"Not Found\"}"));
    assert_int_equal(ask(&lab, "DELETE", "/health", "", &body), 405);
    assert_non_null(strstr(body, "{\"detail\":"));
    stop(&lab);
}

static void numbers_are_the_sums_of_all_loops(void **state)
{
    (void)state;
    struct lab lab;
    struct error err;
    const char *body;
    assert_int_equal(start(&lab, "--http-listen=127.0.0.1:0", NULL, &err), STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        counter_add(&lab.counters[i], COUNTER_EVENTS_RECEIVED, 10);
        counter_add(&lab.counters[i], COUNTER_EVENTS_SCORED, 7);
        counter_add(&lab.counters[i], COUNTER_EVENTS_DEAD_LETTERED, 1);
        counter_add(&lab.counters[i], COUNTER_EVENTS_RETURNED, 2);
        lab.counters[i].dead_letters[EVENT_RULE] = 1;
        lab.counters[i].latency_buckets[2] = 7;
        counter_set(&lab.counters[i], COUNTER_STATE_EMPLOYEES, 5);
        counter_set(&lab.counters[i], COUNTER_STATE_RESTORING, 3);
    }
    lab.settings.role_score = true;
    lab.settings.state_topic = "attrition-scorer-state";
    ask(&lab, "GET", "/health", "", &body);
    lab.settings.role_score = false;
    json_t *health = json_loads(body, 0, NULL);
    assert_non_null(health);
    json_t *events = json_object_get(health, "events");
    assert_int_equal(json_integer_value(json_object_get(events, "received")), 20);
    assert_int_equal(json_integer_value(json_object_get(events, "scored")), 14);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(health, "dead_letters"), "rule")), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(health, "latency_us"), "p99")), 250);
    const json_t *records = json_object_get(health, "state");
    assert_string_equal(json_string_value(json_object_get(records, "topic")), "attrition-scorer-state");
    assert_int_equal(json_integer_value(json_object_get(records, "employees")), 10);
    assert_int_equal(json_integer_value(json_object_get(records, "partitions_restoring")), 6);
    json_decref(health);
    counter_set(&lab.counters[1], COUNTER_KAFKA_UP,
                1); /* what a loop once saw: no client of this process sees one now */
    ask(&lab, "GET", "/metrics", "", &body);
    assert_non_null(strstr(body, "\nattrition_events_received_total 20\n"));
    assert_non_null(strstr(body, "\nattrition_kafka_up 0\n"));
    assert_non_null(strstr(body, "\nattrition_resident_memory_bytes "));
    assert_null(strstr(body, "\nattrition_resident_memory_bytes 0\n"));
    assert_non_null(strstr(body, "\nattrition_dead_letters_total{code=\"rule\"} 2\n"));
    assert_non_null(strstr(body, "\nattrition_latency_seconds_bucket{le=\"+Inf\"} 14\n"));
    stop(&lab);
}

static void probes_need_no_token_and_the_rest_does(void **state)
{
    (void)state;
    struct lab lab;
    struct error err;
    const char *body;
    assert_int_equal(start(&lab, "--http-listen=0.0.0.0:0", "--http-token=s3cret", &err), STATUS_OK);
    assert_int_equal(ask(&lab, "GET", "/health/live", "", &body), 200);
    assert_int_equal(ask(&lab, "GET", "/metrics", "", &body), 200);
    assert_int_equal(ask(&lab, "GET", "/predict", "", &body), 401);
    assert_int_equal(ask(&lab, "GET", "/predict", "Authorization: Bearer s3cre\r\n", &body), 401);
    assert_int_equal(ask(&lab, "GET", "/predict", "Authorization: Bearer s3crets3cret\r\n", &body), 401);
    assert_int_equal(ask(&lab, "GET", "/predict", "Authorization: Bearer s3cret\r\n", &body), 405);
    stop(&lab);
}

static int connect_to(const struct lab *lab)
{
    const struct timeval wait = {.tv_sec = 2};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(lab->http))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(client >= 0);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    return client;
}

/* Sends `head` and then `piece` again and again until the server has had enough; returns the bytes it took. */
static size_t pour(const struct lab *lab, const char *head, const char *piece, size_t piece_bytes, size_t limit)
{
    int client = connect_to(lab);
    size_t taken = 0;
    if (send(client, head, strlen(head), MSG_NOSIGNAL) > 0)
        for (ssize_t sent; taken < limit; taken += (size_t)sent)
            if ((sent = send(client, piece, piece_bytes, MSG_NOSIGNAL)) <= 0)
                break;
    close(client);
    return taken;
}

static void abuse_is_cut_off(void **state)
{
    (void)state;
    enum { MANY = 64 << 20 };
    static char chunk[7 + 65536 + 2], letters[65536];
    struct lab lab;
    struct error err;
    const char *body;
    assert_int_equal(start(&lab, "--http-listen=127.0.0.1:0", NULL, &err), STATUS_OK);
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "10000\r\n", 7);
    memcpy(chunk + sizeof chunk - 2, "\r\n", 2);
    memset(letters, 'a', sizeof letters);
    assert_true(pour(&lab, "GET /health HTTP/1.1\r\nHost: x\r\nX: ", letters, sizeof letters, MANY) < MANY);
    assert_true(pour(&lab, "GET /", letters, sizeof letters, MANY) < MANY);
    assert_true(pour(&lab, "\r\n\1\2 \377\376\r\n", letters, sizeof letters, MANY) < MANY);
    const char *methods[] = {"GET", "POST"};
    for (size_t m = 0; m < 2; m++) {
        char head[96];
        snprintf(head, sizeof head, "%s /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                 methods[m]);
        assert_true(pour(&lab, head, chunk, sizeof chunk, MANY) < MANY);
    }
    assert_int_equal(ask(&lab, "GET", "/health/live", "", &body), 200);
    stop(&lab);
}

static void a_thousand_silent_clients_leave_it_working(void **state)
{
    (void)state;
    enum { CLIENTS = 1000, MOST_FILES = 2048 };
    static int clients[CLIENTS];
    struct rlimit files;
    struct lab lab;
    struct error err;
    const char *body;
    int code = 0;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max < MOST_FILES ? files.rlim_max : MOST_FILES;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(start(&lab, "--http-listen=127.0.0.1:0", NULL, &err), STATUS_OK);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = connect_to(&lab);
        if (i % 3 == 0)
            send(clients[i], "GET /heal", 9, MSG_NOSIGNAL);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        close(clients[i]);
    WAIT_UNTIL((code = ask(&lab, "GET", "/health/live", "", &body)) == 200, "/health/live answers %d", code);
    stop(&lab);
}

static void addresses_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *flag;
        enum status status;
    } rows[] = {
        {"--http-listen=0.0.0.0:0", STATUS_DENIED},    {"--http-listen=:0", STATUS_DENIED},
        {"--http-listen=127.0.0.1", STATUS_INVALID},   {"--http-listen=127.0.0.1:x", STATUS_INVALID},
        {"--http-listen=1.2.3:99999", STATUS_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lab lab;
        struct error err = {0};
        assert_int_equal(start(&lab, rows[i].flag, NULL, &err), rows[i].status);
        assert_non_null(strstr(err.text, "--http-listen"));
        options_free(lab.options);
    }
}

static void a_taken_port_is_said(void **state)
{
    (void)state;
    struct lab first, second;
    struct error err = {0};
    char flag[64];
    assert_int_equal(start(&first, "--http-listen=127.0.0.1:0", NULL, &err), STATUS_OK);
    snprintf(flag, sizeof flag, "--http-listen=127.0.0.1:%u", http_port(first.http));
    assert_int_equal(start(&second, flag, NULL, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, "choose another"));
    options_free(second.options);
    stop(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_answer_with_their_status),
        cmocka_unit_test(numbers_are_the_sums_of_all_loops),
        cmocka_unit_test(probes_need_no_token_and_the_rest_does),
        cmocka_unit_test(abuse_is_cut_off),
        cmocka_unit_test(a_thousand_silent_clients_leave_it_working),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(a_taken_port_is_said),
    };
    return cmocka_run_group_tests_name("scorer/http", tests, NULL, NULL);
}
