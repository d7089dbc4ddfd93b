/* Registered models: versions and aliases. Writers hold the model's lock; a version's directory is built aside and
 * renamed, and an alias is written last, so that it never names a version that is not whole. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "registry/store.h"
#include "registry/yaml.h"

static const char deleted_stage[] = "Deleted_Internal"; /* how MLflow marks a version that is gone */

static enum status no_model(const struct registry *registry, const char *name, struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND,
                     "no registered model \"%s\" in %.200s: make it with `trainer train DATA --model "
                     "logistic-regression-l2`",
                     name, registry->root);
}

static enum status model_lock(const struct registry *registry, const char *name, int *lock, struct error *err)
{
    char *path = store_path(registry, "models/.%s.lock", name);
    enum status status = store_lock(path, lock, err);
    free(path);
    return status;
}

void registry_models(const struct registry *registry, struct text_list *names)
{
    char *path = store_path(registry, "models");
    store_entries(path, names);
    free(path);
}

static int compare_versions(const void *a, const void *b)
{
    long left = atol(*(char *const *)a), right = atol(*(char *const *)b);
    return (left > right) - (left < right);
}

static bool version_is_live(const struct registry *registry, const char *name, const char *version)
{
    struct buffer text = {0}, stage = {0};
    char *path = store_path(registry, "models/%s/version-%s/meta.yaml", name, version);
    bool live = store_read(path, &text, NULL) == STATUS_OK &&
                !(yaml_scalar(buffer_span(&text), "current_stage", &stage) && strcmp(stage.data, deleted_stage) == 0);
    free(path);
    buffer_free(&text);
    buffer_free(&stage);
    return live;
}

/* Every version-N directory's N, deleted ones included, ascending. */
static void version_numbers(const struct registry *registry, const char *name, struct text_list *out)
{
    struct text_list entries;
    char *path = store_path(registry, "models/%s", name);
    *out = (struct text_list){0};
    store_entries(path, &entries);
    for (size_t e = 0; e < entries.count; e++) {
        if (strncmp(entries.items[e], "version-", 8) != 0 || !store_is_version(entries.items[e] + 8))
            continue;
        out->items = mem_resize(out->items, out->count + 1, sizeof *out->items);
        out->items[out->count++] = mem_text(entries.items[e] + 8);
    }
    if (out->count)
        qsort(out->items, out->count, sizeof *out->items, compare_versions);
    text_list_clear(&entries);
    free(path);
}

static bool model_exists(const struct registry *registry, const char *name)
{
    char *path = store_path(registry, "models/%s", name);
    bool exists = store_is_directory(path);
    free(path);
    return exists;
}

enum status registry_versions(const struct registry *registry, const char *name, struct text_list *versions,
                              struct error *err)
{
    enum status status = store_check_name("model name", name, err);
    if (status != STATUS_OK)
        return status;
    if (!model_exists(registry, name))
        return no_model(registry, name, err);
    struct text_list all;
    version_numbers(registry, name, &all);
    size_t kept = 0;
    for (size_t v = 0; v < all.count; v++) {
        if (version_is_live(registry, name, all.items[v]))
            all.items[kept++] = all.items[v];
        else
            free(all.items[v]);
    }
    all.count = kept;
    *versions = all;
    return STATUS_OK;
}

/* The version in an alias file; yours to free. NULL: there is no such file, or (*unfinished) it holds no version:
 * MLflow itself empties the file before it writes it anew. */
static char *alias_read(const struct registry *registry, const char *name, const char *alias, bool *unfinished)
{
    struct buffer text = {0};
    char *path = store_path(registry, "models/%s/aliases/%s", name, alias), *version = NULL;
    *unfinished = false;
    if (store_read(path, &text, NULL) == STATUS_OK) {
        text.data[strcspn(text.data, " \t\r\n")] = '\0';
        if (store_is_version(text.data))
            version = mem_text(text.data);
        *unfinished = !version;
    }
    free(path);
    buffer_free(&text);
    return version;
}

