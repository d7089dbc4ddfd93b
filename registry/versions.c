/* Registered models: versions and aliases. Writers hold the model's lock; a version's directory is built aside and
 * renamed, and an alias is written last, so that it never names a version that is not whole. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text_print.h"
#include "registry/digest.h"
#include "registry/store.h"
#include "registry/yaml.h"

static const char deleted_stage[] = "Deleted_Internal"; /* how MLflow marks a version that is gone */

static enum status model_lock(const struct registry *registry, const char *name, int *lock, struct error *err)
{
    char *path = store_path(registry, "models/.%s.lock", name);
    enum status status = store_lock(path, lock, err);
    free(path);
    return status;
}

static bool model_exists(const struct registry *registry, const char *name)
{
    char *path = store_path(registry, "models/%s", name);
    bool exists = store_is_directory(path);
    free(path);
    return exists;
}

/* That there is a model of that name; a store that cannot be read is not one without the model. */
static enum status model_check(const struct registry *registry, const char *name, struct error *err)
{
    struct text_list entries;
    if (model_exists(registry, name))
        return STATUS_OK;
    char *path = store_path(registry, "models");
    enum status status = store_list(path, &entries, err);
    free(path);
    if (status != STATUS_OK)
        return status;
    text_list_clear(&entries);
    return error_set(
        err, STATUS_NOT_FOUND,
        "no registered model \"%s\" in %.200s: make it with `trainer train DATA --model logistic-regression-l2`", name,
        registry->root);
}

enum status store_models(const struct registry *registry, struct text_list *names, struct error *err)
{
    char *path = store_path(registry, "models");
    struct text_list all;
    enum status status = store_list(path, &all, err);
    free(path);
    if (status != STATUS_OK)
        return status;
    *names = (struct text_list){0};
    for (size_t e = 0; e < all.count; e++)
        if (model_exists(registry, all.items[e]))
            text_list_add(names, all.items[e]);
    text_list_clear(&all);
    return STATUS_OK;
}

/* A version's meta.yaml. STATUS_NOT_FOUND: there is none, or it says that the version was deleted. */
static enum status version_read(const struct registry *registry, const char *name, const char *version,
                                struct buffer *meta, struct error *err)
{
    struct buffer stage = {0};
    char *path = store_path(registry, "models/%s/version-%s/meta.yaml", name, version);
    enum status status = store_read(path, meta, err);
    bool deleted = status == STATUS_OK && yaml_scalar(buffer_span(meta), "current_stage", &stage) &&
                   strcmp(stage.data, deleted_stage) == 0;
    if (status == STATUS_NOT_FOUND || deleted)
        status = error_set(err, STATUS_NOT_FOUND, "model \"%s\" has no version %s in %.200s: see `registry list`", name,
                           version, registry->root);
    free(path);
    buffer_free(&stage);
    return status;
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
        text_list_add(out, entries.items[e] + 8);
    }
    text_list_sort_versions(out);
    text_list_clear(&entries);
    free(path);
}

enum status store_versions(const struct registry *registry, const char *name, struct text_list *versions,
                           struct error *err)
{
    struct text_list all, live = {0};
    struct buffer meta = {0};
    if (model_check(registry, name, err) != STATUS_OK)
        return err->status;
    version_numbers(registry, name, &all);
    for (size_t v = 0; v < all.count; v++)
        if (version_read(registry, name, all.items[v], &meta, ERROR_IGNORED) != STATUS_NOT_FOUND)
            text_list_add(&live, all.items[v]);
    text_list_clear(&all);
    buffer_free(&meta);
    *versions = live;
    return STATUS_OK;
}

