/* An HTTP server for unit tests, in a thread: answers each request with the next of its scripted answers (the last one
 * again and again), and keeps what it was asked. Bytes of an answer are sent as they stand, so it can talk nonsense. */
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAKE_HTTP_REQUESTS = 64, FAKE_HTTP_BYTES = 1 << 16 };

struct fake_http {
    /* Given: answers, each a whole one with head and body. NULL: the connection is closed without a word; "": it is
     * held open without a word until the server ends. Alternatively, `answer` makes each one (malloc). */
    const char *const *answers;
    size_t answer_count;
    char *(*answer)(void *context, const char *request);
    void *context;
    /* Found: requests with heads and bodies, as texts. */
    char *requests[FAKE_HTTP_REQUESTS];
    size_t request_count;
    char url[64];
    int listener;
    _Atomic bool stopping;
    pthread_t thread;
};

/* A whole answer with that body; yours to free. */
static inline char *fake_http_reply(int status, const char *type, const char *body)
{
    char *text = NULL;
    if (asprintf(&text, "HTTP/1.1 %d Status\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                 status, type, strlen(body), body) < 0)
        abort();
    return text;
}

static inline bool fake_http_wait(const struct fake_http *server, int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    while (!server->stopping)
        if (poll(&wanted, 1, 20) > 0)
            return true;
    return false;
}

/* Head and body of one request; false: the client went away. */
static inline bool fake_http_read(const struct fake_http *server, int fd, char *text)
{
    size_t bytes = 0, wanted = 0;
    while (bytes < FAKE_HTTP_BYTES - 1 && fake_http_wait(server, fd)) {
        ssize_t got = read(fd, text + bytes, FAKE_HTTP_BYTES - 1 - bytes);
        if (got <= 0)
            return false;
        bytes += (size_t)got;
        text[bytes] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");
        if (end && !wanted)
            wanted = (size_t)(end + 4 - text) + (length && length < end ? (size_t)atol(length + 17) : 0);
        if (wanted && bytes >= wanted)
            return true;
    }
    return false;
}

static inline void fake_http_answer(struct fake_http *server, int fd, const char *request)
{
    size_t number = server->request_count - 1;
    const char *scripted = NULL;
    char *made = server->answer ? server->answer(server->context, request) : NULL;
    if (!server->answer && server->answer_count)
        scripted = server->answers[number < server->answer_count ? number : server->answer_count - 1];
    const char *text = made ? made : scripted;
    if (text && !*text)
        while (!server->stopping)
            usleep(10000);
    for (size_t sent = 0, bytes = text ? strlen(text) : 0; sent < bytes;) {
        ssize_t more = send(fd, text + sent, bytes - sent, MSG_NOSIGNAL);
        if (more <= 0)
            break;
        sent += (size_t)more;
    }
    free(made);
}

static inline void *fake_http_serve(void *argument)
{
    struct fake_http *server = argument;
    char *text = malloc(FAKE_HTTP_BYTES);
    while (text && fake_http_wait(server, server->listener)) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0)
            continue;
        if (server->request_count < FAKE_HTTP_REQUESTS && fake_http_read(server, fd, text)) {
            server->requests[server->request_count++] = strdup(text);
            fake_http_answer(server, fd, text);
        }
        close(fd);
    }
    free(text);
    return NULL;
}

static inline void fake_http_start(struct fake_http *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (server->listener < 0 || bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, 16) != 0 || getsockname(server->listener, (struct sockaddr *)&address, &bytes) != 0 ||
        pthread_create(&server->thread, NULL, fake_http_serve, server) != 0)
        abort();
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
}

/* After this, requests may be read; fake_http_free frees them. */
static inline void fake_http_stop(struct fake_http *server)
{
    server->stopping = true;
    pthread_join(server->thread, NULL);
    close(server->listener);
}

static inline void fake_http_free(struct fake_http *server)
{
    for (size_t r = 0; r < server->request_count; r++)
        free(server->requests[r]);
    server->request_count = 0;
}
