/* The HTTP server: listening, tokens, routes. See http.h; the texts are health.c's.
 *
 * libmicrohttpd's own thread calls `answer` for every request; this is the only file that knows the library. run.c
 * makes and frees the server. It must never wait for a server: probes come while everything else is away. */
#include "scorer/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "scorer/health.h"

/* One address may hold half of the connections, so that it cannot keep the others' probes out. */
enum { BACKLOG = 128, IDLE_S = 10, CONNECTIONS = 256, CONNECTIONS_EACH = 128, BODY_MAX = 1 << 20 };

struct http {
    struct http_view view;
    struct MHD_Daemon *daemon;
    unsigned port;
};

static const struct route {
    const char *path, *type;
    unsigned (*write)(const struct http_view *view, struct buffer *out);
    bool needs_token;
} routes[] = {
    {"/health", "application/json", health_write, false},
    {"/health/live", "application/json", health_write_live, false},
    {"/health/ready", "application/json", health_write_ready, false},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", metrics_write, false},
};

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (!strcmp(routes[i].path, path))
            return &routes[i];
    return NULL;
}

/* Compares all bytes of the expected token whatever is given, so that time tells nothing. */
static bool token_matches(const char *expected, const char *header)
{
    static const char scheme[] = "Bearer ";
    if (!header || strncasecmp(header, scheme, sizeof scheme - 1))
        return false;
    const char *given = header + sizeof scheme - 1;
    size_t bytes = strlen(expected), given_bytes = strlen(given);
    unsigned char difference = bytes != given_bytes;
    for (size_t i = 0; i < bytes; i++)
        difference |= (unsigned char)(expected[i] ^ given[given_bytes ? i % given_bytes : 0]);
    return !difference;
}

static bool allowed(const struct http *http, const struct route *route, struct MHD_Connection *connection)
{
    const char *token = http->view.settings->http_token;
    if (!token || (route && !route->needs_token))
        return true;
    return token_matches(token, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"));
}

/* Takes the buffer's content. */
static enum MHD_Result reply(struct MHD_Connection *connection, unsigned code, const char *type, struct buffer *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(body->bytes, body->data, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        buffer_free(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (code == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result reply_detail(struct MHD_Connection *connection, unsigned code, const char *detail)
{
    struct buffer body = {0};
    buffer_add_text(&body, "{\"detail\":");
    json_add_text(&body, span_of(detail));
    buffer_add_text(&body, "}\n");
    return reply(connection, code, "application/json", &body);
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **state)
{
    (void)version, (void)upload;
    struct http *http = context;
    size_t seen = (size_t)(uintptr_t)*state; /* 1 and the bytes of body so far; NULL: the first call, headers only */
    if (!seen || *upload_bytes) {
        *state = (void *)(uintptr_t)(seen + *upload_bytes + !seen);
        *upload_bytes = 0;
        return seen <= BODY_MAX ? MHD_YES : MHD_NO; /* no: closes the connection */
    }
    const struct route *route = find_route(url);
    if (!allowed(http, route, connection))
        return reply_detail(connection, MHD_HTTP_UNAUTHORIZED, "a bearer token is needed");
    if (!route)
        return reply_detail(connection, MHD_HTTP_NOT_FOUND, "Not Found");
    if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
        return reply_detail(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed");
    struct buffer body = {0};
    unsigned code = route->write(&http->view, &body);
    return reply(connection, code, route->type, &body);
}

/* "127.0.0.1:8080", "[::1]:8080", "localhost:0" or ":8080" (every address). */
static enum status split_address(const char *text, char *host, size_t capacity, const char **port, struct error *err)
{
    const char *colon = strrchr(text, ':');
    size_t bytes = colon ? (size_t)(colon - text) : 0;
    if (!colon || !colon[1] || bytes >= capacity || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        atol(colon + 1) > 65535)
        return error_set(err, STATUS_INVALID, "--http-listen: \"%s\" is not ADDRESS:PORT", text);
    if (bytes >= 2 && text[0] == '[' && text[bytes - 1] == ']') {
        text++;
        bytes -= 2;
    }
    memcpy(host, text, bytes);
    host[bytes] = '\0';
    *port = colon + 1;
    return STATUS_OK;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static enum status resolve(const char *listen_at, struct addrinfo **out, struct error *err)
{
    char host[256];
    const char *port = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    enum status status = split_address(listen_at, host, sizeof host, &port, err);
    if (status != STATUS_OK)
        return status;
    int code = getaddrinfo(host[0] ? host : NULL, port, &hints, out);
    if (code)
        return error_set(err, STATUS_INVALID, "--http-listen: cannot resolve \"%s\": %s", listen_at,
                         gai_strerror(code));
    return STATUS_OK;
}

static enum status open_socket(const struct settings *settings, int *out, struct error *err)
{
    struct addrinfo *address;
    enum status status = resolve(settings->http_listen, &address, err);
    if (status != STATUS_OK)
        return status;
    int on = 1, server = -1;
    if (!is_loopback(address->ai_addr) && !settings->http_token) {
        status = error_set(err, STATUS_DENIED,
                           "--http-listen: %s can be reached from other hosts: set HTTP_TOKEN (or "
                           "HTTP_TOKEN_FILE), or listen at 127.0.0.1",
                           settings->http_listen);
        goto done;
    }
    server = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(server, address->ai_addr, address->ai_addrlen) || listen(server, BACKLOG)) {
        status = error_set(err, errno == EACCES ? STATUS_DENIED : STATUS_UNAVAILABLE,
                           "cannot listen at %s: %s; choose another with --http-listen or HTTP_LISTEN",
                           settings->http_listen, strerror(errno));
        if (server >= 0)
            close(server);
        goto done;
    }
    *out = server;
done:
    freeaddrinfo(address);
    return status;
}

static unsigned port_of(int server)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    if (getsockname(server, (struct sockaddr *)&address, &bytes))
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&address)->sin6_port
                                               : ((const struct sockaddr_in *)&address)->sin_port);
}

enum status http_new(const struct http_view *view, struct http **out, struct error *err)
{
    int server = -1;
    enum status status = open_socket(view->settings, &server, err);
    if (status != STATUS_OK)
        return status;
    struct http *http = mem_zeroed(1, sizeof *http);
    http->view = *view;
    http->port = port_of(server);
    http->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, answer, http, MHD_OPTION_LISTEN_SOCKET,
                                    server, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
                                    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                                    MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_EACH, MHD_OPTION_END);
    if (!http->daemon) {
        close(server);
        free(http);
        return error_set(err, STATUS_UNAVAILABLE, "cannot start the HTTP server at %s", view->settings->http_listen);
    }
    const char *listen_at = view->settings->http_listen;
    log_info("http", "listening at http://%.*s:%u", (int)(strrchr(listen_at, ':') - listen_at), listen_at, http->port);
    *out = http;
    return STATUS_OK;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    MHD_stop_daemon(http->daemon);
    free(http);
}

unsigned http_port(const struct http *http)
{
    return http->port;
}
