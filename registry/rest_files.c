/* Artifacts of an MLflow server that passes them on (mlflow server --serve-artifacts): put, get, list. Called by the
 * other rest_*.c. Credentials go to the tracking server alone, never to an address that an answer names. */
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text_print.h"
#include "registry/rest.h"
#include "registry/store.h"

static const char proxy_scheme[] = "mlflow-artifacts:";

static bool leaves_folder(const char *path)
{
    for (const char *at = path; (at = strstr(at, "..")); at++)
        if ((at == path || at[-1] == '/') && (at[2] == '/' || !at[2]))
            return true;
    return false;
}

static bool names_this_server(const struct registry *registry, const char *authority, size_t bytes)
{
    const char *host = strstr(registry->root, "://");
    host = host ? host + 3 : registry->root;
    return strcspn(host, "/") == bytes && strncmp(host, authority, bytes) == 0;
}

enum status rest_run_place(const struct registry *registry, const json_t *run, const char **run_id,
                           const char **artifacts, struct error *err)
{
    const json_t *info = json_object_get(run, "info");
    *run_id = rest_text(info, "run_id");
    *artifacts = rest_text(info, "artifact_uri");
    return **run_id && **artifacts
               ? STATUS_OK
               : error_set(err, STATUS_INVALID, "%.200s answered without a run's id and place", registry->root);
}

enum status rest_get_run(const struct registry *registry, const char *run_id, json_t **answer, struct error *err)
{
    char *path = rest_query("runs/get", "run_id", run_id, (char *)NULL);
    enum status status = rest_call(registry, HTTP_GET, path, NULL, true, answer, err);
    free(path);
    return status;
}

enum status rest_run_artifacts(const struct registry *registry, const char *run_id, char **uri, struct error *err)
{
    json_t *answer;
    const char *id, *artifacts;
    if (rest_get_run(registry, run_id, &answer, err) != STATUS_OK)
        return err->status;
    enum status status = rest_run_place(registry, json_object_get(answer, "run"), &id, &artifacts, err);
    if (status == STATUS_OK)
        *uri = mem_text(artifacts);
    json_decref(answer);
    return status;
}

/* runs:/RUN/PATH, which older servers hand back unresolved. */
static enum status run_path(const struct registry *registry, const char *rest, char **path, struct error *err)
{
    char *artifacts, *uri = NULL;
    size_t bytes = strcspn(rest, "/");
    char *run_id = mem_text_n(rest, bytes);
    enum status status = rest_run_artifacts(registry, run_id, &artifacts, err);
    free(run_id);
    if (status != STATUS_OK)
        return status;
    if (strncmp(artifacts, "runs:/", 6) == 0) {
        free(artifacts);
        return error_set(err, STATUS_INVALID, "%.150s says that a run's artifacts are at another run", registry->root);
    }
    uri = text_print("%s%s", artifacts, rest + bytes);
    status = rest_artifact_path(registry, uri, path, err);
    free(uri);
    free(artifacts);
    return status;
}

enum status rest_artifact_path(const struct registry *registry, const char *uri, char **path, struct error *err)
{
    if (strncmp(uri, "runs:/", 6) == 0)
        return run_path(registry, uri + 6, path, err);
    if (strncmp(uri, proxy_scheme, sizeof proxy_scheme - 1) != 0)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%.120s keeps files at %.120s and does not pass them on: start it with --serve-artifacts "
                         "--artifacts-destination, and use an experiment made since (mlflow-artifacts:/…)",
                         registry->root, uri);
    const char *at = uri + sizeof proxy_scheme - 1;
    if (strncmp(at, "//", 2) == 0 && at[2] != '/') {
        size_t authority = strcspn(at + 2, "/");
        if (!names_this_server(registry, at + 2, authority))
            return error_set(err, STATUS_UNSUPPORTED,
                             "%.150s keeps files on another server, %.*s: give that one as MLFLOW_TRACKING_URI, or "
                             "start this one with --serve-artifacts",
                             registry->root, authority < 100 ? (int)authority : 100, at + 2);
        at += 2 + authority;
    }
    at += strspn(at, "/");
    if (leaves_folder(at))
        return error_set(err, STATUS_INVALID, "%.150s names files outside its store: %.100s", registry->root, uri);
    *path = mem_text(at);
    for (size_t bytes = strlen(*path); bytes && (*path)[bytes - 1] == '/'; bytes--)
        (*path)[bytes - 1] = '\0';
    return STATUS_OK;
}

