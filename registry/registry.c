/* The calls of registry.h: names are checked here, then the backend does the work (backend.h). The scorer's model
 * holder polls registry_resolve from its own thread. */
#include "registry/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "pipeline/onnx/onnx_limits.h"
#include "registry/digest.h"
#include "registry/store.h"

static const char model_scheme[] = "models:/", latest_version[] = "latest";

static bool is_server(const char *uri)
{
    return strncmp(uri, "http://", 7) == 0 || strncmp(uri, "https://", 8) == 0;
}

/* MLflow's words for servers of Databricks, which would pass for names of directories. */
static bool is_databricks(const char *uri)
{
    return strcmp(uri, "databricks") == 0 || strcmp(uri, "databricks-uc") == 0 || strcmp(uri, "uc") == 0;
}

static enum status open_directory(const char *uri, struct registry *registry, struct error *err)
{
    char *root = is_databricks(uri) ? NULL : store_path_of_uri(uri);
    if (!root)
        return error_set(err, STATUS_UNSUPPORTED,
                         "MLFLOW_TRACKING_URI has a scheme that is neither a directory nor http(s): give a path or the "
                         "address of an MLflow server");
    size_t bytes = strlen(root);
    while (bytes > 1 && root[bytes - 1] == '/')
        root[--bytes] = '\0';
    if (!*root) {
        free(root);
        return error_set(err, STATUS_INVALID, "MLFLOW_TRACKING_URI is empty: give a directory, such as ./mlruns");
    }
    registry->backend = &store_backend;
    registry->root = root;
    return STATUS_OK;
}

enum status registry_open_with(const struct registry_settings *settings, struct registry **out, struct error *err)
{
    struct registry registry = {.hold = -1, .backend = &rest_backend};
    enum status status = is_server(settings->tracking_uri) ? rest_open(settings, &registry.rest, &registry.root, err)
                                                           : open_directory(settings->tracking_uri, &registry, err);
    if (status != STATUS_OK)
        return status;
    *out = mem_zeroed(1, sizeof **out);
    **out = registry;
    return STATUS_OK;
}

enum status registry_open(const char *tracking_uri, struct registry **out, struct error *err)
{
    return registry_open_with(&(struct registry_settings){.tracking_uri = tracking_uri}, out, err);
}

struct registry_settings registry_settings_of(const struct options *options)
{
    return (struct registry_settings){
        .tracking_uri = options_text(options, OPTION_TRACKING_URI),
        .username = options_secret(options, OPTION_TRACKING_USERNAME),
        .password = options_secret(options, OPTION_TRACKING_PASSWORD),
        .token = options_secret(options, OPTION_TRACKING_TOKEN),
        .ca_file = options_text(options, OPTION_TRACKING_CA),
        .insecure_tls = options_flag(options, OPTION_TRACKING_INSECURE),
        .timeout_ms = options_duration_us(options, OPTION_TRACKING_TIMEOUT) / 1000,
        .cache_dir = options_text(options, OPTION_MODEL_CACHE_DIR),
    };
}

enum status registry_open_options(const struct options *options, struct registry **out, struct error *err)
{
    const struct registry_settings settings = registry_settings_of(options);
    return registry_open_with(&settings, out, err);
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    registry->backend->close(registry);
    free(registry->root);
    free(registry);
}

const char *registry_root(const struct registry *registry)
{
    return registry->root;
}

bool registry_is_server(const struct registry *registry)
{
    return registry->rest != NULL;
}

static const char run_scheme[] = "runs:", model_word[] = "models:";

bool registry_is_address(const char *model_uri)
{
    return strncmp(model_uri, model_word, sizeof model_word - 1) == 0 ||
           strncmp(model_uri, run_scheme, sizeof run_scheme - 1) == 0 ||
           (strstr(model_uri, "://") && strncmp(model_uri, "file:", 5) != 0);
}

