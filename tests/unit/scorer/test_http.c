/* scorer/http/ over a real socket: routes, statuses, tokens, and numbers that add up. No other server. */
#include "tests/support/scorer.h"
#include "tests/support/wait.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "scorer/http/connections.h"
#include "scorer/http/http.h"

struct lab {
    struct options *options;
    struct settings settings;
    struct counters counters[2];
    const struct counters *list[2];
    _Atomic bool draining;
    struct http *http;
};

/* Up to four more words. */
static enum status start_with(struct lab *lab, const char *const *more, struct error *err)
{
    const char *words[8] = {"--roles=sink,http", "--instance-id=x"};
    for (size_t w = 0; w < 4 && more[w]; w++)
        words[2 + w] = more[w];
    *lab = (struct lab){.options = scorer_options(words)};
    assert_int_equal(settings_resolve(lab->options, NULL, &lab->settings, err), STATUS_OK);
    for (size_t i = 0; i < 2; i++)
        lab->list[i] = &lab->counters[i];
    const struct http_view view = {
        .settings = &lab->settings, .counters = lab->list, .counters_count = 2, .draining = &lab->draining};
    return http_new(&view, &lab->http, err);
}

static enum status start(struct lab *lab, const char *listen_at, const char *token, struct error *err)
{
    return start_with(lab, (const char *[]){listen_at, token, NULL}, err);
}

