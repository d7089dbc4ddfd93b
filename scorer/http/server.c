/* The HTTP server: requests from libmicrohttpd to the routes, answers back. See scorer/http/http.h.
 *
 * libmicrohttpd's threads call `handle` several times for each request: once with its headers, once for each piece of
 * its body, once when it is complete, and once more when Kafka has acknowledged what the answer wanted logged (until
 * then the connection is suspended, and its thread serves others). This is the only file that knows the library.
 * daemon.c makes and frees the server. A thread must never wait for anything: probes come while everything else is
 * unavailable.
 */
#include "scorer/http/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "scorer/http/access_log.h"
#include "scorer/http/body.h"
#include "scorer/http/event_sender.h"
#include "scorer/http/events.h"
#include "scorer/http/access_control.h"
#include "scorer/http/listen.h"
#include "scorer/http/media_type.h"
#include "scorer/http/stream_remote.h"
#include "scorer/http/routes.h"
#include "scorer/http/stream_rates.h"

enum {
    IDLE_S = 10,           /* nothing is heard of a client */
    REQUEST_US = 30000000, /* from the first byte of a request to the last of its answer */
    CONNECTIONS = 512,
    CONNECTIONS_EACH = 256, /* of one address, so that it cannot keep the others' probes out */
    HEADERS_BYTES = 32 << 10,
    BODY_MAX = 1 << 20,
    DECLARED_MAX = 128 << 20, /* a longer body is refused unread; a shorter one is read and dropped, so that the
                                 client sees the answer */
    DROPPED_MAX = 16 << 20,   /* of a body whose length is not declared */
    SAMPLES_MAX = 1 << 20,
    TURN_US = 250000,
    CLOSE_TURNS = 50, /* of 10 ms, for answers to go out */
};

/* A client's connection, in the list of the server that watches for slow ones. */
struct line {
    struct line *next, **before;
    int64_t since_us; /* steady clock: its start, or its last complete request */
    int socket;
};

struct http {
    struct service service;
    struct MHD_Daemon *daemon;
    struct rate_limit *rate; /* NULL: no limit */
    unsigned port;
    atomic_bool closing;
    atomic_size_t waiting; /* requests suspended until Kafka has answered */
    pthread_mutex_t mutex; /* guards the lines */
    struct line *lines;
    pthread_t keeper;
};

/* One request under way. */
struct exchange {
    struct http *http;
    struct MHD_Connection *connection;
    const struct route *route;
    struct request request;
    struct answer answer;
    struct buffer body;
    uint64_t body_bytes; /* that came, kept or not */
    bool declared, preflight, sent, logged;
    _Atomic enum event_sent kept; /* what Kafka said of the records */
    int64_t started_us;
    char method[16], request_id[REQUEST_ID_BYTES], traceparent[TRACE_BYTES];
};

static const char *header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* --- checking a request by its headers --- */

static bool is_preflight(const struct exchange *exchange)
{
    const struct settings *settings = exchange->http->service.view.settings;
    return !strcmp(exchange->method, "OPTIONS") && header(exchange, "Access-Control-Request-Method") &&
           access_control_origin_allowed(settings->http_cors_origins, header(exchange, "Origin"));
}

static void check_body(struct exchange *exchange)
{
    const char *length = header(exchange, "Content-Length"), *coding = header(exchange, "Content-Encoding"),
               *takes = media_types_of(exchange->request.path);
    exchange->declared = length != NULL;
    if (length && strtoull(length, NULL, 10) > BODY_MAX)
        answer_detail(&exchange->answer, 413, "the body is larger than 1 MiB");
    else if (strcmp(exchange->method, "POST"))
        return;
    else if (header(exchange, "Inference-Header-Content-Length"))
        answer_detail(&exchange->answer, 415, "the binary tensor extension is not supported: send tensors as JSON");
    else if (!media_type_is_one(header(exchange, "Content-Type"), takes))
        answer_detail(&exchange->answer, 415, "the body must be %s in UTF-8 (Content-Type)", takes);
    else if (coding && strcasecmp(coding, "identity"))
        answer_detail(&exchange->answer, 415, "compressed bodies are not supported");
}