/* A file that stands for itself: version "0" of its own base name. */
static enum status resolve_file(const char *uri, struct model_version *out, struct error *err)
{
    struct stat found;
    bool is_run = strncmp(uri, run_scheme, sizeof run_scheme - 1) == 0;
    char *path = registry_is_address(uri) ? NULL : store_path_of_uri(uri);
    if (!path)
        return error_set(err, STATUS_INVALID,
                         "model %.200s: %sgive models:/NAME@ALIAS, models:/NAME/VERSION, models:/NAME/latest or a path "
                         "to an .onnx file",
                         uri, is_run ? "the address of a run is not read: register its model, and " : "");
    if (stat(path, &found) != 0 || !S_ISREG(found.st_mode)) {
        enum status status = errno == EACCES ? STATUS_DENIED : STATUS_NOT_FOUND;
        (void)error_set(err, status, "model file %.300s: there is no file of that name that can be read", path);
        free(path);
        return status;
    }
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t bytes = strlen(base), suffix = strlen(".onnx");
    if (bytes > suffix && strcmp(base + bytes - suffix, ".onnx") == 0)
        bytes -= suffix;
    *out = (struct model_version){.name = mem_text_n(base, bytes), .version = mem_text("0"), .path = path};
    return STATUS_OK;
}

/* MLflow had stages where it has aliases now. */
static bool is_stage(const char *version)
{
    static const char *const stages[] = {"Production", "Staging", "Archived", "None"};
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++)
        if (strcasecmp(version, stages[s]) == 0)
            return true;
    return false;
}

static enum status check_version(const char *name, const char *version, struct error *err)
{
    if (store_is_version(version) || strcmp(version, latest_version) == 0)
        return STATUS_OK;
    if (is_stage(version))
        return error_set(
            err, STATUS_INVALID,
            "model models:/%.200s/%.100s: stages are gone from MLflow: write models:/%.200s@ALIAS, such as "
            "@production",
            name, version, name);
    return error_set(err, STATUS_INVALID, "model models:/%.200s/%.100s: the version must be a number from 1, or latest",
                     name, version);
}

/* NAME@ALIAS or NAME/VERSION, split in place. */
static enum status split_model_uri(char *text, const char **alias, const char **version, struct error *err)
{
    char *at = strrchr(text, '@'), *slash = strchr(text, '/');
    *alias = *version = NULL;
    if (at && !slash) {
        *at = '\0';
        *alias = at + 1;
    } else if (slash && !at) {
        *slash = '\0';
        *version = slash + 1;
    } else {
        return error_set(err, STATUS_INVALID, "model models:/%.200s: give models:/NAME@ALIAS or models:/NAME/VERSION",
                         text);
    }
    enum status status = store_check_name("model name", text, err);
    if (status == STATUS_OK && *alias)
        status = store_check_alias(*alias, err);
    return status == STATUS_OK && *version ? check_version(text, *version, err) : status;
}

typedef enum status locate_call(struct registry *registry, const char *name, const char *alias, const char *version,
                                struct model_version *out, struct error *err);

static enum status locate_with(locate_call *call, struct registry *registry, const char *model_uri,
                               struct model_version *out, struct error *err)
{
    const char *alias, *version;
    char *text = mem_text(model_uri + sizeof model_scheme - 1);
    enum status status = split_model_uri(text, &alias, &version, err);
    if (status == STATUS_OK)
        status = call(registry, text, alias, version, out, err);
    free(text);
    return status;
}

static bool is_registered(const char *model_uri)
{
    return strncmp(model_uri, model_scheme, sizeof model_scheme - 1) == 0;
}

/* The newest of the versions that are not deleted. */
static enum status locate_latest(struct registry *registry, const char *name, struct model_version *out,
                                 struct error *err)
{
    struct text_list versions = {0};
    enum status status = registry_versions(registry, name, &versions, err);
    if (status == STATUS_OK && !versions.count)
        status = error_set(err, STATUS_NOT_FOUND, "model %.200s has no version: trainer train makes one", name);
    if (status == STATUS_OK)
        status = registry->backend->locate(registry, name, NULL, versions.items[versions.count - 1], out, err);
    text_list_clear(&versions);
    return status;
}

