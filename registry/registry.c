/* Opening a store and finding a model in it: see registry.h. The scorer's model holder polls registry_resolve from its
 * own thread; nothing here writes. Reading takes no lock: what writers place, they place whole. */
#include "registry/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "registry/store.h"

static const char model_scheme[] = "models:/";

enum status registry_open(const char *tracking_uri, struct registry **out, struct error *err)
{
    if (strncmp(tracking_uri, "http://", 7) == 0 || strncmp(tracking_uri, "https://", 8) == 0)
        return error_set(
            err, STATUS_UNSUPPORTED,
            "MLflow servers are not spoken to by this version: set MLFLOW_TRACKING_URI to a directory, such "
            "as ./mlruns");
    char *root = store_path_of_uri(tracking_uri);
    if (!root)
        return error_set(err, STATUS_UNSUPPORTED, "MLFLOW_TRACKING_URI has a scheme that is no directory: give a path");
    size_t bytes = strlen(root);
    while (bytes > 1 && root[bytes - 1] == '/')
        root[--bytes] = '\0';
    if (!*root) {
        free(root);
        return error_set(err, STATUS_INVALID, "MLFLOW_TRACKING_URI is empty: give a directory, such as ./mlruns");
    }
    struct registry *registry = mem_zeroed(1, sizeof *registry);
    *registry = (struct registry){.root = root, .hold = -1};
    *out = registry;
    return STATUS_OK;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    if (registry->hold >= 0)
        store_unlock(registry->hold);
    free(registry->root);
    free(registry);
}

const char *registry_root(const struct registry *registry)
{
    return registry->root;
}

void text_list_add(struct text_list *list, const char *text)
{
    list->items = mem_resize(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = mem_text(text);
}

void text_list_clear(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

void model_version_clear(struct model_version *version)
{
    free(version->name);
    free(version->version);
    free(version->alias);
    free(version->run_id);
    free(version->path);
    *version = (struct model_version){0};
}

void version_details_clear(struct version_details *details)
{
    model_version_clear(&details->version);
    free(details->source);
    text_list_clear(&details->aliases);
    text_list_clear(&details->tag_keys);
    text_list_clear(&details->tag_values);
    *details = (struct version_details){0};
}

/* A file that stands for itself: version "0" of its own base name. */
static enum status resolve_file(const char *uri, struct model_version *out, struct error *err)
{
    struct stat found;
    char *path = store_path_of_uri(uri);
    if (!path)
        return error_set(err, STATUS_INVALID,
                         "model %.200s: give models:/NAME@ALIAS, models:/NAME/VERSION or a path to an .onnx file", uri);
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
    if (status == STATUS_OK && *version && !store_is_version(*version))
        status = error_set(err, STATUS_INVALID, "model models:/%.200s/%.100s: the version must be a number from 1",
                           text, *version);
    return status;
}

static enum status resolve_registered(struct registry *registry, char *text, struct model_version *out,
                                      struct error *err)
{
    const char *alias, *version;
    char *aliased = NULL;
    struct version_details details;
    enum status status = split_model_uri(text, &alias, &version, err);
    if (status == STATUS_OK && alias)
        status = registry_alias(registry, text, alias, &aliased, err);
    if (status == STATUS_OK)
        status = registry_describe(registry, text, aliased ? aliased : version, &details, err);
    free(aliased);
    if (status != STATUS_OK)
        return status;
    if (!details.version.path) {
        status = error_set(
            err, STATUS_NOT_FOUND,
            "model \"%.100s\" version %s: no model file at %.200s: restore it, or train and promote another version",
            text, details.version.version, details.source ? details.source : "the source in its meta.yaml");
    } else {
        *out = details.version;
        out->alias = alias ? mem_text(alias) : NULL;
        details.version = (struct model_version){0};
    }
    version_details_clear(&details);
    return status;
}

enum status registry_resolve(struct registry *registry, const char *model_uri, struct model_version *out,
                             struct error *err)
{
    if (strncmp(model_uri, model_scheme, sizeof model_scheme - 1) != 0)
        return resolve_file(model_uri, out, err);
    char *text = mem_text(model_uri + sizeof model_scheme - 1);
    enum status status = resolve_registered(registry, text, out, err);
    free(text);
    return status;
}

enum status registry_read(struct registry *registry, const struct model_version *version, struct buffer *out,
                          struct error *err)
{
    (void)registry; /* where a path needs no store; a server would */
    struct buffer file = {0};
    enum status status = file_read(version->path, (size_t)1 << 30, &file, err);
    if (status == STATUS_OK)
        buffer_add(out, file.data, file.bytes);
    buffer_free(&file);
    return status;
}
