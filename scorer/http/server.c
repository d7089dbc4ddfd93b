/* The HTTP server: requests from libmicrohttpd to the routes, answers back. See scorer/http/http.h.
 *
 * One thread of libmicrohttpd talks to all clients of a port. It calls `handle` several times for each request: once
 * with its headers, once for each piece of its body, and once when it is complete. What takes time is then computed by
 * the work pool's threads, and logged to Kafka, while the connection is suspended; `handle` is called a last time when
 * the answer is ready. So this thread never waits and never computes: probes come while everything else is unavailable
 * or busy. This is the only file that knows the library. daemon.c makes and frees the server. */
#include "scorer/http/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "scorer/http/access_log.h"
#include "scorer/http/event_sender.h"
#include "scorer/http/access_control.h"
#include "scorer/http/answer_headers.h"
#include "scorer/http/answer_unread.h"
#include "scorer/http/body.h"
#include "scorer/http/connections.h"
#include "scorer/http/database.h"
#include "scorer/http/delivery.h"
#include "scorer/http/figures.h"
#include "scorer/http/head_check.h"
#include "scorer/http/listen.h"
#include "scorer/http/list_totals.h"
#include "scorer/http/open_inference.h"
#include "scorer/http/stream_remote.h"
#include "scorer/http/routes.h"
#include "scorer/http/stream_rates.h"
#include "scorer/http/tokens.h"
#include "scorer/http/work_pool.h"

/* From 1.0 on it refuses by itself what lines_flaw looks for. */
enum { LIBRARY_IS_STRICT = MHD_VERSION >= 0x01000000 };

enum {
    IDLE_S = 10,           /* nothing is heard of a client */
    REQUEST_US = 30000000, /* from the first byte of a request to the last of its answer */
    COMPUTE_US = 10000000, /* from a complete request to its scores, its turn included; route_late names it */
    LAST_US = 1000000,     /* the same, once the service ends */
    QUEUE_MOST = 256,      /* requests that wait for their turn */
    REGISTRY_THREADS = 2,  /* apart from those that read PostgreSQL: one may be away without the other */
    GUESSES = 10,          /* unknown tokens a second of one address that are answered with 401 */
    HEADERS_BYTES = 32 << 10,
    DECLARED_MAX = 128 << 20, /* a longer body is refused unread; else read and dropped: the client sees the answer */
    DROPPED_MAX = 16 << 20,   /* of a body whose length is not declared */
    TURN_US = 250000,
    WAITING_TURNS = 1000, /* of 1 ms at least, for Kafka to take posted events */
    CLOSE_TURNS = 50,     /* of 10 ms, for answers to go out */
};

/* Where clients come in. */
struct port {
    struct http *http;
    struct MHD_Daemon *daemon; /* NULL: not open */
    struct connections *connections;
    char names[LISTEN_NAME_BYTES]; /* that a Host header may have */
    unsigned number;
    bool probes_only;
    bool reachable; /* from other hosts */
};

struct http {
    struct service service;
    struct port main, probes;
    struct tokens *tokens;
    struct rate_limit *rate; /* NULL: no limit */
    struct rate_limit *guesses;
    struct work_pool *pool, *readers, *registry;
    atomic_bool closing;
    atomic_size_t waiting; /* requests suspended until they are computed, or Kafka has answered */
    atomic_size_t unread;  /* bytes of computed answers that are not sent in full */
    atomic_size_t held;    /* bytes of bodies of requests under way */
    pthread_t keeper;
};

/* One request under way. */
struct exchange {
    struct http *http;
    struct port *port;
    struct connection *client;
    struct MHD_Connection *connection;
    const struct route *route;
    struct request request;
    struct answer answer;
    struct delivery delivery;
    struct buffer body;
    uint64_t body_bytes; /* that came, kept or not */
    size_t unread_bytes;
    bool declared, preflight, sent, left; /* left: the client, early: not answered, even if the socket takes it */
    bool closes;                          /* the connection ends with the answer */
    bool denied, hidden;                  /* for the access log: always shown, hardly ever */
    int64_t started_us;
    char method[16], request_id[REQUEST_ID_BYTES], traceparent[TRACE_BYTES], address[ADDRESS_TEXT_BYTES];
    char token_name[TOKEN_NAME_BYTES];
};