enum status registry_alias(const struct registry *registry, const char *name, const char *alias, char **version,
                           struct error *err)
{
    bool unfinished;
    enum status status = store_check_name("model name", name, err);
    if (status == STATUS_OK)
        status = store_check_alias(alias, err);
    if (status != STATUS_OK)
        return status;
    if (!model_exists(registry, name))
        return no_model(registry, name, err);
    char *found = alias_read(registry, name, alias, &unfinished);
    if (unfinished)
        return error_set(
            err, STATUS_UNAVAILABLE,
            "%.200s/models/%s/aliases/%s holds no version: it is being written, or damaged; set it again with "
            "`registry promote %s VERSION --alias %s`",
            registry->root, name, alias, name, alias);
    if (!found)
        return error_set(
            err, STATUS_NOT_FOUND,
            "model \"%s\" has no alias \"%s\" in %.200s: set it with `registry promote %s VERSION --alias %s`", name,
            alias, registry->root, name, alias);
    *version = found;
    return STATUS_OK;
}

static char *text_or_null(struct span text, const char *key, struct buffer *scratch)
{
    return yaml_scalar(text, key, scratch) && scratch->bytes ? mem_text(scratch->data) : NULL;
}

/* The file that FOLDER/MLmodel calls its onnx model; NULL if it names none inside the folder. */
static char *model_file(const char *folder)
{
    struct buffer text = {0}, data = {0};
    struct span flavors, onnx;
    char *path = NULL, *file = NULL;
    if (asprintf(&path, "%s/MLmodel", folder) < 0)
        abort();
    if (store_read(path, &text, NULL) == STATUS_OK && yaml_block(buffer_span(&text), "flavors", &flavors) &&
        yaml_block(flavors, "onnx", &onnx) && yaml_scalar(onnx, "data", &data) && data.bytes && data.data[0] != '/' &&
        !strstr(data.data, "..") && asprintf(&file, "%s/%s", folder, data.data) < 0)
        abort();
    free(path);
    buffer_free(&text);
    buffer_free(&data);
    return file;
}

static void describe_tags(const char *directory, struct version_details *out)
{
    char *path = NULL;
    struct buffer text = {0};
    if (asprintf(&path, "%s/tags", directory) < 0)
        abort();
    store_entries(path, &out->tag_keys);
    out->tag_values.items = mem_zeroed(out->tag_keys.count + 1, sizeof *out->tag_values.items);
    for (size_t t = 0; t < out->tag_keys.count; t++) {
        char *file = NULL;
        if (asprintf(&file, "%s/%s", path, out->tag_keys.items[t]) < 0)
            abort();
        bool read = store_read(file, &text, NULL) == STATUS_OK;
        out->tag_values.items[out->tag_values.count++] = mem_text_n(read ? text.data : "", read ? text.bytes : 0);
        free(file);
    }
    buffer_free(&text);
    free(path);
}

static void describe_aliases(const struct registry *registry, const char *name, const char *version,
                             struct text_list *out)
{
    char *path = store_path(registry, "models/%s/aliases", name);
    struct text_list all;
    store_entries(path, &all);
    for (size_t a = 0; a < all.count; a++) {
        bool unfinished;
        char *target = alias_read(registry, name, all.items[a], &unfinished);
        if (target && strcmp(target, version) == 0) {
            out->items = mem_resize(out->items, out->count + 1, sizeof *out->items);
            out->items[out->count++] = mem_text(all.items[a]);
        }
        free(target);
    }
    text_list_clear(&all);
    free(path);
}

static void describe_meta(struct registry *registry, struct span meta, struct version_details *out)
{
    struct buffer scratch = {0};
    char *folder = NULL, *storage = text_or_null(meta, "storage_location", &scratch);
    out->version.run_id = text_or_null(meta, "run_id", &scratch);
    out->source = text_or_null(meta, "source", &scratch);
    if (yaml_scalar(meta, "creation_timestamp", &scratch))
        out->created_ms = strtoll(scratch.data, NULL, 10);
    if (store_locate(registry, out->source, storage, &folder, NULL) == STATUS_OK)
        out->version.path = model_file(folder);
    free(folder);
    free(storage);
    buffer_free(&scratch);
}