static enum status locate(struct registry *registry, const char *name, const char *alias, const char *version,
                          struct model_version *out, struct error *err)
{
    if (version && strcmp(version, latest_version) == 0)
        return locate_latest(registry, name, out, err);
    return registry->backend->locate(registry, name, alias, version, out, err);
}

enum status registry_resolve(struct registry *registry, const char *model_uri, struct model_version *out,
                             struct error *err)
{
    if (!is_registered(model_uri))
        return resolve_file(model_uri, out, err);
    return locate_with(locate, registry, model_uri, out, err);
}

enum status registry_followed_alias(const char *model_uri, char **name, char **alias, struct error *err)
{
    const char *given = NULL, *version = NULL;
    char *text = is_registered(model_uri) ? mem_text(model_uri + sizeof model_scheme - 1) : NULL;
    enum status status = text ? split_model_uri(text, &given, &version, err) : STATUS_OK;
    if (status == STATUS_OK && !given)
        status = error_set(err, STATUS_UNSUPPORTED,
                           "the model %.200s is pinned: only one that is given as models:/NAME@ALIAS follows an alias",
                           model_uri);
    if (status == STATUS_OK) {
        *alias = mem_text(given);
        *name = mem_text(text);
    }
    free(text);
    return status;
}

enum status registry_recall(struct registry *registry, const char *model_uri, struct model_version *out,
                            struct error *err)
{
    if (!is_registered(model_uri) || !registry->backend->recall)
        return error_set(err, STATUS_NOT_FOUND, "model %.200s: nothing is kept of it but the file itself", model_uri);
    return locate_with(registry->backend->recall, registry, model_uri, out, err);
}

enum status registry_read(struct registry *registry, const struct model_version *version, struct buffer *out,
                          struct error *err)
{
    enum status status = store_is_version(version->version) ? registry->backend->read(registry, version, out, err)
                                                            : file_read(version->path, ONNX_MAX_BYTES, out, err);
    if (status == STATUS_OK)
        status = digest_check(version, buffer_span(out), err);
    if (status != STATUS_OK)
        buffer_clear(out);
    return status;
}

enum status registry_begin_run(struct registry *registry, const struct run *run, char **run_id, struct error *err)
{
    if (store_check_name("experiment name", run->experiment, err) != STATUS_OK)
        return err->status;
    return registry->backend->begin_run(registry, run, run_id, err);
}

enum status registry_fail_run(const struct registry *registry, const char *run_id, struct error *err)
{
    return registry->backend->fail_run ? registry->backend->fail_run(registry, run_id, err) : STATUS_OK;
}

enum status registry_log_run(struct registry *registry, const struct run *run, char **run_id, struct error *err)
{
    if (store_check_name("experiment name", run->experiment, err) != STATUS_OK)
        return err->status;
    return registry->backend->log_run(registry, run, run_id, err);
}

enum status registry_run(const struct registry *registry, const char *run_id, struct run_details *out,
                         struct error *err)
{
    if (store_check_name("run id", run_id, err) != STATUS_OK)
        return err->status;
    return registry->backend->run(registry, run_id, out, err);
}

enum status registry_run_of_key(const struct registry *registry, const char *experiment, const char *key,
                                struct run_details *out, struct error *err)
{
    if (store_check_name("experiment name", experiment, err) != STATUS_OK ||
        store_check_name("run key", key, err) != STATUS_OK)
        return err->status;
    return registry->backend->run_of_key(registry, experiment, key, out, err);
}

enum status registry_runs(const struct registry *registry, const char *experiment, struct run_list *out,
                          struct error *err)
{
    if (store_check_name("experiment name", experiment, err) != STATUS_OK)
        return err->status;
    return registry->backend->runs(registry, experiment, out, err);
}

enum status registry_metric(const struct registry *registry, const char *run_id, const char *key,
                            struct metric_series *out, struct error *err)
{
    if (store_check_name("run id", run_id, err) != STATUS_OK || store_check_key("metric", key, err) != STATUS_OK)
        return err->status;
    return registry->backend->metric(registry, run_id, key, out, err);
}