static const char *header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

static const struct settings *settings_of(const struct exchange *exchange)
{
    return exchange->http->service.view.settings;
}

/* NULL: not known. */
static const struct sockaddr *address_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

static struct connection *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* --- checking a request by its headers: each check answers where it refuses --- */

static void refuse(struct exchange *exchange, unsigned status, const char *text)
{
    exchange->denied = true;
    answer_detail(&exchange->answer, status, "%s", text);
}

static enum MHD_Result add_field(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    head_check_add(context, name, value ? value : "");
    return MHD_YES;
}

/* `version` points into the head as it was read, between the request line's target and its end. */
static const char *lines_flaw(struct exchange *exchange, const char *method, const char *version)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (LIBRARY_IS_STRICT || !info)
        return NULL;
    const char *from = version + strlen(version), *end = method + info->header_size;
    return from < end ? head_check_lines_flaw((struct span){from, (size_t)(end - from)}) : NULL;
}

static void check_head(struct exchange *exchange, const char *method, const char *version)
{
    struct head_check head = {.is_old = !strcmp(version, "HTTP/1.0")};
    const char *flaw = lines_flaw(exchange, method, version);
    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, add_field, &head);
    if (!flaw)
        flaw = head_check_flaw(&head);
    /* Line ends between chunks are the library's, which is lenient: nothing may follow them. */
    exchange->closes = flaw || head.codings;
    if (flaw) {
        exchange->denied = true;
        answer_detail(&exchange->answer, 400, "not a request of HTTP/1.1: %s", flaw);
    }
}

/* Without a token a page from elsewhere could ask through the browser of somebody here, under a name that leads here.
 */
static void check_host(struct exchange *exchange, const char *version)
{
    const char *host = header(exchange, "Host");
    if (tokens_any(exchange->http->tokens) || (!host && !strcmp(version, "HTTP/1.0")) ||
        access_control_host_allowed(exchange->port->names, host) ||
        access_control_host_allowed(settings_of(exchange)->http_hosts, host))
        return;
    refuse(exchange, 421,
           "this service has no such host: ask for localhost or the address that it listens at, or name the host in "
           "HTTP_HOSTS");
}

static void check_rate(struct exchange *exchange)
{
    const struct sockaddr *address = address_of(exchange->connection);
    if (!exchange->http->rate || !address || (exchange->route && exchange->route->quiet) ||
        rate_limit_take(exchange->http->rate, address, exchange->started_us))
        return;
    answer_detail(&exchange->answer, 429, "too many requests from this address");
    exchange->answer.retry_after_s = 1;
}

static void refuse_guess(struct exchange *exchange)
{
    const struct sockaddr *address = address_of(exchange->connection);
    if (!address || rate_limit_take(exchange->http->guesses, address, exchange->started_us)) {
        refuse(exchange, 401, "no such bearer token");
        return;
    }
    exchange->hidden = true;
    answer_detail(&exchange->answer, 429, "too many unknown tokens from this address");
    exchange->answer.retry_after_s = 1;
}

static void check_token(struct exchange *exchange)
{
    enum token_scope scope = route_scope(exchange->route, settings_of(exchange));
    switch (tokens_check(exchange->http->tokens, scope, header(exchange, "Authorization"), exchange->token_name)) {
    case TOKEN_PASSES:
        return;
    case TOKEN_MISSING:
        refuse(exchange, 401, "a bearer token is needed");
        return;
    case TOKEN_UNKNOWN:
        refuse_guess(exchange);
        return;
    case TOKEN_WRONG_SCOPE:
        exchange->denied = true;
        answer_detail(&exchange->answer, 403, "this token lacks the scope %s", token_scope_name(scope));
        return;
    }
}

static bool is_preflight(const struct exchange *exchange)
{
    return !strcmp(exchange->method, "OPTIONS") && header(exchange, "Access-Control-Request-Method") &&
           access_control_origin_allowed(settings_of(exchange)->http_cors_origins, header(exchange, "Origin"));
}

