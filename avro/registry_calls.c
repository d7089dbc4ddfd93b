/* Requests to a schema registry: see registry_calls.h. Called by registry_client.c on its own thread, and by
 * `scorer check`. Blocks for at most the time-out of each address; prints no credential. */
#include "avro/registry_calls.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/http_client.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/memory.h"

enum { URLS_MAX = 16 };

struct registry_calls {
    struct http_client *urls[URLS_MAX];
    size_t url_count, current;
    const _Atomic bool *stop;
    struct http_response response; /* of the last request */
    struct buffer path, body;
    _Atomic uint64_t sent;
};

static bool is_cancelled(void *context)
{
    const struct registry_calls *calls = context;
    return calls->stop && *calls->stop;
}

static enum status add_url(struct registry_calls *calls, const struct registry_settings *settings, struct span url,
                           struct error *err)
{
    if (calls->url_count == URLS_MAX)
        return error_set(err, STATUS_LIMIT, "more than %d addresses", URLS_MAX);
    char *text = mem_text_n(url.data, url.bytes);
    const struct http_settings http = {
        .base_url = text,
        .username = settings->username,
        .password = settings->password,
        .token = settings->token,
        .ca_file = settings->ca_file,
        .accept = "application/vnd.schemaregistry.v1+json, application/json",
        .connect_timeout_ms = settings->timeout_us / 1000,
        .timeout_ms = settings->timeout_us / 1000,
        .max_body_bytes = REGISTRY_BODY_BYTES_MAX,
        .cancelled = is_cancelled,
        .context = calls,
    };
    enum status status = http_client_new(&http, &calls->urls[calls->url_count], err);
    calls->url_count += status == STATUS_OK;
    free(text);
    return status;
}

enum status registry_calls_new(const struct registry_settings *settings, const _Atomic bool *stop,
                               struct registry_calls **out, struct error *err)
{
    struct registry_calls *calls = mem_zeroed(1, sizeof *calls);
    enum status status = STATUS_OK;
    calls->stop = stop;
    for (const char *at = settings->urls; *at && status == STATUS_OK;) {
        size_t blank = strspn(at, ", \t"), bytes = strcspn(at + blank, ", \t");
        if (bytes)
            status = add_url(calls, settings, (struct span){at + blank, bytes}, err);
        at += blank + bytes;
    }
    if (status == STATUS_OK && !calls->url_count)
        status = error_set(err, STATUS_INVALID, "no address");
    if (status != STATUS_OK) {
        error_prefix(err, "SCHEMA_REGISTRY_URL");
        registry_calls_free(calls);
        return status;
    }
    *out = calls;
    return STATUS_OK;
}

void registry_calls_free(struct registry_calls *calls)
{
    if (!calls)
        return;
    for (size_t u = 0; u < calls->url_count; u++)
        http_client_free(calls->urls[u]);
    http_response_clear(&calls->response);
    buffer_free(&calls->path);
    buffer_free(&calls->body);
    free(calls);
}

const char *registry_calls_url(const struct registry_calls *calls)
{
    return http_client_url(calls->urls[0]);
}

uint64_t registry_calls_sent(const struct registry_calls *calls)
{
    return atomic_load_explicit(&calls->sent, memory_order_relaxed);
}

/* Sends calls->path (and body) to the address used last. False: nobody answered there. */
static bool calls_send_once(struct registry_calls *calls, enum http_method method, struct error *err)
{
    const struct http_request request = {
        .method = method,
        .path = calls->path.data,
        .body = method == HTTP_GET ? SPAN_NULL : buffer_span(&calls->body),
        .content_type = "application/vnd.schemaregistry.v1+json",
    };
    atomic_fetch_add_explicit(&calls->sent, 1, memory_order_relaxed);
    return http_client_send(calls->urls[calls->current], &request, &calls->response, err) == STATUS_OK;
}

static struct registry_answer answer_of(const struct registry_calls *calls)
{
    return (struct registry_answer){calls->response.status, buffer_span(&calls->response.body)};
}

static void next_url(struct registry_calls *calls)
{
    calls->current = (calls->current + 1) % calls->url_count;
}

static void prefix_address(const struct registry_calls *calls, struct error *err)
{
    error_prefix(err, "%.200s%.200s", http_client_url(calls->urls[calls->current]), calls->path.data);
}

