/* The backend of an MLflow server: opening it, and the table of its calls; see rest.h. On the registry's thread. */
#include "registry/rest.h"

#include <stdlib.h>

#include "base/memory.h"

enum { ATTEMPTS = 4, TIMEOUT_MS = 30000, FILE_TIMEOUTS = 20 };

static void rest_close(struct registry *registry)
{
    struct rest *rest = registry->rest;
    http_client_free(rest->http);
    http_response_clear(&rest->response);
    free(rest->cache);
    free(rest);
}

enum status rest_open(const struct registry_settings *settings, struct rest **out, char **url, struct error *err)
{
    struct http_client *http;
    int64_t timeout_ms = settings->timeout_ms ? settings->timeout_ms : TIMEOUT_MS;
    const struct http_settings http_settings = {
        .base_url = settings->tracking_uri,
        .username = settings->username,
        .password = settings->password,
        .token = settings->token,
        .ca_file = settings->ca_file,
        .insecure_tls = settings->insecure_tls,
        .timeout_ms = timeout_ms,
        .connect_timeout_ms = timeout_ms < 5000 ? timeout_ms : 5000,
        .attempts = ATTEMPTS,
        .cancelled = settings->cancelled,
        .context = settings->context,
    };
    if (http_client_new(&http_settings, &http, err) != STATUS_OK)
        return error_prefix(err, "MLFLOW_TRACKING_URI");
    struct rest *rest = mem_zeroed(1, sizeof *rest);
    rest->http = http;
    rest->cache = settings->cache_dir && *settings->cache_dir ? mem_text(settings->cache_dir) : rest_cache_default();
    rest->file_timeout_ms = timeout_ms * FILE_TIMEOUTS;
    *out = rest;
    *url = mem_text(http_client_url(http));
    return STATUS_OK;
}

const struct backend rest_backend = {
    .close = rest_close,
    .log_run = rest_log_run,
    .begin_run = rest_begin_run,
    .fail_run = rest_fail_run,
    .run = rest_run,
    .run_of_key = rest_run_of_key,
    .runs = rest_runs,
    .metric = rest_metric,
    .create_version = rest_create_version,
    .version_of_run = rest_version_of_run,
    .models = rest_models,
    .versions = rest_versions,
    .describe = rest_describe,
    .alias = rest_alias,
    .move_alias = rest_move_alias,
    .model_tag = rest_model_tag,
    .locate = rest_locate,
    .recall = rest_recall,
    .read = rest_read,
};