static void check_body(struct exchange *exchange)
{
    const struct body_headers headers = {
        .length = header(exchange, "Content-Length"),
        .type = header(exchange, "Content-Type"),
        .coding = header(exchange, "Content-Encoding"),
        .origin = header(exchange, "Origin"),
        .tensors = header(exchange, "Inference-Header-Content-Length"),
    };
    exchange->declared = headers.length != NULL;
    body_check(&exchange->request, &headers, &exchange->answer);
}

static void check_route(struct exchange *exchange, const char *allow)
{
    if (exchange->route) {
        check_body(exchange);
        return;
    }
    answer_detail(&exchange->answer, allow ? 405 : 404, allow ? "Method Not Allowed" : "Not Found");
    exchange->answer.allow = allow;
}

static void check_headers(struct exchange *exchange, const char *method, const char *version)
{
    const char *allow;
    struct request *request = &exchange->request;
    const struct answer *answer = &exchange->answer;
    bool probes_only = settings_of(exchange)->probes_only || exchange->port->probes_only;
    exchange->route = route_find(exchange->method, request->path, &request->name, &request->version, &allow);
    if (exchange->route && probes_only && !route_is_probe(exchange->route))
        exchange->route = NULL;
    check_head(exchange, method, version);
    if (!answer->status)
        check_host(exchange, version);
    if (!answer->status)
        check_rate(exchange);
    if (!answer->status && is_preflight(exchange)) {
        exchange->preflight = true;
        exchange->answer.status = 204;
    }
    if (!answer->status)
        check_token(exchange);
    if (!answer->status)
        check_route(exchange, allow);
}

/* --- sending --- */

