/* Models of an MLflow server on this host: see rest.h. Called by the scorer's model holder, from its own thread, and by
 * tools. A version never changes, so its file is fetched once, under a name made of all that identifies it, and
 * its digest stands beside it: a file that was damaged is fetched again, never used. What a model's URI was resolved to
 * is remembered, for a start while the server is unavailable. Several processes may share the directory. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "base/text_print.h"
#include "registry/rest.h"
#include "registry/store.h"

enum { KEPT_VERSIONS = 16 };
static const size_t model_most = (size_t)1 << 30;

char *rest_cache_default(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    return cache && *cache ? text_print("%s/attrition", cache)
           : home && *home ? text_print("%s/.cache/attrition", home)
                           : text_print("/tmp/attrition-cache-%u", (unsigned)geteuid());
}

/* CACHE/DIGEST of the texts, then SUFFIX; yours to free. */
static char *cache_path(const struct registry *registry, const struct buffer *identity, const char *suffix)
{
    char digest[SHA256_HEX_BYTES];
    sha256_hex(buffer_span(identity), digest);
    return text_print("%s/%s%s", registry->rest->cache, digest, suffix);
}

/* A directory that another user could fill with models of his own is not used. */
static enum status cache_prepare(const struct registry *registry, const char *folder, struct error *err)
{
    struct stat found;
    const char *cache = registry->rest->cache;
    mode_t before = umask(077);
    enum status status = file_make_directories(folder, err);
    umask(before);
    if (status == STATUS_OK && stat(cache, &found) == 0 && found.st_uid != geteuid() && found.st_uid != 0)
        status = error_set(err, STATUS_DENIED, "%.300s belongs to another user: set MODEL_CACHE_DIR", cache);
    return status == STATUS_OK
               ? STATUS_OK
               : error_prefix(err, "models cannot be kept; set MODEL_CACHE_DIR to a directory you may write");
}

/* The oldest versions beyond the number kept. */
static void cache_prune(const struct registry *registry)
{
    for (int removed = 0; removed < 100; removed++) {
        struct text_list entries;
        size_t folders = 0;
        char *oldest = NULL;
        time_t oldest_s = 0;
        store_entries(registry->rest->cache, &entries);
        for (size_t e = 0; e < entries.count; e++) {
            struct stat found;
            char *path = text_print("%s/%s", registry->rest->cache, entries.items[e]);
            bool version =
                strlen(entries.items[e]) == SHA256_HEX_BYTES - 1 && stat(path, &found) == 0 && S_ISDIR(found.st_mode);
            folders += version;
            if (version && (!oldest || found.st_mtime < oldest_s)) {
                free(oldest);
                oldest = path;
                oldest_s = found.st_mtime;
            } else {
                free(path);
            }
        }
        text_list_clear(&entries);
        if (folders > KEPT_VERSIONS)
            store_discard(oldest);
        free(oldest);
        if (folders <= KEPT_VERSIONS)
            return;
    }
}

/* The file against what its version's tag says, where our trainer wrote one. */
static enum status check_digest(const json_t *version, const char *digest, struct error *err)
{
    struct text_list keys = {0}, values = {0};
    enum status status = STATUS_OK;
    rest_pairs(json_object_get(version, "tags"), &keys, &values);
    for (size_t t = 0; t < keys.count; t++)
        if (strcmp(keys.items[t], "model.sha256") == 0 && strcmp(values.items[t], digest) != 0)
            status = error_set(
                err, STATUS_INVALID,
                "the file is not the one that was registered: its SHA-256 is %s, the version's tag says %.64s", digest,
                values.items[t]);
    text_list_clear(&keys);
    text_list_clear(&values);
    return status;
}

/* Fetches the version's file into FOLDER/model.onnx, its digest last: without it the file does not count. */
static enum status fetch(const struct registry *registry, const char *name, const json_t *version, const char *folder,
                         struct error *err)
{
    char *remote = NULL, *file = NULL, digest[SHA256_HEX_BYTES];
    struct buffer bytes = {0};
    enum status status = rest_version_folder(registry, name, rest_text(version, "version"), &remote, err);
    if (status == STATUS_OK)
        status = rest_model_file(registry, remote, &file, err);
    if (status == STATUS_OK)
        status = rest_download(registry, remote, file, model_most, &bytes, err);
    if (status == STATUS_OK) {
        sha256_hex(buffer_span(&bytes), digest);
        status = check_digest(version, digest, err);
    }
    if (status == STATUS_OK)
        status = cache_prepare(registry, folder, err);
    if (status == STATUS_OK)
        status = store_write(folder, "model.onnx", buffer_span(&bytes), err);
    if (status == STATUS_OK)
        status = store_write(folder, "sha256", span_of(digest), err);
    if (status == STATUS_OK)
        cache_prune(registry);
    buffer_free(&bytes);
    free(remote);
    free(file);
    return status == STATUS_OK ? STATUS_OK
                               : error_prefix(err, "model \"%.100s\" version %s", name, rest_text(version, "version"));
}