static void stop(struct lab *lab)
{
    http_free(lab->http);
    options_free(lab->options);
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

/* Bytes as they are; everything that comes back until the server closes (static). */
static const char *ask_raw(const struct lab *lab, const char *request)
{
    static char answer[65536];
    size_t length = strlen(request), bytes = 0;
    int client = connect_to(lab);
    bool sent = send(client, request, length, MSG_NOSIGNAL) == (ssize_t)length;
    for (ssize_t got; sent && (got = read(client, answer + bytes, sizeof answer - 1 - bytes)) > 0;)
        bytes += (size_t)got;
    close(client);
    answer[bytes] = '\0';
    return answer;
}

static int status_of(const char *answer)
{
    return strlen(answer) > strlen("HTTP/1.1 ") ? atoi(answer + strlen("HTTP/1.1 ")) : 0;
}

/* One request; returns the status code and the body (static). */
static int ask(const struct lab *lab, const char *method, const char *path, const char *header, const char **body)
{
    char request[512];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", method, path,
             header);
    const char *answer = ask_raw(lab, request);
    *body = strstr(answer, "\r\n\r\n");
    *body = *body ? *body + 4 : "";
    return status_of(answer);
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
    assert_int_equal(start(&lab, "--http-listen=0.0.0.0:0", "--http-token=0123456789abcdef", &err), STATUS_OK);
    assert_int_equal(ask(&lab, "GET", "/health/live", "", &body), 200);
    assert_int_equal(ask(&lab, "GET", "/metrics", "", &body), 200);
    assert_int_equal(ask(&lab, "GET", "/predict", "", &body), 401);
    assert_int_equal(ask(&lab, "GET", "/predict", "Authorization: Bearer 0123456789abcde\r\n", &body), 401);
    assert_int_equal(ask(&lab, "GET", "/predict", "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n", &body),
                     401);
    assert_int_equal(ask(&lab, "GET", "/predict", "Authorization: Bearer 0123456789abcdef\r\n", &body), 405);
    stop(&lab);
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
    assert_true(pour(&lab, "GET /health HTTP/1.1\r\nHost: localhost\r\nX: ", letters, sizeof letters, MANY) < MANY);
    assert_true(pour(&lab, "GET /", letters, sizeof letters, MANY) < MANY);
    assert_true(pour(&lab, "\r\n\1\2 \377\376\r\n", letters, sizeof letters, MANY) < MANY);
    const char *methods[] = {"GET", "POST"};
    for (size_t m = 0; m < 2; m++) {
        char head[96];
        snprintf(head, sizeof head, "%s /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
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

/* Each has two requests in it: the second must not be answered. */
static void ambiguous_heads_are_refused_and_end_the_connection(void **state)
{
    (void)state;
    static const char next[] = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char *const heads[] = {
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n{}\n",
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\ncontent-length: 3\r\n\r\n{}\n",
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\n{}\n",
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3, 3\r\n\r\n{}\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET /health/live HTTP/1.1\r\n\r\n",
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /predict HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
        "identity\r\n\r\n0\r\n\r\n",
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET /health/live HTTP/1.1\nHost: localhost\n\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\n",
        "GET /health/live HTTP/1.1\nHost: localhost\r\n\r\n",
        "GET /health/live?a=b%20c&d HTTP/1.1\r\nHost: localhost\r\nX: y\nZ: w\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: a\r\n\tContent-Length: 5\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost : localhost\r\nHost: localhost\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX\t: a\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: a\rContent-Length: 5\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\n: nameless\r\n\r\n",
        "GET /health live HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /health/live HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    };
    struct lab lab;
    struct error err;
    assert_int_equal(start(&lab, "--http-listen=127.0.0.1:0", NULL, &err), STATUS_OK);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char request[1024];
        snprintf(request, sizeof request, "%s%s", heads[i], next);
        const char *answer = ask_raw(&lab, request);
        if (status_of(answer) != 400 && answer[0])
            fail_msg("%s was answered with %s", heads[i], answer);
        if (strstr(answer, "HTTP/1.1 2"))
            fail_msg("after %s the connection went on: %s", heads[i], answer);
    }
    stop(&lab);
}

static void sound_heads_pass(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /health/live?a=1&b=%26%3d&c HTTP/1.1\r\nhost:localhost:8080\r\nConnection: close\r\nEmpty:\r\nX:  a b "
        "\r\n\r\n",
        "\r\nGET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /health/live HTTP/1.0\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nCookie: a=b; c=d\r\nConnection: close\r\n\r\n",
        /* a chunked request is the last of its connection */
        "GET /health/live HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    };
    struct lab lab;
    struct error err;
    assert_int_equal(start(&lab, "--http-listen=127.0.0.1:0", NULL, &err), STATUS_OK);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (status_of(ask_raw(&lab, heads[i])) != 200)
            fail_msg("%s was answered with %s", heads[i], ask_raw(&lab, heads[i]));
    /* two at once, and a head that comes byte by byte */
    const char *answer = ask_raw(&lab, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                       "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(answer + 1, "HTTP/1.1 200"));
    int client = connect_to(&lab);
    char got[16] = "";
    for (const char *at = heads[1]; *at; at++)
        assert_int_equal(send(client, at, 1, MSG_NOSIGNAL), 1);
    assert_true(read(client, got, sizeof got - 1) > 12);
    assert_int_equal(status_of(got), 200);
    close(client);
    stop(&lab);
}

/* As many as there are threads that read PostgreSQL wait for a registry that says nothing. */
static void a_silent_registry_keeps_nobody_from_postgresql(void **state)
{
    (void)state;
    enum { WAITING = 4 };
    static const char question[] = "GET /model HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct lab lab;
    struct error err;
    struct sockaddr_in silent = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof silent;
    char uri[64];
    const char *body;
    int clients[WAITING], server = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&silent, bytes), 0);
    assert_int_equal(listen(server, WAITING), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&silent, &bytes), 0);
    snprintf(uri, sizeof uri, "--tracking-uri=http://127.0.0.1:%u", (unsigned)ntohs(silent.sin_port));
    const char *const words[] = {"--http-listen=127.0.0.1:0", uri, "--model=models:/attrition@production",
                                 "--database-url=postgresql://127.0.0.1:1/hr", NULL};
    assert_int_equal(start_with(&lab, words, &err), STATUS_OK);
    for (size_t c = 0; c < WAITING; c++) {
        clients[c] = connect_to(&lab);
        assert_int_equal(send(clients[c], question, sizeof question - 1, MSG_NOSIGNAL), sizeof question - 1);
    }
    int status = ask(&lab, "GET", "/employees", "", &body);
    if (status != 503 || !strstr(body, "PostgreSQL is unavailable"))
        fail_msg("/employees was answered %d: %s", status, body);
    for (size_t c = 0; c < WAITING; c++)
        close(clients[c]);
    stop(&lab);
    close(server);
}

/* A page from elsewhere may send a body without a type, and no other that is read here, without asking first. */
static void a_page_cannot_leave_the_type_out(void **state)
{
    (void)state;
    static const char path[] = "/v2/models/attrition/infer";
    struct lab lab;
    struct error err;
    const char *body;
    assert_int_equal(start(&lab, "--http-listen=127.0.0.1:0", NULL, &err), STATUS_OK);
    assert_int_equal(ask(&lab, "POST", path, "Content-Length: 0\r\n", &body), 503); /* no model in a unit test */
    assert_int_equal(ask(&lab, "POST", path, "Content-Length: 0\r\nOrigin: http://evil.example\r\n", &body), 415);
    assert_int_equal(ask(&lab, "POST", path, "Content-Length: 0\r\nOrigin: null\r\n", &body), 415);
    assert_int_equal(ask(&lab, "POST", path,
                         "Content-Length: 0\r\nOrigin: http://localhost\r\nContent-Type: application/json\r\n", &body),
                     503);
    stop(&lab);
}

/* A page from elsewhere, whose name leads here, asks under that name. */
static void without_a_token_only_known_hosts_are_served(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int status;
    } rows[] = {
        {"localhost", 200},         {"LocalHost:1", 200},  {"127.0.0.1", 200},    {"127.0.0.1:8080", 200},
        {"hr.example", 200},        {"hr.example:9", 200}, {"evil.example", 421}, {"localhost.evil.example", 421},
        {"127.0.0.1.example", 421}, {"[::1]", 421},        {"10.0.0.1", 421},     {"", 421},
        {"xhr.example", 421},
    };
    static const char *const paths[] = {"/health/live", "/metrics", "/", "/stream"};
    struct lab lab;
    struct error err;
    assert_int_equal(start(&lab, "--http-listen=127.0.0.1:0", "--http-hosts=hr.example, b.example", &err), STATUS_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t p = 0; p < 4; p++) {
            char request[256];
            snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", paths[p],
                     rows[i].host);
            int status = status_of(ask_raw(&lab, request));
            if (status != rows[i].status)
                fail_msg("%s under the host \"%s\" is answered with %d", paths[p], rows[i].host, status);
        }
    stop(&lab);
    assert_int_equal(start(&lab, "--http-listen=127.0.0.1:0", "--http-token=s", &err), STATUS_OK);
    assert_int_equal(status_of(ask_raw(&lab, "GET /health/live HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")),
                     200);
    stop(&lab);
}