static void add_header(void *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

static void add_headers(const struct exchange *exchange, struct MHD_Response *response)
{
    const char *origin = header(exchange, "Origin");
    bool allowed = access_control_origin_allowed(settings_of(exchange)->http_cors_origins, origin);
    const struct answer_head head = {
        .answer = &exchange->answer,
        .request_id = exchange->request_id,
        .origin = allowed ? origin : NULL,
        .closes = exchange->closes,
        .preflight = exchange->preflight,
    };
    answer_headers(&head, add_header, response);
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct answer *answer = &exchange->answer;
    inference_complete_error(exchange->request.path, answer);
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

/* The last word on a suspended request: `handle` is called again. */
static void resume(void *context)
{
    struct exchange *exchange = context;
    struct http *http = exchange->http;
    MHD_resume_connection(exchange->connection); /* from here on the exchange may be gone */
    http->waiting--;
}

/* Why nobody waits for the answer any more, or it took too long; NULL: somebody does. */
static const char *given_up(const void *context)
{
    const struct exchange *exchange = context;
    int64_t age_us = clock_steady_us(&clock_system) - exchange->request.complete_us;
    if (age_us > LAST_US && (exchange->http->closing || *exchange->http->service.view.draining))
        return "the service is shutting down: send the request again";
    if (age_us > COMPUTE_US)
        return route_late(exchange->route);
    return connection_left(exchange->client) ? "the client has left" : NULL;
}

/* On a thread of the work pool, or for what takes no time on the library's. */
static void answer_now(struct exchange *exchange)
{
    struct answer *answer = &exchange->answer;
    /* The registry gives the id that a logged prediction starts with. Asked before the records are made: once it is
     * given, it stays. */
    const struct schema *schema = settings_of(exchange)->schema;
    bool nameless = schema && !schema->prediction_schema_id;
    exchange->route->answer(&exchange->http->service, &exchange->request, answer);
    if (!answer->log.count || answer->to_input || !nameless)
        return;
    prediction_log_records_clear(&answer->log);
    answer_unavailable(answer, "the schema registry has not returned the id of our prediction schema yet, so the "
                               "prediction cannot be logged: send it again later, or with ?log=false");
}

static void compute(void *job)
{
    struct exchange *exchange = job;
    const char *reason = given_up(exchange);
    if (reason)
        answer_unavailable(&exchange->answer, reason);
    else
        answer_now(exchange);
    exchange->left = exchange->answer.status == 503 && connection_left(exchange->client);
    if (!exchange->answer.log.count)
        exchange->unread_bytes = answer_unread_count(&exchange->http->unread, &exchange->answer);
    memcpy(exchange->answer.log.traceparent, exchange->traceparent, sizeof exchange->traceparent);
    if (exchange->answer.log.count)
        delivery_start(&exchange->delivery, exchange->http->closing);
    else
        resume(exchange);
}

/* Suspended while it is computed. */
static enum MHD_Result compute_apart(struct exchange *exchange)
{
    struct http *http = exchange->http;
    http->waiting++; /* before looking at `closing`: http_free looks the other way round */
    if (!http->closing) {
        connection_work(exchange->client);
        MHD_suspend_connection(exchange->connection);
        struct work_pool *pool = route_reads_database(exchange->route) ? http->readers
                                 : route_waits(exchange->route)        ? http->registry
                                                                       : http->pool;
        if (!work_pool_add(pool, compute, exchange)) {
            answer_unavailable(&exchange->answer, "too many requests are waiting for their turn");
            resume(exchange);
        }
        return MHD_YES;
    }
    http->waiting--;
    answer_unavailable(&exchange->answer, "the service is shutting down: send the request again");
    return send_answer(exchange);
}

static enum MHD_Result answer_complete(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    request->complete_us = clock_steady_us(&clock_system);
    request->body = buffer_span(&exchange->body);
    request->given_up = given_up;
    request->context = exchange;
    request->token_name = exchange->token_name;
    request->address = exchange->address;
    request->request_id = exchange->request_id;
    exchange->delivery = (struct delivery){&exchange->http->service, &exchange->answer, resume, exchange};
    request->headers = (struct request_headers){
        .content_type = header(exchange, "Content-Type"),
        .accept = header(exchange, "Accept"),
        .purpose = header(exchange, "X-Purpose"),
        .ce_specversion = header(exchange, "ce-specversion"),
        .ce_id = header(exchange, "ce-id"),
        .ce_time = header(exchange, "ce-time"),
        .ce_subject = header(exchange, "ce-subject"),
    };
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, keep_parameter, request);
    if (!strcmp(exchange->route->method, "POST") || route_waits(exchange->route))
        return compute_apart(exchange);
    answer_now(exchange);
    return send_answer(exchange);
}

static struct exchange *begin(struct port *port, struct MHD_Connection *connection, const char *url, const char *method)
{
    struct exchange *exchange = mem_zeroed(1, sizeof *exchange);
    const struct sockaddr *address = address_of(connection);
    exchange->http = port->http;
    exchange->port = port;
    exchange->client = client_of(connection);
    exchange->connection = connection;
    exchange->started_us = clock_steady_us(&clock_system);
    exchange->request.path = url;
    snprintf(exchange->method, sizeof exchange->method, "%s", method);
    exchange->request.method = exchange->method;
    request_id_choose(header(exchange, "X-Request-Id"), exchange->request_id);
    traceparent_continue(header(exchange, "Traceparent"), exchange->traceparent);
    if (address)
        access_control_address_text(address, exchange->address);
    access_log_begin(port->http->service.access);
    return exchange;
}

/* Keeps the piece, or drops it where the request is refused already. False: enough. */
static bool take_piece(struct exchange *exchange, const char *data, size_t bytes)
{
    exchange->body_bytes += bytes;
    if (!exchange->answer.status)
        body_keep(&exchange->http->held, &exchange->body, (struct span){data, bytes}, &exchange->answer);
    return exchange->declared || exchange->body_bytes <= DROPPED_MAX;
}

/* Headers alone: most refusals wait until the body has been read, so that the client reads them. */
static enum MHD_Result start(struct port *port, struct MHD_Connection *connection, const char *url, const char *method,
                             const char *version, void **state)
{
    struct exchange *exchange = begin(port, connection, url, method);
    *state = exchange;
    check_headers(exchange, method, version);
    const char *length = header(exchange, "Content-Length");
    bool unread = exchange->answer.status && (exchange->answer.status == 400 || header(exchange, "Expect") ||
                                              (length && strtoull(length, NULL, 10) > DECLARED_MAX));
    return unread ? send_answer(exchange) : MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **state)
{
    struct exchange *exchange = *state;
    if (!exchange)
        return start(context, connection, url, method, version, state);
    if (*upload_bytes) {
        bool more = take_piece(exchange, upload, *upload_bytes);
        *upload_bytes = 0;
        return more ? MHD_YES : MHD_NO; /* no: closes the connection */
    }
    return exchange->answer.status ? send_answer(exchange) : answer_complete(exchange);
}

/* The end of a request, answered or not. */
static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct port *port = context;
    struct exchange *exchange = *state;
    struct connection *client = client_of(connection);
    int64_t now = clock_steady_us(&clock_system);
    if (client)
        connection_rest(client, now);
    if (!exchange)
        return;
    const struct answer *answer = &exchange->answer;
    bool answered = exchange->sent && !exchange->left && code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    const struct access_log_entry entry = {
        .route = exchange->route,
        .method = exchange->method,
        .status = answered ? answer->status : 0,
        .bytes_in = exchange->body_bytes,
        .bytes_out = answered ? (answer->fixed.data ? answer->fixed.bytes : answer->body.bytes) : 0,
        .duration_us = now - exchange->started_us,
        .request_id = exchange->request_id,
        .traceparent = exchange->traceparent,
        .address = exchange->address,
        .token_name = exchange->token_name,
        .denied = exchange->denied,
        .hidden = exchange->hidden,
    };
    access_log_end(port->http->service.access, &entry);
    port->http->unread -= exchange->unread_bytes;
    port->http->held -= exchange->body.bytes;
    buffer_free(&exchange->body);
    buffer_free(&exchange->answer.body);
    free(exchange->answer.next_cursor);
    prediction_log_records_clear(&exchange->answer.log);
    free(exchange);
    *state = NULL;
}