static void path_start(struct registry_calls *calls, const char *text)
{
    buffer_clear(&calls->path);
    buffer_add_text(&calls->path, text);
}

static void path_end(struct registry_calls *calls, const char *text)
{
    buffer_add(&calls->path, text, strlen(text) + 1);
}

static void subject_path(struct registry_calls *calls, const char *topic, const char *rest)
{
    path_start(calls, "/subjects/");
    http_add_encoded(&calls->path, topic, false);
    buffer_add_text(&calls->path, "-value");
    path_end(calls, rest);
}

/* One round over the addresses, until one gives an answer that is one. */
static enum registry_result ask_schema(struct registry_calls *calls, struct buffer *text, uint32_t *id,
                                       struct error *err)
{
    enum registry_result result = REGISTRY_NO_ANSWER;
    for (size_t tried = 0; tried < calls->url_count && result == REGISTRY_NO_ANSWER; tried++) {
        if (!calls_send_once(calls, HTTP_GET, err)) {
            next_url(calls);
            continue;
        }
        const struct registry_answer answer = answer_of(calls);
        result = registry_answer_schema(&answer, text, id, err);
        if (result != REGISTRY_SCHEMA)
            prefix_address(calls, err);
        if (result == REGISTRY_NO_ANSWER)
            next_url(calls);
    }
    return result;
}

/* Registries that know no GUIDs answer as if there were no such page. So does a wrong address: it is distinguished by a
 * page that every registry has. */
static bool is_registry_without_guids(struct registry_calls *calls)
{
    struct error err;
    bool found = false;
    if (calls->response.status != 404)
        return false;
    path_start(calls, "");
    path_end(calls, "/schemas/types");
    if (!calls_send_once(calls, HTTP_GET, &err) || calls->response.status != 200)
        return false;
    struct span body = buffer_span(&calls->response.body);
    json_t *types = json_fits_tree(body) ? json_loadb(body.data, body.bytes, 0, NULL) : NULL;
    for (size_t t = 0; t < json_array_size(types); t++) {
        const char *name = json_string_value(json_array_get(types, t));
        found |= name && strcmp(name, "AVRO") == 0;
    }
    json_decref(types);
    return found;
}

enum registry_result registry_call_schema(struct registry_calls *calls, const struct schema_key *key,
                                          struct buffer *text, struct error *err)
{
    char name[SCHEMA_KEY_TEXT_BYTES];
    uint32_t id;
    schema_key_text(key, name);
    path_start(calls, key->is_guid ? "/schemas/guids/" : "/schemas/ids/");
    path_end(calls, name);
    enum registry_result result = ask_schema(calls, text, &id, err);
    if (result == REGISTRY_NO_ANSWER && key->is_guid && is_registry_without_guids(calls))
        result = REGISTRY_UNKNOWN;
    return result;
}

enum registry_result registry_call_latest(struct registry_calls *calls, const char *topic, struct buffer *text,
                                          uint32_t *id, struct error *err)
{
    subject_path(calls, topic, "/versions/latest");
    return ask_schema(calls, text, id, err);
}

static enum status ask_id(struct registry_calls *calls, struct span text, uint32_t *id, struct error *err)
{
    enum status status = STATUS_UNAVAILABLE;
    buffer_clear(&calls->body);
    struct json_writer json = json_begin_document(&calls->body);
    json_write_text(&json, "schema", text);
    json_write_string(&json, "schemaType", "AVRO");
    json_end_object(&json);
    for (size_t tried = 0; tried < calls->url_count && status == STATUS_UNAVAILABLE; tried++) {
        if (!calls_send_once(calls, HTTP_POST, err)) {
            next_url(calls);
            continue;
        }
        const struct registry_answer answer = answer_of(calls);
        status = registry_answer_id(&answer, id, err);
        if (status != STATUS_OK)
            prefix_address(calls, err);
        if (status == STATUS_UNAVAILABLE)
            next_url(calls);
    }
    return status;
}

enum status registry_call_lookup(struct registry_calls *calls, const char *topic, struct span text, uint32_t *id,
                                 struct error *err)
{
    subject_path(calls, topic, "");
    return ask_id(calls, text, id, err);
}

enum status registry_call_register(struct registry_calls *calls, const char *topic, struct span text, uint32_t *id,
                                   struct error *err)
{
    subject_path(calls, topic, "/versions");
    return ask_id(calls, text, id, err);
}