static bool within_rate(const struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return !exchange->http->rate || !info || !info->client_addr || (exchange->route && exchange->route->quiet) ||
           rate_limit_take(exchange->http->rate, info->client_addr, exchange->started_us);
}

static void check_headers(struct exchange *exchange)
{
    const char *token = exchange->http->service.view.settings->http_token, *allow;
    struct request *request = &exchange->request;
    exchange->route = route_find(exchange->method, request->path, &request->name, &request->version, &allow);
    if (exchange->route && exchange->http->service.view.settings->probes_only && !route_is_probe(exchange->route))
        exchange->route = NULL;
    if (!within_rate(exchange)) {
        answer_detail(&exchange->answer, 429, "too many requests from this address");
        exchange->answer.retry_after_s = 1;
    } else if (is_preflight(exchange)) {
        exchange->preflight = true;
        exchange->answer.status = 204;
    } else if (token && (!exchange->route || exchange->route->needs_token) &&
               !access_control_token_matches(token, header(exchange, "Authorization"))) {
        answer_detail(&exchange->answer, 401, "a bearer token is needed");
    } else if (!exchange->route) {
        answer_detail(&exchange->answer, allow ? 405 : 404, allow ? "Method Not Allowed" : "Not Found");
        exchange->answer.allow = allow;
    } else {
        check_body(exchange);
    }
}

/* --- sending --- */

/* What the page may do: load its own files and ask this service, nothing else. */
static const char page_policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                  "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