/* --- connections, and the thread that ends slow ones --- */

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct port *port = context;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *state = connections_add(port->connections, info->connect_fd, address_of(connection),
                                 clock_steady_us(&clock_system));
    } else if (*state) {
        connections_remove(port->connections, *state);
        *state = NULL;
    }
}

static void *keep(void *argument)
{
    struct http *http = argument;
    while (!http->closing) {
        int64_t now = clock_steady_us(&clock_system);
        connections_end_slow(http->main.connections, now, REQUEST_US);
        connections_end_slow(http->probes.connections, now, REQUEST_US);
        stream_rates_look(http->service.rates, &http->service.view, now);
        usleep(TURN_US);
    }
    return NULL;
}

/* --- start and end --- */

static enum status port_open(struct port *port, const char *flag, const char *listen_at, struct error *err)
{
    int server = -1;
    enum status status = listen_open(port->http->service.view.settings, flag, listen_at, &server, err);
    if (status != STATUS_OK)
        return status;
    port->number = listen_port(server);
    port->reachable = listen_is_reachable(server);
    listen_names(server, listen_at, port->names);
    port->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, port, MHD_OPTION_LISTEN_SOCKET,
        server, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(CONNECTIONS_MOST + CONNECTIONS_SPARE), MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_completed, port, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, port, MHD_OPTION_UNESCAPE_CALLBACK, head_check_unescape, NULL, MHD_OPTION_END);
    if (!port->daemon) {
        close(server);
        return error_set(err, STATUS_UNAVAILABLE, "cannot start the HTTP server at %s", listen_at);
    }
    log_info("http", "listening at http://%.*s:%u%s", (int)(strrchr(listen_at, ':') - listen_at), listen_at,
             port->number, port->probes_only ? " for probes" : "");
    return STATUS_OK;
}

static enum status open_ports(struct http *http, struct error *err)
{
    const struct settings *settings = http->service.view.settings;
    enum status status = STATUS_OK;
    if (settings->http_probes_listen)
        status = port_open(&http->probes, "http-probes-listen", settings->http_probes_listen, err);
    return status == STATUS_OK ? port_open(&http->main, "http-listen", settings->http_listen, err) : status;
}

