/* A relay before a PostgreSQL on a socket: it lets a COMMIT through and then breaks the connection before the answer
 * comes back. One at a time. */
#pragma once

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/test.h"

enum { CUT_COMMIT_URL_BYTES = 200 };

static struct {
    char directory[90]; /* of the relay's socket */
    char server[90];    /* of the server's */
    int listener;
    pthread_t thread;
    _Atomic bool cut; /* from the next COMMIT on, once */
    _Atomic unsigned cuts;
} cut_commit;

static inline int cut_commit_socket(const char *directory, bool connects)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", directory);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int failed = connects ? connect(fd, (struct sockaddr *)&address, sizeof address)
                          : bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4);
    return failed ? -1 : fd;
}

/* The statement, or the tag of its result; with its end, for BEGIN names READ COMMITTED. */
static inline bool cut_commit_is_in(const char *bytes, ssize_t count)
{
    return memmem(bytes, (size_t)count, "COMMIT", sizeof "COMMIT") != NULL;
}

static inline bool cut_commit_pass(int from, int to, bool from_client)
{
    char bytes[65536];
    ssize_t got = read(from, bytes, sizeof bytes);
    if (got <= 0 || write(to, bytes, (size_t)got) != got)
        return false;
    if (from_client && cut_commit.cut && cut_commit_is_in(bytes, got)) {
        do /* until the server has committed */
            got = read(to, bytes, sizeof bytes);
        while (got > 0 && !cut_commit_is_in(bytes, got));
        cut_commit.cut = false;
        cut_commit.cuts++;
        return false;
    }
    return true;
}

static inline void *cut_commit_run(void *arg)
{
    (void)arg;
    int client;
    while ((client = accept(cut_commit.listener, NULL, NULL)) >= 0) {
        int server = cut_commit_socket(cut_commit.server, true);
        struct pollfd fds[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        while (server >= 0 && poll(fds, 2, -1) > 0) {
            if (fds[0].revents && !cut_commit_pass(client, server, true))
                break;
            if (fds[1].revents && !cut_commit_pass(server, client, false))
                break;
        }
        close(server);
        close(client);
    }
    return NULL;
}

/* `directory`: the test's PostgreSQL's. url: of the relay, CUT_COMMIT_URL_BYTES. */
static inline void cut_commit_start(const char *directory, char *url)
{
    snprintf(cut_commit.server, sizeof cut_commit.server, "%s/socket", directory);
    snprintf(cut_commit.directory, sizeof cut_commit.directory, "%s/proxy", directory);
    assert_int_equal(mkdir(cut_commit.directory, 0700), 0);
    cut_commit.listener = cut_commit_socket(cut_commit.directory, false);
    assert_true(cut_commit.listener >= 0);
    assert_int_equal(pthread_create(&cut_commit.thread, NULL, cut_commit_run, NULL), 0);
    snprintf(url, CUT_COMMIT_URL_BYTES, "postgresql:///attrition?host=%s&user=postgres", cut_commit.directory);
}

static inline void cut_commit_stop(void)
{
    shutdown(cut_commit.listener, SHUT_RDWR);
    pthread_join(cut_commit.thread, NULL);
    close(cut_commit.listener);
}