static void add_headers(const struct exchange *exchange, struct MHD_Response *response)
{
    const struct answer *answer = &exchange->answer;
    const char *origin = header(exchange, "Origin");
    char seconds[16];
    if (answer->status != 204)
        MHD_add_response_header(response, "Content-Type", answer->type ? answer->type : "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Content-Security-Policy", page_policy);
    MHD_add_response_header(response, "X-Request-Id", exchange->request_id);
    if (answer->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (answer->allow)
        MHD_add_response_header(response, "Allow", answer->allow);
    if (answer->retry_after_s) {
        snprintf(seconds, sizeof seconds, "%u", answer->retry_after_s);
        MHD_add_response_header(response, "Retry-After", seconds);
    }
    if (access_control_origin_allowed(exchange->http->service.view.settings->http_cors_origins, origin)) {
        MHD_add_response_header(response, "Access-Control-Allow-Origin", origin);
        MHD_add_response_header(response, "Vary", "Origin");
    }
    if (exchange->preflight) {
        MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, HEAD, POST");
        MHD_add_response_header(response, "Access-Control-Allow-Headers",
                                "Authorization, Content-Type, Traceparent, X-Request-Id");
    }
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct answer *answer = &exchange->answer;
    struct span body = answer->fixed.data ? answer->fixed : buffer_span(&answer->body);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.bytes, (void *)body.data, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    add_headers(exchange, response);
    enum MHD_Result result = MHD_queue_response(exchange->connection, answer->status, response);
    MHD_destroy_response(response);
    exchange->sent = result == MHD_YES;
    return result;
}

/* --- answering a complete request --- */

static enum MHD_Result keep_parameter(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct request *request = context;
    if (request->parameter_count < PARAMETERS_MAX)
        request->parameters[request->parameter_count] = (struct parameter){name, value};
    request->parameter_count++;
    return MHD_YES;
}

static void answer_unlogged(struct answer *answer)
{
    answer_unavailable(answer, "Kafka has not acknowledged the prediction in time, so it may be unlogged: send it "
                               "again with the same event_id, or with ?log=false");
}

/* From Kafka's threads: `handle` is called again. */
static void on_sent(void *context, enum event_sent result)
{
    struct exchange *exchange = context;
    struct http *http = exchange->http;
    struct MHD_Connection *connection = exchange->connection;
    exchange->kept = result; /* what `handle` reads first; from here on the exchange may be gone */
    MHD_resume_connection(connection);
    http->waiting--;
}

static void on_logged(void *context, bool acknowledged)
{
    on_sent(context, acknowledged ? EVENTS_COMMITTED : EVENTS_UNKNOWN);
}

static void answer_unkept(struct answer *answer, enum event_sent result)
{
    if (answer->to_input)
        events_answer_unkept(answer, result);
    else
        answer_unlogged(answer);
}

/* Hands the records over. False: nothing will be reported, and the answer is made. */
static bool send_records(struct exchange *exchange)
{
    const struct service *service = &exchange->http->service;
    struct answer *answer = &exchange->answer;
    const char *reason = NULL;
    if (!answer->to_input) {
        if (!prediction_log_send(service->prediction_log, &answer->log, on_logged, exchange))
            on_logged(exchange, false);
    } else if ((reason = event_sender_send(service->event_sender, &answer->log, on_sent, exchange))) {
        events_answer_refused(answer, reason);
    }
    return !reason;
}

/* `handle` is called again when Kafka has answered. */
static enum MHD_Result log_first(struct exchange *exchange)
{
    struct http *http = exchange->http;
    struct prediction_log_records *records = &exchange->answer.log;
    memcpy(records->traceparent, exchange->traceparent, sizeof exchange->traceparent);
    exchange->logged = true;
    http->waiting++; /* before looking at `closing`: http_free looks the other way round */
    if (!http->closing && http->service.prediction_log) {
        MHD_suspend_connection(exchange->connection);
        if (!send_records(exchange))
            on_sent(exchange, EVENTS_COMMITTED); /* the answer stays as it is */
        return MHD_YES;
    }
    http->waiting--;
    answer_unkept(&exchange->answer, EVENTS_UNWRITTEN);
    return send_answer(exchange);
}

static enum MHD_Result answer_complete(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    struct answer *answer = &exchange->answer;
    request->complete_us = clock_steady_us(&clock_system);
    request->body = buffer_span(&exchange->body);
    request->headers = (struct request_headers){
        .content_type = header(exchange, "Content-Type"),
        .ce_specversion = header(exchange, "ce-specversion"),
        .ce_id = header(exchange, "ce-id"),
        .ce_time = header(exchange, "ce-time"),
        .ce_subject = header(exchange, "ce-subject"),
    };
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, keep_parameter, request);
    /* The registry gives the id that a logged prediction starts with. Asked before the records are made: once it is
     * given, it stays. */
    const struct schema *schema = exchange->http->service.view.settings->schema;
    bool nameless = schema && !schema->prediction_schema_id;
    exchange->route->answer(&exchange->http->service, request, answer);
    if (!answer->log.count)
        return send_answer(exchange);
    if (!nameless || answer->to_input)
        return log_first(exchange);
    answer_unavailable(answer, "the schema registry has not returned the id of our prediction schema yet, so the "
                               "prediction cannot be logged: send it again later, or with ?log=false");
    return send_answer(exchange);
}

static struct exchange *begin(struct http *http, struct MHD_Connection *connection, const char *url, const char *method)
{
    struct exchange *exchange = mem_zeroed(1, sizeof *exchange);
    exchange->http = http;
    exchange->connection = connection;
    exchange->started_us = clock_steady_us(&clock_system);
    exchange->request.path = url;
    snprintf(exchange->method, sizeof exchange->method, "%s", method);
    exchange->request.method = exchange->method;
    request_id_choose(header(exchange, "X-Request-Id"), exchange->request_id);
    traceparent_continue(header(exchange, "Traceparent"), exchange->traceparent);
    access_log_begin(http->service.access);
    return exchange;
}

/* Keeps the piece, or drops it where the request is refused already. False: enough. */
static bool take_piece(struct exchange *exchange, const char *data, size_t bytes)
{
    exchange->body_bytes += bytes;
    if (!exchange->answer.status && exchange->body_bytes > BODY_MAX)
        answer_detail(&exchange->answer, 413, "the body is larger than 1 MiB");
    if (!exchange->answer.status)
        buffer_add(&exchange->body, data, bytes);
    return exchange->declared || exchange->body_bytes <= DROPPED_MAX;
}