/* MLflow itself empties an alias file before it rewrites it: a file without a version is not a missing one. */
static enum status alias_read(const struct registry *registry, const char *name, const char *alias, char **version,
                              struct error *err)
{
    struct buffer text = {0};
    char *path = store_path(registry, "models/%s/aliases/%s", name, alias);
    enum status status = store_read(path, &text, err);
    if (status == STATUS_OK)
        text.data[strcspn(text.data, " \t\r\n")] = '\0';
    if (status == STATUS_NOT_FOUND)
        status = error_set(
            err, STATUS_NOT_FOUND,
            "model \"%s\" has no alias \"%s\" in %.200s: set it with `registry promote %s VERSION --alias %s`", name,
            alias, registry->root, name, alias);
    else if (status == STATUS_LIMIT || (status == STATUS_OK && !store_is_version(text.data)))
        status = error_set(err, STATUS_UNAVAILABLE,
                           "%.250s holds no version: it is being written, or damaged; set it again with `registry "
                           "promote %s VERSION --alias %s`",
                           path, name, alias);
    if (status == STATUS_OK)
        *version = mem_text(text.data);
    free(path);
    buffer_free(&text);
    return status;
}

enum status store_alias(const struct registry *registry, const char *name, const char *alias, char **version,
                        struct error *err)
{
    if (model_check(registry, name, err) != STATUS_OK)
        return err->status;
    return alias_read(registry, name, alias, version, err);
}

static char *yaml_text_or_null(struct span text, const char *key, struct buffer *scratch)
{
    return yaml_scalar(text, key, scratch) && scratch->bytes ? mem_text(scratch->data) : NULL;
}

/* The file that FOLDER/MLmodel calls its onnx model; NULL if it names none, or none that is there. */
static char *model_file(const char *folder)
{
    struct buffer text = {0}, data = {0};
    char *path = text_print("%s/MLmodel", folder), *file = NULL;
    if (store_read(path, &text, ERROR_IGNORED) == STATUS_OK && mlmodel_file(buffer_span(&text), &data))
        file = text_print("%s/%s", folder, data.data);
    if (file && !store_is_file(file)) {
        free(file);
        file = NULL;
    }
    free(path);
    buffer_free(&text);
    buffer_free(&data);
    return file;
}

static void describe_tags(const char *directory, struct version_details *out)
{
    struct buffer text = {0};
    char *path = text_print("%s/tags", directory);
    store_entries(path, &out->tag_keys);
    out->tag_values.items = mem_zeroed(out->tag_keys.count + 1, sizeof *out->tag_values.items);
    for (size_t t = 0; t < out->tag_keys.count; t++) {
        char *file = text_print("%s/%s", path, out->tag_keys.items[t]);
        bool read = store_read(file, &text, ERROR_IGNORED) == STATUS_OK;
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
        char *target = NULL;
        if (alias_read(registry, name, all.items[a], &target, ERROR_IGNORED) == STATUS_OK &&
            strcmp(target, version) == 0)
            text_list_add(out, all.items[a]);
        free(target);
    }
    text_list_clear(&all);
    free(path);
}

static void describe_meta(struct registry *registry, struct span meta, struct version_details *out)
{
    struct buffer scratch = {0};
    char *folder = NULL, *storage = yaml_text_or_null(meta, "storage_location", &scratch);
    out->version.run_id = yaml_text_or_null(meta, "run_id", &scratch);
    out->source = yaml_text_or_null(meta, "source", &scratch);
    if (yaml_scalar(meta, "creation_timestamp", &scratch))
        out->created_ms = strtoll(scratch.data, NULL, 10);
    if (store_locate(registry, out->source, storage, &folder, ERROR_IGNORED) == STATUS_OK)
        out->version.path = model_file(folder);
    out->gone = !out->version.path;
    free(folder);
    free(storage);
    buffer_free(&scratch);
}

enum status store_describe(struct registry *registry, const char *name, const char *version,
                           struct version_details *out, struct error *err)
{
    struct buffer meta = {0};
    enum status status = model_check(registry, name, err);
    if (status == STATUS_OK)
        status = version_read(registry, name, version, &meta, err);
    if (status == STATUS_OK) {
        char *directory = store_path(registry, "models/%s/version-%s", name, version);
        *out = (struct version_details){.version = {.name = mem_text(name), .version = mem_text(version)}};
        describe_meta(registry, buffer_span(&meta), out);
        describe_tags(directory, out);
        out->version.sha256 = digest_of_tags(&out->tag_keys, &out->tag_values);
        describe_aliases(registry, name, version, &out->aliases);
        free(directory);
    }
    buffer_free(&meta);
    return status;
}