enum status registry_create_version(struct registry *registry, const char *name, const char *run_id,
                                    const struct run_pair *tags, size_t tag_count, char **version, struct error *err)
{
    enum status status = store_check_name("model name", name, err);
    if (status == STATUS_OK)
        status = store_check_name("run id", run_id, err);
    return status == STATUS_OK
               ? registry->backend->create_version(registry, name, run_id, tags, tag_count, version, err)
               : status;
}

enum status registry_version_of_run(struct registry *registry, const char *name, const char *run_id, char **version,
                                    struct error *err)
{
    enum status status = store_check_name("model name", name, err);
    return status == STATUS_OK ? registry->backend->version_of_run(registry, name, run_id, version, err) : status;
}

enum status registry_ensure_version(struct registry *registry, const char *name, const char *run_id,
                                    const struct run_pair *tags, size_t tag_count, char **version, struct error *err)
{
    enum status status = registry_version_of_run(registry, name, run_id, version, err);
    return status == STATUS_NOT_FOUND ? registry_create_version(registry, name, run_id, tags, tag_count, version, err)
                                      : status;
}

enum status registry_models(const struct registry *registry, struct text_list *names, struct error *err)
{
    return registry->backend->models(registry, names, err);
}

enum status registry_versions(const struct registry *registry, const char *name, struct text_list *versions,
                              struct error *err)
{
    if (store_check_name("model name", name, err) != STATUS_OK)
        return err->status;
    return registry->backend->versions(registry, name, versions, err);
}

enum status registry_describe(struct registry *registry, const char *name, const char *version,
                              struct version_details *out, struct error *err)
{
    enum status status = store_check_name("model name", name, err);
    if (status == STATUS_OK && !store_is_version(version))
        status = error_set(err, STATUS_INVALID, "version \"%.40s\": give a number from 1", version);
    return status == STATUS_OK ? registry->backend->describe(registry, name, version, out, err) : status;
}

enum status registry_alias(const struct registry *registry, const char *name, const char *alias, char **version,
                           struct error *err)
{
    if (store_check_name("model name", name, err) != STATUS_OK || store_check_alias(alias, err) != STATUS_OK)
        return err->status;
    return registry->backend->alias(registry, name, alias, version, err);
}

enum status registry_move_alias(struct registry *registry, const struct alias_move *move, char **holder,
                                struct error *err)
{
    char *held = NULL;
    enum status status = store_check_name("model name", move->name, err);
    if (status == STATUS_OK)
        status = store_check_alias(move->alias, err);
    if (status == STATUS_OK && !store_is_version(move->version))
        status = error_set(err, STATUS_INVALID, "version \"%.40s\": give a number from 1", move->version);
    if (status == STATUS_OK)
        status = registry->backend->move_alias(registry, move, &held, err);
    if (holder && (status == STATUS_OK || status == STATUS_CONFLICT))
        *holder = held;
    else
        free(held);
    return status;
}

enum status registry_set_alias(struct registry *registry, const char *name, const char *alias, const char *version,
                               struct error *err)
{
    return registry_move_alias(registry, &(struct alias_move){.name = name, .alias = alias, .version = version}, NULL,
                               err);
}

enum status registry_offer_alias(struct registry *registry, const char *name, const char *alias, const char *version,
                                 char **holder, struct error *err)
{
    const struct alias_move move = {.name = name, .alias = alias, .version = version, .expected = ""};
    char *held = NULL;
    enum status status = registry_move_alias(registry, &move, &held, err);
    if (status == STATUS_CONFLICT && held)
        status = STATUS_OK;
    if (status == STATUS_OK)
        *holder = held;
    else
        free(held);
    return status;
}

enum status registry_check_names(const char *experiment, const char *name, const char *alias, struct error *err)
{
    if (store_check_name("experiment name", experiment, err) != STATUS_OK ||
        store_check_name("model name", name, err) != STATUS_OK)
        return err->status;
    return store_check_alias(alias, err);
}
