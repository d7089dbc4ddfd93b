/* Models of an MLflow server on this host: see rest.h. Called by the scorer's model holder, from its own thread, and by
 * tools. A version never changes, so its file is fetched once, under a name made of all that identifies it, and
 * its digest stands beside it: a file that was damaged is fetched again, never used. What a model's URI was resolved to
 * is remembered, for a start while the server is unavailable. Several processes of one user may share the directory;
 * what another user may have written is never read, and nothing outside the directory is. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "base/text_print.h"
#include "pipeline/onnx/onnx_limits.h"
#include "registry/digest.h"
#include "registry/rest.h"
#include "registry/store.h"

enum { KEPT_VERSIONS = 16 };
static const char denied_hint[] = "remove it, or set MODEL_CACHE_DIR to a directory of this user alone";

/* "" where this user has no place of its own: never one that all users share. */
char *rest_cache_default(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const struct passwd *user = home && *home ? NULL : getpwuid(geteuid());
    if (user)
        home = user->pw_dir;
    return cache && *cache                      ? text_print("%s/attrition", cache)
           : home && *home && strcmp(home, "/") ? text_print("%s/.cache/attrition", home)
                                                : mem_text("");
}

/* CACHE/DIGEST of the texts, then SUFFIX; yours to free. */
static char *cache_path(const struct registry *registry, const struct buffer *identity, const char *suffix)
{
    char digest[SHA256_HEX_BYTES];
    sha256_hex(buffer_span(identity), digest);
    return text_print("%s/%s%s", registry->rest->cache, digest, suffix);
}

/* What is denied, and then what to do. */
static enum status cache_denied(struct error *err)
{
    struct error denied = *err;
    return error_set(err, STATUS_DENIED, "%s; %s", denied.text, denied_hint);
}

static enum status cache_prepare(const struct registry *registry, const char *folder, struct error *err)
{
    if (!*registry->rest->cache)
        return error_set(err, STATUS_NOT_FOUND,
                         "models of a server are kept on this host, and this user has no home directory: set "
                         "MODEL_CACHE_DIR to a directory of this user alone");
    mode_t before = umask(077);
    enum status status = file_make_directories(folder, err);
    umask(before);
    if (status == STATUS_OK)
        status = file_check_private(registry->rest->cache, err);
    if (status == STATUS_OK)
        status = file_check_private(folder, err);
    if (status == STATUS_DENIED)
        status = cache_denied(err);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, "models cannot be kept");
}