static void model_meta(struct buffer *out, const char *name)
{
    yaml_add_int(out, 0, "creation_timestamp", clock_real_ms(&clock_system));
    yaml_add_text(out, 0, "description", NULL);
    yaml_add_int(out, 0, "last_updated_timestamp", clock_real_ms(&clock_system));
    yaml_add_text(out, 0, "name", name);
}

static enum status versions_write_model(const struct registry *registry, const char *name, struct error *err)
{
    char *place = store_path(registry, "models/%s", name);
    struct buffer meta = {0};
    model_meta(&meta, name);
    return store_make(registry, place, &meta, NULL, 0, err);
}

static void version_meta(struct buffer *out, const char *name, const char *version, const char *run_id,
                         const char *source)
{
    int64_t now = clock_real_ms(&clock_system);
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

/* The model's `last_updated_timestamp` line, as MLflow keeps it; all other lines stay as they are. A meta.yaml that is
 * gone is rewritten. */
static enum status touch_model(const struct registry *registry, const char *name, struct error *err)
{
    static const char key[] = "last_updated_timestamp: ";
    struct buffer text = {0}, changed = {0};
    char *path = store_path(registry, "models/%s/meta.yaml", name);
    enum status status = store_read(path, &text, err);
    char *line = status == STATUS_OK ? strstr(text.data, key) : NULL;
    if (line && (line == text.data || line[-1] == '\n')) {
        buffer_add(&changed, text.data, (size_t)(line - text.data));
        yaml_add_int(&changed, 0, "last_updated_timestamp", clock_real_ms(&clock_system));
        line += strcspn(line, "\n");
        buffer_add_text(&changed, *line ? line + 1 : line);
    } else if (status == STATUS_NOT_FOUND) {
        model_meta(&changed, name);
        status = STATUS_OK;
    }
    if (status == STATUS_OK && changed.bytes)
        status = store_replace(registry, path, buffer_span(&changed), err);
    free(path);
    buffer_free(&text);
    buffer_free(&changed);
    return status;
}

/* STATUS_CONFLICT if somebody who takes no locks was faster. */
static enum status write_version(const struct registry *registry, const char *name, const char *number,
                                 const char *run_id, const char *source, const struct run_pair *tags, size_t tag_count,
                                 struct error *err)
{
    char *place = store_path(registry, "models/%s/version-%s", name, number);
    struct buffer meta = {0};
    version_meta(&meta, name, number, run_id, source);
    return store_make(registry, place, &meta, tags, tag_count, err);
}

static char *next_version(const struct registry *registry, const char *name)
{
    struct text_list numbers;
    version_numbers(registry, name, &numbers);
    char *next = text_print("%ld", numbers.count ? atol(numbers.items[numbers.count - 1]) + 1 : 1L);
    text_list_clear(&numbers);
    return next;
}

/* Under the model's lock. Python's MLflow takes no lock: where it was faster, the next number is tried. */
static enum status add_version(const struct registry *registry, const char *name, const char *run_id,
                               const char *source, const struct run_pair *tags, size_t tag_count, char **number,
                               struct error *err)
{
    enum status status =
        model_exists(registry, name) ? touch_model(registry, name, err) : versions_write_model(registry, name, err);
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        return status;
    for (int attempt = 0; attempt < 10; attempt++) {
        free(*number);
        *number = next_version(registry, name);
        status = write_version(registry, name, *number, run_id, source, tags, tag_count, err);
        if (status != STATUS_CONFLICT)
            break;
    }
    return status;
}

enum status store_create_version(struct registry *registry, const char *name, const char *run_id,
                                 const struct run_pair *tags, size_t tag_count, char **version, struct error *err)
{
    int lock;
    char *folder = NULL, *source = NULL, *number = NULL;
    if (store_prepare(registry, err) != STATUS_OK)
        return err->status;
    source = text_print("runs:/%s/model", run_id);
    enum status status = store_locate(registry, source, NULL, &folder, err);
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

static enum status write_alias(const struct registry *registry, const char *name, const char *alias,
                               const char *version, struct error *err)
{
    char *folder = store_path(registry, "models/%s/aliases", name);
    char *place = store_path(registry, "models/%s/aliases/%s", name, alias);
    enum status status = file_make_directories(folder, err);
    if (status == STATUS_OK)
        status = touch_model(registry, name, err); /* which makes the new folder durable too */
    if (status == STATUS_OK)
        status = store_replace(registry, place, span_of(version), err);
    free(place);
    free(folder);
    return status;
}

/* What an alias may point at: a version that is there, with its file. */
static enum status versions_check_target(struct registry *registry, const char *name, const char *version,
                                         struct error *err)
{
    struct version_details details;
    enum status status = store_describe(registry, name, version, &details, err);
    if (status != STATUS_OK)
        return status;
    if (!details.version.path)
        status = error_set(err, STATUS_NOT_FOUND,
                           "model \"%s\" version %s has no model file: an alias must not point at it; restore %.200s",
                           name, version, details.source ? details.source : "its source");
    version_details_clear(&details);
    return status;
}

/* The alias's line of history, once it has moved. A writer that dies in between leaves a gap, which the next line's
 * "from" shows. */
static enum status versions_write_history(const struct registry *registry, const struct alias_move *move,
                                          const char *from, struct error *err)
{
    char *key = history_key(move->alias);
    char *folder = store_path(registry, "models/%s/tags", move->name);
    char *place = store_path(registry, "models/%s/tags/%s", move->name, key);
    struct buffer text = {0};
    enum status status = file_make_directories(folder, err);
    if (status == STATUS_OK)
        status = store_read(place, &text, err);
    bool recreated = status == STATUS_NOT_FOUND || status == STATUS_LIMIT; /* none, or damaged */
    if (status == STATUS_OK || recreated) {
        history_add(&text, move, from);
        status = store_replace(registry, place, buffer_span(&text), err);
    }
    buffer_free(&text);
    free(place);
    free(folder);
    free(key);
    return status == STATUS_OK ? STATUS_OK : history_failed(move, err);
}

/* Under the model's lock. *holder: NULL, or what the alias points at. */
static enum status move_locked(const struct registry *registry, const struct alias_move *move, char **holder,
                               struct error *err)
{
    enum status status = alias_read(registry, move->name, move->alias, holder, err);
    bool damaged = status == STATUS_UNAVAILABLE && !move->expected;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND && !damaged)
        return status;
    const char *from = *holder;
    if (move->expected && strcmp(move->expected, from ? from : "") != 0)
        return error_set(err, STATUS_CONFLICT, "alias \"%s\" of model \"%s\" points at %s%s, not at %s%s: look again",
                         move->alias, move->name, from ? "version " : "nothing", from ? from : "",
                         *move->expected ? "version " : "nothing", move->expected);
    status = write_alias(registry, move->name, move->alias, move->version, err);
    if (status == STATUS_OK && (!from || strcmp(from, move->version) != 0))
        status = versions_write_history(registry, move, from, err);
    if (status != STATUS_OK)
        return status;
    free(*holder);
    *holder = mem_text(move->version);
    return STATUS_OK;
}

/* Under the model's lock, so that of several who find no alias only one sets it. */
enum status store_move_alias(struct registry *registry, const struct alias_move *move, char **holder, struct error *err)
{
    int lock;
    if (versions_check_target(registry, move->name, move->version, err) != STATUS_OK ||
        store_prepare(registry, err) != STATUS_OK || model_lock(registry, move->name, &lock, err) != STATUS_OK)
        return err->status;
    *holder = NULL;
    enum status status = move_locked(registry, move, holder, err);
    store_unlock(lock);
    return status;
}
