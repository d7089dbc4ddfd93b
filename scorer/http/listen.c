/* Parsing HTTP_LISTEN and binding it: see listen.h. Called by the server's start and by `scorer check`. An address that
 * other hosts can reach is refused without a token, or with one that can be guessed. */
#include "scorer/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scorer/http/tokens.h"

enum { BACKLOG = 512, HOST_BYTES = 256 };

/* "127.0.0.1:8080", "[::1]:8080", "localhost:0" or ":8080" (every address). */
static enum status split_address(const char *flag, const char *text, char host[HOST_BYTES], const char **port,
                                 struct error *err)
{
    const char *colon = strrchr(text, ':');
    size_t bytes = colon ? (size_t)(colon - text) : 0;
    if (!colon || !colon[1] || bytes >= HOST_BYTES || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        atol(colon + 1) > 65535)
        return error_set(err, STATUS_INVALID, "--%s: \"%s\" is not ADDRESS:PORT", flag, text);
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
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return address->sa_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127));
}

static enum status resolve(const char *flag, const char *listen_at, struct addrinfo **out, struct error *err)
{
    char host[HOST_BYTES];
    const char *port = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    enum status status = split_address(flag, listen_at, host, &port, err);
    if (status != STATUS_OK)
        return status;
    int code = getaddrinfo(host[0] ? host : NULL, port, &hints, out);
    if (code)
        return error_set(err, STATUS_INVALID, "--%s: cannot resolve \"%s\": %s", flag, listen_at, gai_strerror(code));
    return STATUS_OK;
}

/* Of an address that other hosts can reach. */
static enum status check_token(const struct settings *settings, const char *flag, const char *listen_at,
                               struct error *err)
{
    const char *token = secret_text(settings->http_token);
    if (!token && !settings->http_tokens_file)
        return error_set(err, STATUS_DENIED,
                         "--%s: %s can be reached from other hosts: set HTTP_TOKEN (or HTTP_TOKEN_FILE, or "
                         "HTTP_TOKENS_FILE), or listen at 127.0.0.1",
                         flag, listen_at);
    if (token && tokens_shortest(token) < TOKEN_LEAST)
        return error_set(err, STATUS_DENIED,
                         "--%s: %s can be reached from other hosts, where a token of fewer than %d characters can be "
                         "guessed: set HTTP_TOKEN to a longer one (openssl rand -hex 16)",
                         flag, listen_at, TOKEN_LEAST);
    return STATUS_OK;
}

static enum status bind_to(const struct addrinfo *address, const char *flag, const char *listen_at, int *out,
                           struct error *err)
{
    int on = 1, server = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server >= 0 && !setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
        !bind(server, address->ai_addr, address->ai_addrlen) && !listen(server, BACKLOG)) {
        *out = server;
        return STATUS_OK;
    }
    enum status status =
        error_set(err, errno == EACCES ? STATUS_DENIED : STATUS_UNAVAILABLE,
                  "cannot listen at %s: %s; choose another with --%s", listen_at, strerror(errno), flag);
    if (server >= 0)
        close(server);
    return status;
}

enum status listen_open(const struct settings *settings, const char *flag, const char *listen_at, int *out,
                        struct error *err)
{
    struct addrinfo *address;
    enum status status = resolve(flag, listen_at, &address, err);
    if (status != STATUS_OK)
        return status;
    if (!is_loopback(address->ai_addr))
        status = check_token(settings, flag, listen_at, err);
    if (status == STATUS_OK)
        status = bind_to(address, flag, listen_at, out, err);
    freeaddrinfo(address);
    return status;
}

bool listen_is_reachable(int server)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    return getsockname(server, (struct sockaddr *)&address, &bytes) || !is_loopback((struct sockaddr *)&address);
}

void listen_names(int server, const char *listen_at, char out[LISTEN_NAME_BYTES])
{
    char number[NI_MAXHOST] = "";
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    bool six = getsockname(server, (struct sockaddr *)&address, &bytes) == 0 && address.ss_family == AF_INET6;
    if (getnameinfo((const struct sockaddr *)&address, bytes, number, sizeof number, NULL, 0, NI_NUMERICHOST))
        number[0] = '\0';
    const char *colon = strrchr(listen_at, ':');
    snprintf(out, LISTEN_NAME_BYTES, six ? "%.*s,[%.*s]" : "%.*s,%.*s", (int)(colon - listen_at), listen_at,
             INET6_ADDRSTRLEN, number);
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