enum status registry_describe(struct registry *registry, const char *name, const char *version,
                              struct version_details *out, struct error *err)
{
    enum status status = store_check_name("model name", name, err);
    if (status != STATUS_OK)
        return status;
    if (!store_is_version(version))
        return error_set(err, STATUS_INVALID, "version \"%.40s\": give a number from 1", version);
    if (!model_exists(registry, name))
        return no_model(registry, name, err);
    char *directory = store_path(registry, "models/%s/version-%s", name, version);
    char *path = store_path(registry, "models/%s/version-%s/meta.yaml", name, version);
    struct buffer meta = {0};
    if (!version_is_live(registry, name, version) || store_read(path, &meta, NULL) != STATUS_OK) {
        status = error_set(err, STATUS_NOT_FOUND, "model \"%s\" has no version %s in %.200s: see `registry list`", name,
                           version, registry->root);
    } else {
        *out = (struct version_details){.version = {.name = mem_text(name), .version = mem_text(version)}};
        describe_meta(registry, buffer_span(&meta), out);
        describe_tags(directory, out);
        describe_aliases(registry, name, version, &out->aliases);
    }
    buffer_free(&meta);
    free(path);
    free(directory);
    return status;
}

static enum status write_model(struct registry *registry, const char *name, struct error *err)
{
    char *built = store_new_path(registry), *place = store_path(registry, "models/%s", name);
    struct buffer meta = {0};
    yaml_add_int(&meta, 0, "creation_timestamp", store_now_ms());
    yaml_add_text(&meta, 0, "description", NULL);
    yaml_add_int(&meta, 0, "last_updated_timestamp", store_now_ms());
    yaml_add_text(&meta, 0, "name", name);
    enum status status = file_make_directories(built, err);
    if (status == STATUS_OK)
        status = store_write(built, "meta.yaml", buffer_span(&meta), err);
    if (status == STATUS_OK)
        status = store_place(built, place, err);
    if (status != STATUS_OK)
        store_discard(built);
    buffer_free(&meta);
    free(built);
    free(place);
    return status;
}

static void version_meta(struct buffer *out, const char *name, const char *version, const char *run_id,
                         const char *source)
{
    int64_t now = store_now_ms();
    yaml_add_int(out, 0, "creation_timestamp", now);
    yaml_add_text(out, 0, "current_stage", "None");
    yaml_add_text(out, 0, "description", NULL);
    yaml_add_int(out, 0, "last_updated_timestamp", now);
    yaml_add_text(out, 0, "name", name);
    yaml_add_text(out, 0, "run_id", run_id);
    yaml_add_text(out, 0, "run_link", NULL);
    yaml_add_text(out, 0, "source", source);
    yaml_add_text(out, 0, "status", "READY");
    yaml_add_text(out, 0, "status_message", NULL);
    yaml_add_text(out, 0, "storage_location", source);
    yaml_add_text(out, 0, "user_id", NULL);
    yaml_add_int(out, 0, "version", atol(version));
}

/* The model's `last_updated_timestamp` line, as MLflow keeps it; all other lines stay as they are. */
static enum status touch_model(const struct registry *registry, const char *name, struct error *err)
{
    static const char key[] = "last_updated_timestamp: ";
    struct buffer text = {0}, changed = {0};
    char *directory = store_path(registry, "models/%s", name),
         *path = store_path(registry, "models/%s/meta.yaml", name);
    enum status status = store_read(path, &text, err);
    char *line = status == STATUS_OK ? strstr(text.data, key) : NULL;
    if (line && (line == text.data || line[-1] == '\n')) {
        buffer_add(&changed, text.data, (size_t)(line - text.data));
        yaml_add_int(&changed, 0, "last_updated_timestamp", store_now_ms());
        line += strcspn(line, "\n");
        buffer_add_text(&changed, *line ? line + 1 : line);
        status = store_write(directory, "meta.yaml", buffer_span(&changed), err);
    }
    free(path);
    free(directory);
    buffer_free(&text);
    buffer_free(&changed);
    return status;
}