static void unknown_tokens_are_limited_on_every_route(void **state)
{
    (void)state;
    static const char *const paths[] = {"/stream", "/schema", "/nowhere", "/metrics"};
    struct lab lab;
    struct error err;
    const char *body;
    for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
        int counts[2] = {0};
        assert_int_equal(
            start_with(&lab,
                       (const char *[]){"--http-listen=127.0.0.1:0", "--http-token=right", "--metrics-token", NULL},
                       &err),
            STATUS_OK);
        for (int i = 0; i < 40; i++) {
            int status = ask(&lab, "GET", paths[p], "Authorization: Bearer wrong\r\n", &body);
            assert_true(status == 401 || status == 429);
            counts[status == 429]++;
        }
        assert_true(counts[0] >= 10 && counts[1] > 0);
        assert_int_equal(ask(&lab, "GET", "/metrics", "Authorization: Bearer right\r\n", &body), 200);
        stop(&lab);
    }
}

/* 512 and more that send nothing, or byte by byte, and all from the prober's own address. */
static void slow_clients_make_room_for_probes(void **state)
{
    (void)state;
    enum { CLIENTS = 2 * CONNECTIONS_EACH };
    static int clients[CLIENTS];
    struct lab lab;
    struct error err;
    const char *body;
    assert_int_equal(start(&lab, "--http-listen=127.0.0.1:0", NULL, &err), STATUS_OK);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = connect_to(&lab);
        send(clients[i], "GET /heal", 9, MSG_NOSIGNAL);
        if (i % 64 == 0) /* at once, while all of them are open */
            assert_int_equal(ask(&lab, "GET", "/health/live", "", &body), 200);
    }
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(ask(&lab, "GET", "/health/live", "", &body), 200);
    for (size_t i = 0; i < CLIENTS; i++)
        close(clients[i]);
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
    struct lab short_token;
    struct error refusal = {0};
    assert_int_equal(start(&short_token, "--http-listen=0.0.0.0:0", "--http-token=0123456789abcde", &refusal),
                     STATUS_DENIED);
    assert_non_null(strstr(refusal.text, "16 characters"));
    options_free(short_token.options);
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
        cmocka_unit_test(ambiguous_heads_are_refused_and_end_the_connection),
        cmocka_unit_test(sound_heads_pass),
        cmocka_unit_test(without_a_token_only_known_hosts_are_served),
        cmocka_unit_test(a_page_cannot_leave_the_type_out),
        cmocka_unit_test(a_silent_registry_keeps_nobody_from_postgresql),
        cmocka_unit_test(unknown_tokens_are_limited_on_every_route),
        cmocka_unit_test(slow_clients_make_room_for_probes),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(a_taken_port_is_said),
    };
    return cmocka_run_group_tests_name("scorer/http", tests, NULL, NULL);
}