/* A file of the cache; STATUS_DENIED has what to do. */
static enum status cache_read(const struct registry *registry, const char *path, size_t most, struct buffer *out,
                              struct error *err)
{
    enum status status = file_read_private(registry->rest->cache, path, most, out, err);
    return status == STATUS_DENIED ? cache_denied(err) : status;
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

/* FOLDER/sha256, yours to free. */
static char *digest_path(const char *folder)
{
    return text_print("%s/sha256", folder);
}

/* Fetches the version's file into FOLDER/model.onnx, which is `wanted`'s path, its digest last: without it the file
 * does not count. */
static enum status fetch(const struct registry *registry, const char *name, const json_t *version,
                         const struct model_version *wanted, const char *folder, struct error *err)
{
    char *remote = NULL, *file = NULL, *beside = digest_path(folder), digest[SHA256_HEX_BYTES];
    struct buffer bytes = {0};
    enum status status = rest_version_folder(registry, name, rest_text(version, "version"), &remote, err);
    if (status == STATUS_OK)
        status = rest_model_file(registry, remote, &file, err);
    if (status == STATUS_OK)
        status = rest_download(registry, remote, file, ONNX_MAX_BYTES, &bytes, err);
    if (status == STATUS_OK)
        status = digest_check(wanted, buffer_span(&bytes), err);
    sha256_hex(buffer_span(&bytes), digest);
    if (status == STATUS_OK)
        status = cache_prepare(registry, folder, err);
    if (status == STATUS_OK)
        status = file_write_private(wanted->path, buffer_span(&bytes), err);
    if (status == STATUS_OK)
        status = file_write_private(beside, span_of(digest), err);
    if (status == STATUS_OK)
        cache_prune(registry);
    buffer_free(&bytes);
    free(remote);
    free(file);
    free(beside);
    return status == STATUS_OK ? STATUS_OK
                               : error_prefix(err, "model \"%.100s\" version %s", name, rest_text(version, "version"));
}

/* CACHE/… of that version. */
static char *version_folder(const struct registry *registry, const char *name, const json_t *version)
{
    struct buffer identity = {0};
    buffer_printf(&identity, "%s\n%s\n%s\n%s\n%s\n%lld", registry->root, name, rest_text(version, "version"),
                  rest_text(version, "source"), rest_text(version, "run_id"),
                  (long long)rest_number(version, "creation_timestamp"));
    char *folder = cache_path(registry, &identity, "");
    buffer_free(&identity);
    return folder;
}

static bool folder_is_whole(const char *folder)
{
    char *digest = digest_path(folder);
    bool whole = store_is_file(digest);
    free(digest);
    return whole;
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
    json_t *memory =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", found->name, "version", found->version, "path", found->path,
                  "run_id", found->run_id ? found->run_id : "", "sha256", found->sha256 ? found->sha256 : "");
    char *text = memory ? json_dumps(memory, JSON_COMPACT) : NULL;
    if (text && (cache_read(registry, path, STORE_TEXT_MAX, &before, ERROR_IGNORED) != STATUS_OK ||
                 strcmp(before.data, text) != 0))
        (void)!file_write_private(path, span_of(text), ERROR_IGNORED);
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

static char *tagged_digest(const json_t *version)
{
    struct text_list keys = {0}, values = {0};
    rest_pairs(json_object_get(version, "tags"), &keys, &values);
    char *digest = digest_of_tags(&keys, &values);
    text_list_clear(&keys);
    text_list_clear(&values);
    return digest;
}

enum status rest_locate(struct registry *registry, const char *name, const char *alias, const char *version,
                        struct model_version *out, struct error *err)
{
    json_t *found;
    struct model_version located;
    enum status status = rest_version(registry, name, alias, version, &found, err);
    if (status != STATUS_OK)
        return status;
    char *folder = version_folder(registry, name, found);
    rest_version_fill(&located, name, found, alias, text_print("%s/model.onnx", folder));
    located.sha256 = tagged_digest(found);
    if (!folder_is_whole(folder))
        status = fetch(registry, name, found, &located, folder, err);
    if (status == STATUS_OK) {
        remember(registry, name, alias, version, &located);
        *out = located;
    } else {
        model_version_clear(&located);
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
    enum status status = cache_read(registry, path, STORE_TEXT_MAX, &text, err);
    json_t *memory = status == STATUS_OK ? json_loadb(text.data, text.bytes, 0, NULL) : NULL;
    const char *file = rest_text(memory, "path"), *digest = rest_text(memory, "sha256");
    if (status != STATUS_DENIED && (!store_is_version(rest_text(memory, "version")) || !store_is_file(file)))
        status = error_set(err, STATUS_NOT_FOUND, "%.300s keeps no copy of it", registry->rest->cache);
    if (status == STATUS_OK) {
        rest_version_fill(out, name, memory, alias, mem_text(file));
        out->sha256 = *digest ? mem_text(digest) : NULL;
    }
    json_decref(memory);
    buffer_free(&text);
    free(path);
    return status;
}

/* The digest that was kept beside the file; false: it does not fit. */
static bool is_whole(const struct registry *registry, const char *path, struct span bytes)
{
    char digest[SHA256_HEX_BYTES], *beside = text_print("%.*s/sha256", (int)(strrchr(path, '/') - path), path);
    struct buffer kept = {0};
    sha256_hex(bytes, digest);
    bool whole = cache_read(registry, beside, sizeof digest, &kept, ERROR_IGNORED) == STATUS_OK &&
                 strcmp(kept.data, digest) == 0;
    if (!whole)
        unlink(beside); /* the next look fetches it again */
    buffer_free(&kept);
    free(beside);
    return whole;
}

enum status rest_read(struct registry *registry, const struct model_version *version, struct buffer *out,
                      struct error *err)
{
    enum status status = cache_read(registry, version->path, ONNX_MAX_BYTES, out, err);
    if (status == STATUS_OK && !is_whole(registry, version->path, buffer_span(out)))
        status =
            error_set(err, STATUS_NOT_FOUND, "%.300s was damaged: it is fetched again at the next look", version->path);
    return status;
}