/* Headers alone: most refusals wait until the body has been read, so that the client reads them. */
static enum MHD_Result start(struct http *http, struct MHD_Connection *connection, const char *url, const char *method,
                             void **state)
{
    struct exchange *exchange = begin(http, connection, url, method);
    *state = exchange;
    check_headers(exchange);
    const char *length = header(exchange, "Content-Length");
    bool unread = exchange->answer.status &&
                  (header(exchange, "Expect") || (length && strtoull(length, NULL, 10) > DECLARED_MAX));
    return unread ? send_answer(exchange) : MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **state)
{
    (void)version;
    struct exchange *exchange = *state;
    if (!exchange)
        return start(context, connection, url, method, state);
    if (*upload_bytes) {
        bool more = take_piece(exchange, upload, *upload_bytes);
        *upload_bytes = 0;
        return more ? MHD_YES : MHD_NO; /* no: closes the connection */
    }
    if (exchange->logged) {
        if (exchange->kept != EVENTS_COMMITTED)
            answer_unkept(&exchange->answer, exchange->kept);
        return send_answer(exchange);
    }
    return exchange->answer.status ? send_answer(exchange) : answer_complete(exchange);
}

/* The end of a request, answered or not. */
static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct http *http = context;
    struct exchange *exchange = *state;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct line *line = info ? info->socket_context : NULL;
    int64_t now = clock_steady_us(&clock_system);
    if (line)
        __atomic_store_n(&line->since_us, now, __ATOMIC_RELAXED);
    if (!exchange)
        return;
    const struct answer *answer = &exchange->answer;
    bool answered = exchange->sent && code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    const struct access_log_entry entry = {
        .route = exchange->route,
        .method = exchange->method,
        .status = answered ? answer->status : 0,
        .bytes_in = exchange->body_bytes,
        .bytes_out = answered ? (answer->fixed.data ? answer->fixed.bytes : answer->body.bytes) : 0,
        .duration_us = now - exchange->started_us,
        .request_id = exchange->request_id,
        .traceparent = exchange->traceparent,
    };
    access_log_end(http->service.access, &entry);
    buffer_free(&exchange->body);
    buffer_free(&exchange->answer.body);
    prediction_log_records_clear(&exchange->answer.log);
    free(exchange);
    *state = NULL;
}

/* --- connections, and the thread that ends slow ones --- */

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    struct line *line = *state;
    pthread_mutex_lock(&http->mutex);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        line = mem_zeroed(1, sizeof *line);
        line->since_us = clock_steady_us(&clock_system);
        line->socket = info ? info->connect_fd : -1;
        line->next = http->lines;
        line->before = &http->lines;
        if (line->next)
            line->next->before = &line->next;
        http->lines = line;
        *state = line;
    } else if (line) {
        *line->before = line->next;
        if (line->next)
            line->next->before = line->before;
        free(line);
        *state = NULL;
    }
    pthread_mutex_unlock(&http->mutex);
}

static void end_slow(struct http *http)
{
    int64_t now = clock_steady_us(&clock_system);
    pthread_mutex_lock(&http->mutex);
    for (struct line *line = http->lines; line; line = line->next)
        if (now - __atomic_load_n(&line->since_us, __ATOMIC_RELAXED) > REQUEST_US && line->socket >= 0)
            shutdown(line->socket, SHUT_RDWR);
    pthread_mutex_unlock(&http->mutex);
}

static void *keep(void *argument)
{
    struct http *http = argument;
    while (!http->closing) {
        end_slow(http);
        stream_rates_look(http->service.rates, &http->service.view, clock_steady_us(&clock_system));
        usleep(TURN_US);
    }
    return NULL;
}

/* --- start and end --- */