/* CACHE/… of that version, and whether it is there. */
static char *version_folder(const struct registry *registry, const char *name, const json_t *version, bool *there)
{
    struct buffer identity = {0};
    buffer_printf(&identity, "%s\n%s\n%s\n%s\n%s\n%lld", registry->root, name, rest_text(version, "version"),
                  rest_text(version, "source"), rest_text(version, "run_id"),
                  (long long)rest_number(version, "creation_timestamp"));
    char *folder = cache_path(registry, &identity, "");
    char *digest = text_print("%s/sha256", folder);
    *there = store_is_file(digest);
    free(digest);
    buffer_free(&identity);
    return folder;
}

static char *memory_path(const struct registry *registry, const char *name, const char *alias, const char *version)
{
    struct buffer identity = {0};
    buffer_printf(&identity, "%s\n%s%s%s", registry->root, name, alias ? "@" : "/", alias ? alias : version);
    char *path = cache_path(registry, &identity, ".json");
    buffer_free(&identity);
    return path;
}

/* What the URI is now; written only when it changed. Failing to remember does no harm now. */
static void remember(const struct registry *registry, const char *name, const char *alias, const char *version,
                     const struct model_version *found)
{
    char *path = memory_path(registry, name, alias, version);
    struct buffer before = {0};
    json_t *memory = json_pack("{s:s, s:s, s:s, s:s}", "name", found->name, "version", found->version, "path",
                               found->path, "run_id", found->run_id ? found->run_id : "");
    char *text = memory ? json_dumps(memory, JSON_COMPACT) : NULL;
    if (text && (store_read(path, &before, ERROR_IGNORED) != STATUS_OK || strcmp(before.data, text) != 0))
        (void)!file_write_atomic(path, span_of(text), ERROR_IGNORED);
    free(text);
    json_decref(memory);
    buffer_free(&before);
    free(path);
}

static void rest_version_fill(struct model_version *out, const char *name, const json_t *found, const char *alias,
                              char *path)
{
    const char *run_id = rest_text(found, "run_id");
    *out = (struct model_version){.name = mem_text(name),
                                  .version = mem_text(rest_text(found, "version")),
                                  .alias = alias ? mem_text(alias) : NULL,
                                  .run_id = *run_id ? mem_text(run_id) : NULL,
                                  .path = path};
}

enum status rest_locate(struct registry *registry, const char *name, const char *alias, const char *version,
                        struct model_version *out, struct error *err)
{
    json_t *found;
    bool there;
    char *file = NULL;
    enum status status = rest_version(registry, name, alias, version, &found, err);
    if (status != STATUS_OK)
        return status;
    char *folder = version_folder(registry, name, found, &there);
    if (!there)
        status = fetch(registry, name, found, folder, err);
    if (status == STATUS_OK) {
        file = text_print("%s/model.onnx", folder);
        rest_version_fill(out, name, found, alias, file);
        remember(registry, name, alias, version, out);
    }
    free(folder);
    json_decref(found);
    return status;
}

enum status rest_recall(struct registry *registry, const char *name, const char *alias, const char *version,
                        struct model_version *out, struct error *err)
{
    struct buffer text = {0};
    char *path = memory_path(registry, name, alias, version);
    json_t *memory =
        store_read(path, &text, ERROR_IGNORED) == STATUS_OK ? json_loadb(text.data, text.bytes, 0, NULL) : NULL;
    const char *file = rest_text(memory, "path");
    enum status status = STATUS_OK;
    if (!store_is_version(rest_text(memory, "version")) || !store_is_file(file))
        status = error_set(err, STATUS_NOT_FOUND, "%.300s keeps no copy of it", registry->rest->cache);
    else
        rest_version_fill(out, name, memory, alias, mem_text(file));
    json_decref(memory);
    buffer_free(&text);
    free(path);
    return status;
}

/* The digest that was kept beside the file; false: it does not fit. */
static bool is_whole(const char *path, struct span bytes)
{
    char digest[SHA256_HEX_BYTES], *beside = NULL;
    struct buffer kept = {0};
    const char *slash = strrchr(path, '/');
    beside = text_print("%.*s/sha256", slash ? (int)(slash - path) : 1, slash ? path : ".");
    sha256_hex(bytes, digest);
    bool whole = store_read(beside, &kept, ERROR_IGNORED) == STATUS_OK && strcmp(kept.data, digest) == 0;
    if (!whole)
        unlink(beside); /* the next look fetches it again */
    buffer_free(&kept);
    free(beside);
    return whole;
}

static bool is_cached(const struct registry *registry, const char *path)
{
    size_t bytes = strlen(registry->rest->cache);
    return strncmp(path, registry->rest->cache, bytes) == 0 && path[bytes] == '/';
}

enum status rest_read(struct registry *registry, const struct model_version *version, struct buffer *out,
                      struct error *err)
{
    struct buffer file = {0};
    enum status status = file_read(version->path, model_most, &file, err);
    if (status == STATUS_OK && is_cached(registry, version->path) && !is_whole(version->path, buffer_span(&file)))
        status =
            error_set(err, STATUS_NOT_FOUND, "%.300s was damaged: it is fetched again at the next look", version->path);
    if (status == STATUS_OK)
        buffer_add(out, file.data, file.bytes);
    buffer_free(&file);
    return status;
}
