/* Parsing HTTP_LISTEN and binding it: see listen.h. Called once by the server's start. An address that other hosts can
 * reach is refused without a token. */
#include "scorer/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 512 };

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

enum status listen_open(const struct settings *settings, int *out, struct error *err)
{
    struct addrinfo *address;
    enum status status = resolve(settings->http_listen, &address, err);
    if (status != STATUS_OK)
        return status;
    int on = 1, server = -1;
    if (!is_loopback(address->ai_addr) && !settings->http_token) {
        status = error_set(err, STATUS_DENIED,
                           "--http-listen: %s can be reached from other hosts: set HTTP_TOKEN (or HTTP_TOKEN_FILE), or "
                           "listen at 127.0.0.1",
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

unsigned listen_port(int server)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    if (getsockname(server, (struct sockaddr *)&address, &bytes))
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&address)->sin6_port
                                               : ((const struct sockaddr_in *)&address)->sin_port);
}