static void port_close(struct port *port)
{
    if (port->daemon)
        MHD_stop_daemon(port->daemon);
    connections_free(port->connections);
}

static void release(struct http *http)
{
    port_close(&http->main);
    port_close(&http->probes);
    work_pool_free(http->pool);
    work_pool_free(http->readers);
    work_pool_free(http->registry);
    figures_free(http->service.figures);
    database_free(http->service.reads);
    database_free(http->service.writes);
    list_totals_free(http->service.totals);
    prediction_log_free(http->service.prediction_log);
    event_sender_free(http->service.event_sender);
    stream_remote_free(http->service.remote);
    rate_limit_free(http->rate);
    rate_limit_free(http->guesses);
    tokens_free(http->tokens);
    access_log_free(http->service.access);
    stream_rates_free(http->service.rates);
    buffer_free(&http->service.samples);
    free(http);
}

static struct http *make(const struct http_view *view)
{
    struct http *http = mem_zeroed(1, sizeof *http);
    http->service.view = *view;
    http->service.routes = route_table;
    http->service.route_count = route_table_count;
    http->service.access = access_log_new(route_table, route_table_count, view->settings->http_access_log);
    http->service.view.access = http->service.access;
    http->service.rates = stream_rates_new();
    http->service.totals = list_totals_new();
    http->main = (struct port){.http = http, .connections = connections_new()};
    http->probes = (struct port){.http = http, .connections = connections_new(), .probes_only = true};
    http->rate = view->settings->http_rate ? rate_limit_new(view->settings->http_rate) : NULL;
    http->guesses = rate_limit_new(GUESSES);
    schema_read_samples(view->settings, &http->service.samples);
    return http;
}

enum status http_new(const struct http_view *view, struct http **out, struct error *err)
{
    const struct settings *settings = view->settings;
    struct http *http = make(view);
    enum status status = tokens_new(settings, &http->tokens, err);
    if (status == STATUS_OK)
        status = work_pool_new(settings->http_threads, QUEUE_MOST, &http->pool, err);
    if (status == STATUS_OK && !settings->probes_only)
        status = databases_new(settings, &http->service.reads, &http->service.writes, err);
    if (status == STATUS_OK && !settings->probes_only)
        status = figures_new(settings, &http->service.figures, err);
    if (status == STATUS_OK && !settings->probes_only)
        status = work_pool_new(DATABASE_CONNECTIONS, QUEUE_MOST, &http->readers, err);
    if (status == STATUS_OK && !settings->probes_only)
        status = work_pool_new(REGISTRY_THREADS, QUEUE_MOST, &http->registry, err);
    if (status == STATUS_OK && view->models && !settings->probes_only)
        status = delivery_producers_new(&http->service, err);
    if (status == STATUS_OK)
        status = stream_remote_new(settings, &http->service.remote, err);
    if (status == STATUS_OK)
        status = open_ports(http, err);
    if (status == STATUS_OK && pthread_create(&http->keeper, NULL, keep, http))
        status = error_set(err, STATUS_UNAVAILABLE, "http: cannot start a thread; raise the limit of threads");
    if (status != STATUS_OK) {
        release(http);
        return status;
    }
    *out = http;
    return STATUS_OK;
}

/* Suspended requests must have been resumed before the library may stop: computing is given up, and what Kafka has not
 * acknowledged soon is reported as unlogged. */
void http_free(struct http *http)
{
    if (!http)
        return;
    http->closing = true;
    pthread_join(http->keeper, NULL);
    prediction_log_stop(http->service.prediction_log);
    for (int turn = 0; http->waiting; turn++) {
        if (turn == WAITING_TURNS)
            event_sender_stop(http->service.event_sender);
        usleep(1000);
    }
    for (int turn = 0; turn < CLOSE_TURNS && access_log_in_flight(http->service.access); turn++)
        usleep(10000);
    release(http);
}

void http_reload(struct http *http)
{
    if (http)
        tokens_reload(http->tokens, http->main.reachable || http->probes.reachable ? TOKEN_LEAST : 0);
}

unsigned http_port(const struct http *http)
{
    return http->main.number;
}