/* Builds version `number` and renames it to its place; STATUS_CONFLICT if somebody who takes no locks was faster. */
static enum status write_version(struct registry *registry, const char *name, const char *number, const char *run_id,
                                 const char *source, const struct run_pair *tags, size_t tag_count, struct error *err)
{
    char *built = store_new_path(registry), *place = store_path(registry, "models/%s/version-%s", name, number);
    struct buffer meta = {0};
    version_meta(&meta, name, number, run_id, source);
    enum status status = file_make_directories(built, err);
    if (status == STATUS_OK)
        status = store_write_pairs(built, "tags", tags, tag_count, err);
    if (status == STATUS_OK)
        status = store_write(built, "meta.yaml", buffer_span(&meta), err);
    if (status == STATUS_OK)
        status = store_place(built, place, err);
    if (status != STATUS_OK)
        store_discard(built);
    buffer_free(&meta);
    free(built);
    free(place);
    return status;
}

static char *next_version(const struct registry *registry, const char *name)
{
    struct text_list numbers;
    char *next = NULL;
    version_numbers(registry, name, &numbers);
    if (asprintf(&next, "%ld", numbers.count ? atol(numbers.items[numbers.count - 1]) + 1 : 1L) < 0)
        abort();
    text_list_clear(&numbers);
    return next;
}

/* Under the model's lock. Python's MLflow takes no lock: where it was faster, the next number is tried. */
static enum status add_version(struct registry *registry, const char *name, const char *run_id, const char *source,
                               const struct run_pair *tags, size_t tag_count, char **number, struct error *err)
{
    enum status status = model_exists(registry, name) ? STATUS_OK : write_model(registry, name, err);
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        return status;
    for (int attempt = 0; attempt < 10; attempt++) {
        free(*number);
        *number = next_version(registry, name);
        status = write_version(registry, name, *number, run_id, source, tags, tag_count, err);
        if (status != STATUS_CONFLICT)
            break;
    }
    return status == STATUS_OK ? touch_model(registry, name, err) : status;
}

enum status registry_create_version(struct registry *registry, const char *name, const char *run_id,
                                    const struct run_pair *tags, size_t tag_count, char **version, struct error *err)
{
    int lock;
    char *folder = NULL, *source = NULL, *number = NULL;
    enum status status = store_check_name("model name", name, err);
    if (status == STATUS_OK)
        status = store_check_name("run id", run_id, err);
    if (status == STATUS_OK)
        status = store_prepare(registry, err);
    if (status != STATUS_OK)
        return status;
    if (asprintf(&source, "runs:/%s/model", run_id) < 0)
        abort();
    status = store_locate(registry, source, NULL, &folder, err);
    free(source);
    if (status != STATUS_OK)
        return status;
    status = model_lock(registry, name, &lock, err);
    if (status == STATUS_OK) {
        status = add_version(registry, name, run_id, folder, tags, tag_count, &number, err);
        store_unlock(lock);
    }
    free(folder);
    if (status == STATUS_OK)
        *version = number;
    else
        free(number);
    return status;
}

static enum status write_alias(struct registry *registry, const char *name, const char *alias, const char *version,
                               struct error *err)
{
    char *folder = store_path(registry, "models/%s/aliases", name), *built = store_new_path(registry);
    char *place = store_path(registry, "models/%s/aliases/%s", name, alias);
    enum status status = file_make_directories(folder, err);
    if (status == STATUS_OK)
        status = file_write_atomic(built, span_of(version), err);
    if (status == STATUS_OK)
        status = store_place(built, place, err);
    if (status != STATUS_OK)
        store_discard(built);
    free(place);
    free(built);
    free(folder);
    return status;
}

enum status registry_set_alias(struct registry *registry, const char *name, const char *alias, const char *version,
                               struct error *err)
{
    int lock;
    struct version_details details;
    enum status status = store_check_alias(alias, err);
    if (status == STATUS_OK)
        status = registry_describe(registry, name, version, &details, err);
    if (status != STATUS_OK)
        return status;
    if (!details.version.path)
        status = error_set(err, STATUS_NOT_FOUND,
                           "model \"%s\" version %s has no model file: an alias must not point at it; restore %.200s",
                           name, version, details.source ? details.source : "its source");
    version_details_clear(&details);
    if (status == STATUS_OK)
        status = store_prepare(registry, err);
    if (status == STATUS_OK)
        status = model_lock(registry, name, &lock, err);
    if (status != STATUS_OK)
        return status;
    status = touch_model(registry, name, err);
    if (status == STATUS_OK)
        status = write_alias(registry, name, alias, version, err);
    store_unlock(lock);
    return status;
}
