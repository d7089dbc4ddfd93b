/* Asking an MLflow server, and what its answers mean: see rest.h. Called by the other rest_*.c on the registry's
 * thread. What the server says is as little trusted as any input: bounded, checked, and shown on one line. */
#include "registry/rest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"

char *rest_query(const char *path, ...)
{
    struct buffer out = {0};
    const char *key;
    char mark = '?';
    va_list args;
    buffer_add_text(&out, path);
    va_start(args, path);
    while ((key = va_arg(args, const char *))) {
        buffer_printf(&out, "%c%s=", mark, key);
        http_add_encoded(&out, va_arg(args, const char *), false);
        mark = '&';
    }
    va_end(args);
    buffer_add_u8(&out, '\0');
    return out.data;
}

const char *rest_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int64_t rest_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10) : (int64_t)json_number_value(value);
}

void rest_pairs(const json_t *array, struct text_list *keys, struct text_list *values)
{
    for (size_t p = 0; p < json_array_size(array); p++) {
        text_list_add(keys, rest_text(json_array_get(array, p), "key"));
        text_list_add(values, rest_text(json_array_get(array, p), "value"));
    }
}

/* Any bytes: what is no UTF-8 is shown as such. */
static json_t *rest_text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char *fixed = mem_text(text);
    text_flatten(fixed);
    value = json_string(fixed);
    free(fixed);
    return value;
}

json_t *rest_pair_array(const struct run_pair *pairs, size_t first, size_t count)
{
    json_t *array = json_array();
    for (size_t p = first; p < first + count; p++)
        json_array_append_new(array, json_pack("{s:o, s:o}", "key", rest_text_value(pairs[p].key), "value",
                                               rest_text_value(pairs[p].value)));
    return array;
}

json_t *rest_answer_tree(const struct http_response *response)
{
    struct span text = buffer_span(&response->body);
    return json_fits_tree(text) ? json_loadb(text.data, text.bytes, 0, NULL) : NULL;
}

/* MLflow's own word for what went wrong decides; without one, the HTTP status does. */
static enum status status_of_error(long http, const char *code, const char *message)
{
    if (strcmp(code, "RESOURCE_DOES_NOT_EXIST") == 0)
        return STATUS_NOT_FOUND;
    if (strcmp(code, "RESOURCE_ALREADY_EXISTS") == 0)
        return STATUS_CONFLICT;
    if (strcmp(code, "INVALID_PARAMETER_VALUE") == 0 && strstr(message, "alias") && strstr(message, "not found"))
        return STATUS_NOT_FOUND;
    return http_status_of(http);
}

static const char *hint_of(enum status status, long http)
{
    if (http == 401)
        return "; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN";
    if (status == STATUS_DENIED)
        return "; look at the user's permissions, or at the server's --allowed-hosts";
    if (status == STATUS_UNSUPPORTED)
        return "; it points to another address: give that as MLFLOW_TRACKING_URI";
    return "";
}

/* What an answer that is no success says. */
static enum status refusal_error(const struct registry *registry, const char *path, struct error *err)
{
    const struct http_response *response = &registry->rest->response;
    json_t *body = rest_answer_tree(response);
    const char *code = rest_text(body, "error_code"), *message = rest_text(body, "message");
    bool plain = !body && strcmp(response->content_type, "text/plain") == 0;
    enum status status = status_of_error(response->status, code, message);
    const char *said = body ? message : plain ? response->body.data : "";
    if (!body && status == STATUS_NOT_FOUND)
        (void)error_set(err, STATUS_UNSUPPORTED,
                        "%.200s has no %.60s: is MLFLOW_TRACKING_URI the address of an MLflow server?", registry->root,
                        path);
    else
        (void)error_set(err, status, "%.150s answered %ld%s%.60s%s%.160s%s", registry->root, response->status,
                        *code ? " " : "", code, *said ? ": " : "", said, hint_of(status, response->status));
    json_decref(body);
    return err->status;
}

static enum status rest_read_answer(const struct registry *registry, const char *path, json_t **out, struct error *err)
{
    const struct http_response *response = &registry->rest->response;
    if (http_status_of(response->status) != STATUS_OK)
        return refusal_error(registry, path, err);
    if (!json_fits_tree(buffer_span(&response->body)))
        return error_set(err, STATUS_LIMIT,
                         "%.200s answered %.60s with more values than are read: is it an MLflow server?",
                         registry->root, path);
    json_t *object = rest_answer_tree(response);
    if (!json_is_object(object)) {
        json_decref(object);
        return error_set(err, STATUS_INVALID,
                         "%.200s answered %.60s with something else than a JSON object: is it an MLflow server?",
                         registry->root, path);
    }
    if (out)
        *out = object;
    else
        json_decref(object);
    return STATUS_OK;
}

enum status rest_call(const struct registry *registry, enum http_method method, const char *path, json_t *body,
                      bool repeatable, json_t **out, struct error *err)
{
    struct buffer full = {0};
    if (method != HTTP_GET && !body)
        return error_set(err, STATUS_INVALID, "a text for %.60s is no UTF-8: choose another name", path);
    buffer_printf(&full, "/api/2.0/mlflow/%s", path);
    buffer_add_u8(&full, '\0');
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (body && !text)
        abort(); /* only when there is no memory */
    json_decref(body);
    const struct http_request request = {
        .method = method, .path = full.data, .body = text ? span_of(text) : SPAN_NULL, .repeatable = repeatable};
    enum status status = http_client_send(registry->rest->http, &request, &registry->rest->response, err);
    if (status == STATUS_OK)
        status = rest_read_answer(registry, path, out, err);
    free(text);
    buffer_free(&full);
    return status;
}
