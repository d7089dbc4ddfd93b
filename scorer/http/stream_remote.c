/* GET /stream of a process that does not score: the page runs as a service of its own, and the numbers are the
 * scorer's. One thread asks STREAM_URL every second and keeps the last answer; requests get that copy, so none of them
 * waits for another server. It uses this process's HTTP_TOKEN, never follows redirects and keeps at most 1 MiB. */
#include "scorer/http/stream_remote.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/http_client.h"
#include "base/memory.h"

enum { TURN_US = 100000, TURNS = 10, TIMEOUT_MS = 2000, BODY_MAX = 1 << 20 };

struct stream_remote {
    struct http_client *client;
    pthread_t thread;
    _Atomic bool closing;
    pthread_mutex_t mutex; /* guards the rest */
    struct buffer last;    /* empty: the latest look failed, and `problem` says why */
    struct error problem;
};

static void look(struct stream_remote *remote)
{
    const struct http_request request = {.method = HTTP_GET, .path = "/stream"};
    struct http_response response = {0};
    struct error err;
    enum status status = http_client_send(remote->client, &request, &response, &err);
    if (status == STATUS_OK && response.status != 200)
        status = error_set(&err, http_status_of(response.status), "status %ld", response.status);
    pthread_mutex_lock(&remote->mutex);
    buffer_clear(&remote->last);
    if (status == STATUS_OK)
        buffer_add(&remote->last, response.body.data, response.body.bytes);
    else
        remote->problem = err;
    pthread_mutex_unlock(&remote->mutex);
    http_response_clear(&response);
}

static void *run(void *argument)
{
    struct stream_remote *remote = argument;
    for (unsigned turn = 0; !remote->closing; turn++) {
        if (turn % TURNS == 0)
            look(remote);
        usleep(TURN_US);
    }
    return NULL;
}

/* NULL: not wanted. */
static enum status make_client(const struct settings *settings, struct http_client **out, struct error *err)
{
    const struct http_settings with = {.base_url = settings->stream_url,
                                       .token = settings->http_token,
                                       .connect_timeout_ms = TIMEOUT_MS,
                                       .timeout_ms = TIMEOUT_MS,
                                       .max_body_bytes = BODY_MAX};
    *out = NULL;
    bool wanted = settings->stream_url && *settings->stream_url && !settings->role_score;
    if (!wanted || http_client_new(&with, out, err) == STATUS_OK)
        return STATUS_OK;
    return error_prefix(err, "--stream-url");
}

enum status stream_remote_check(const struct settings *settings, struct error *err)
{
    struct http_client *client;
    enum status status = make_client(settings, &client, err);
    if (status == STATUS_OK)
        http_client_free(client);
    return status;
}

enum status stream_remote_new(const struct settings *settings, struct stream_remote **out, struct error *err)
{
    struct http_client *client;
    enum status status = make_client(settings, &client, err);
    *out = NULL;
    if (status != STATUS_OK || !client)
        return status;
    struct stream_remote *remote = mem_zeroed(1, sizeof *remote);
    remote->client = client;
    (void)error_set(&remote->problem, STATUS_UNAVAILABLE, "it was not asked yet");
    pthread_mutex_init(&remote->mutex, NULL);
    if (pthread_create(&remote->thread, NULL, run, remote)) {
        pthread_mutex_destroy(&remote->mutex);
        http_client_free(client);
        free(remote);
        return error_set(err, STATUS_LIMIT, "cannot start a thread for STREAM_URL");
    }
    *out = remote;
    return STATUS_OK;
}

void stream_remote_free(struct stream_remote *remote)
{
    if (!remote)
        return;
    remote->closing = true;
    pthread_join(remote->thread, NULL);
    pthread_mutex_destroy(&remote->mutex);
    buffer_free(&remote->last);
    http_client_free(remote->client);
    free(remote);
}

void stream_remote_answer(struct stream_remote *remote, struct answer *answer)
{
    pthread_mutex_lock(&remote->mutex);
    if (remote->last.bytes) {
        answer->status = 200;
        buffer_add(&answer->body, remote->last.data, remote->last.bytes);
    } else {
        answer_detail(answer, 503, "the scorer at %s says nothing of its stream: %s", http_client_url(remote->client),
                      remote->problem.text);
        answer->retry_after_s = 1;
    }
    pthread_mutex_unlock(&remote->mutex);
}