static char *file_url(const char *folder, const char *name)
{
    struct buffer out = {0};
    buffer_add_text(&out, "/api/2.0/mlflow-artifacts/artifacts/");
    http_add_encoded(&out, folder, true);
    buffer_add_u8(&out, '/');
    http_add_encoded(&out, name, true);
    buffer_add_u8(&out, '\0');
    return out.data;
}

/* A file's request; what the server refuses is reported with the file's name. */
static enum status transfer(const struct registry *registry, const struct http_request *request, const char *name,
                            struct error *err)
{
    const struct http_response *response = &registry->rest->response;
    if (http_client_send(registry->rest->http, request, &registry->rest->response, err) != STATUS_OK)
        return err->status;
    enum status status = http_status_of(response->status);
    if (status == STATUS_OK)
        return STATUS_OK;
    json_t *body = rest_answer_tree(response);
    const char *message = rest_text(body, "message");
    (void)error_set(err, status, "%.150s answered %ld for the file %.100s%s%.150s%s", registry->root, response->status,
                    name, *message ? ": " : "", message,
                    status == STATUS_UNAVAILABLE ? "; is it started with --serve-artifacts?" : "");
    json_decref(body);
    return status;
}

enum status rest_upload(const struct registry *registry, const char *folder, const char *name, struct span bytes,
                        struct error *err)
{
    char *path = file_url(folder, name);
    const struct http_request request = {.method = HTTP_PUT,
                                         .path = path,
                                         .body = {bytes.data ? bytes.data : "", bytes.bytes},
                                         .content_type = "application/octet-stream",
                                         .timeout_ms = registry->rest->file_timeout_ms};
    enum status status = transfer(registry, &request, name, err);
    free(path);
    return status;
}

enum status rest_download(const struct registry *registry, const char *folder, const char *name, size_t max_bytes,
                          struct buffer *out, struct error *err)
{
    char *path = file_url(folder, name);
    const struct http_request request = {
        .path = path, .timeout_ms = registry->rest->file_timeout_ms, .max_body_bytes = max_bytes};
    enum status status = transfer(registry, &request, name, err);
    free(path);
    if (status != STATUS_OK)
        return status;
    struct buffer taken = registry->rest->response.body; /* a model may be large: it changes hands */
    registry->rest->response.body = *out;
    *out = taken;
    return STATUS_OK;
}

/* The files directly in a folder. */
static enum status rest_list(const struct registry *registry, const char *folder, struct text_list *files,
                             struct error *err)
{
    char *path = rest_query("/api/2.0/mlflow-artifacts/artifacts", "path", folder, (char *)NULL);
    enum status status = transfer(registry, &(struct http_request){.path = path}, folder, err);
    free(path);
    if (status != STATUS_OK)
        return status;
    *files = (struct text_list){0};
    if (!json_fits_tree(buffer_span(&registry->rest->response.body)))
        return error_set(err, STATUS_LIMIT, "%.150s: its list of files is longer than is read", registry->root);
    json_t *answer = rest_answer_tree(&registry->rest->response);
    const json_t *entries = json_object_get(answer, "files");
    for (size_t f = 0; f < json_array_size(entries); f++) {
        const json_t *entry = json_array_get(entries, f);
        const char *full = rest_text(entry, "path"), *slash = strrchr(full, '/');
        if (!json_is_true(json_object_get(entry, "is_dir")))
            text_list_add(files, slash ? slash + 1 : full);
    }
    json_decref(answer);
    return STATUS_OK;
}

static enum status check_listed(const struct registry *registry, const char *folder, const char *name,
                                struct error *err)
{
    struct text_list files;
    if (rest_list(registry, folder, &files, err) != STATUS_OK)
        return err->status;
    bool listed = false;
    for (size_t f = 0; f < files.count; f++)
        listed |= strcmp(files.items[f], name) == 0;
    text_list_clear(&files);
    return listed ? STATUS_OK
                  : error_set(err, STATUS_NOT_FOUND, "%.200s holds no %.100s, which its MLmodel names", folder, name);
}

enum status rest_model_file(const struct registry *registry, const char *folder, char **file, struct error *err)
{
    struct buffer text = {0}, name = {0};
    enum status status = rest_download(registry, folder, "MLmodel", STORE_TEXT_MAX, &text, err);
    if (status == STATUS_OK && !mlmodel_file(buffer_span(&text), &name))
        status = error_set(err, STATUS_UNSUPPORTED,
                           "%.200s/MLmodel names no onnx model: log it with mlflow.onnx.log_model", folder);
    if (status == STATUS_OK && !strchr(name.data, '/'))
        status = check_listed(registry, folder, name.data, err);
    if (status == STATUS_OK)
        *file = mem_text(name.data);
    buffer_free(&text);
    buffer_free(&name);
    return status;
}