static void read_samples(struct http *http)
{
    char path[4096];
    struct error err;
    const char *directory = options_text(http->service.view.settings->options, OPTION_SCHEMAS_DIR);
    snprintf(path, sizeof path, "%s/samples.json", directory);
    enum status status = file_read(path, SAMPLES_MAX, &http->service.samples, &err);
    if (status == STATUS_OK && !body_is_list(buffer_span(&http->service.samples)))
        status = error_set(&err, STATUS_INVALID, "%s is no JSON list", path);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        return;
    buffer_clear(&http->service.samples);
    log_warn("http", "%s: the page has no sample employees", err.text);
}

static enum status start_daemon(struct http *http, int server, struct error *err)
{
    const struct settings *settings = http->service.view.settings;
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, http, MHD_OPTION_LISTEN_SOCKET,
        server, MHD_OPTION_THREAD_POOL_SIZE, settings->http_threads > 1 ? settings->http_threads : 0,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_EACH, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADERS_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    if (http->daemon)
        return STATUS_OK;
    close(server);
    return error_set(err, STATUS_UNAVAILABLE, "cannot start the HTTP server at %s", settings->http_listen);
}

static void release(struct http *http)
{
    prediction_log_free(http->service.prediction_log);
    event_sender_free(http->service.event_sender);
    stream_remote_free(http->service.remote);
    rate_limit_free(http->rate);
    access_log_free(http->service.access);
    stream_rates_free(http->service.rates);
    buffer_free(&http->service.samples);
    pthread_mutex_destroy(&http->mutex);
    free(http);
}

static struct http *make(const struct http_view *view, int server)
{
    struct http *http = mem_zeroed(1, sizeof *http);
    pthread_mutex_init(&http->mutex, NULL);
    http->service.view = *view;
    http->service.routes = route_table;
    http->service.route_count = route_table_count;
    http->service.access = access_log_new(route_table, route_table_count, view->settings->http_access_log);
    http->service.view.access = http->service.access;
    http->service.rates = stream_rates_new();
    http->rate = view->settings->http_rate ? rate_limit_new(view->settings->http_rate) : NULL;
    http->port = listen_port(server);
    read_samples(http);
    return http;
}

static enum status make_producers(struct http *http, struct error *err)
{
    struct service *service = &http->service;
    enum status status = prediction_log_new(service->view.settings, &service->prediction_log, err);
    if (status == STATUS_OK)
        status = event_sender_new(service->view.settings, &service->event_sender, err);
    service->view.event_sender = service->event_sender;
    return status;
}

enum status http_new(const struct http_view *view, struct http **out, struct error *err)
{
    int server = -1;
    enum status status = listen_open(view->settings, &server, err);
    if (status != STATUS_OK)
        return status;
    struct http *http = make(view, server);
    if (view->models && !view->settings->probes_only)
        status = make_producers(http, err);
    if (status == STATUS_OK && !view->settings->role_score)
        status = stream_remote_new(view->settings, &http->service.remote, err);
    if (status != STATUS_OK)
        close(server);
    else
        status = start_daemon(http, server, err);
    if (status == STATUS_OK && pthread_create(&http->keeper, NULL, keep, http)) {
        MHD_stop_daemon(http->daemon);
        status = error_set(err, STATUS_UNAVAILABLE, "http: cannot start a thread; raise the limit of threads");
    }
    if (status != STATUS_OK) {
        release(http);
        return status;
    }
    const char *listen_at = view->settings->http_listen;
    log_info("http", "listening at http://%.*s:%u", (int)(strrchr(listen_at, ':') - listen_at), listen_at, http->port);
    *out = http;
    return STATUS_OK;
}

/* Suspended requests must have been resumed before the library may stop; each is within HTTP_LOG_TIMEOUT. */
void http_free(struct http *http)
{
    if (!http)
        return;
    http->closing = true;
    pthread_join(http->keeper, NULL);
    while (http->waiting)
        usleep(1000);
    for (int turn = 0; turn < CLOSE_TURNS && access_log_in_flight(http->service.access); turn++)
        usleep(10000);
    MHD_stop_daemon(http->daemon);
    release(http);
}

unsigned http_port(const struct http *http)
{
    return http->port;
}
