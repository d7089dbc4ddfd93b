/* The store's directory: see store.h. Called by runs.c, versions.c and registry.c, on any thread; processes exclude
 * each other by flock. It must never show a half-written file or directory under a name that a reader looks for. */
#include "registry/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random_hex.h"
#include "base/text_print.h"
#include "registry/yaml.h"

enum { NAME_MAX_BYTES = 200 };
static const char writable_hint[] = "set MLFLOW_TRACKING_URI to a directory you may write";

char *store_path(const struct registry *registry, const char *format, ...)
{
    char *tail, *path;
    va_list args;
    va_start(args, format);
    if (vasprintf(&tail, format, args) < 0)
        abort();
    va_end(args);
    path = text_print("%s/%s", registry->root, tail);
    free(tail);
    return path;
}

char *store_new_path(const struct registry *registry)
{
    char hex[33];
    random_hex(hex, 32);
    return store_path(registry, ".new.trash/%s", hex);
}

enum status store_write(const char *directory, const char *name, struct span bytes, struct error *err)
{
    char *path = text_print("%s/%s", directory, name);
    enum status status = file_write_atomic(path, bytes, err);
    free(path);
    return status;
}

static enum status directory_sync(const char *path, struct error *err)
{
    char *parent = mem_text(path), *slash = strrchr(parent, '/');
    if (slash)
        *slash = '\0';
    int fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || (fsync(fd) != 0 && errno != EINVAL) ? errno : 0;
    if (fd >= 0)
        close(fd);
    free(parent);
    return failed ? file_error(err, failed, "save", path) : STATUS_OK;
}

enum status store_place(const char *from, const char *to, struct error *err)
{
    if (rename(from, to) == 0)
        return directory_sync(to, err);
    if (errno == EEXIST || errno == ENOTEMPTY)
        return error_set(err, STATUS_CONFLICT, "%s was made by somebody else in the meantime; try again", to);
    return file_error(err, errno, "make", to);
}

static int discard_entry(const char *path, const struct stat *found, int kind, struct FTW *where)
{
    (void)found, (void)kind, (void)where;
    return remove(path);
}

void store_discard(const char *path)
{
    if (path)
        nftw(path, discard_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Waits for the lock on what is open there. 0 or an errno. */
static int lock_file(int fd, int kind)
{
    int failed;
    do
        failed = flock(fd, kind) == 0 ? 0 : errno;
    while (failed == EINTR);
    return failed;
}

enum status store_lock(const char *path, int *lock, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666), failed = fd < 0 ? errno : lock_file(fd, LOCK_EX);
    if (failed) {
        if (fd >= 0)
            close(fd);
        (void)file_error(err, failed, "lock", path);
        return error_prefix(err, "the tracking store cannot be written; %s", writable_hint);
    }
    *lock = fd;
    return STATUS_OK;
}

void store_unlock(int lock)
{
    close(lock);
}

enum status store_read(const char *path, struct buffer *text, struct error *err)
{
    return file_read(path, STORE_TEXT_MAX, text, err);
}

bool store_is_directory(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

bool store_is_file(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode);
}

enum status store_check_name(const char *what, const char *name, struct error *err)
{
    if (!*name)
        return error_set(err, STATUS_INVALID, "the %s is empty", what);
    if (strlen(name) > NAME_MAX_BYTES)
        return error_set(err, STATUS_INVALID, "the %s is longer than %d bytes", what, NAME_MAX_BYTES);
    bool bad = name[0] == '.' || name[0] == ' ' || strpbrk(name, "/:%@\\");
    for (const char *at = name; *at && !bad; at++)
        bad = (unsigned char)*at < 0x20 || *at == 0x7F;
    if (bad)
        return error_set(
            err, STATUS_INVALID,
            "the %s is not usable: it must not start with a dot or a space, nor hold / : %% @ \\ or control characters",
            what);
    return STATUS_OK;
}

enum status store_check_key(const char *what, const char *key, struct error *err)
{
    size_t fine = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ");
    if (!*key || key[0] == '.' || key[0] == ' ' || key[fine] || fine > NAME_MAX_BYTES)
        return error_set(
            err, STATUS_INVALID,
            "the %s key is not usable: letters, digits, `_`, `-`, `.` and spaces, at most %d, not a dot first", what,
            NAME_MAX_BYTES);
    return STATUS_OK;
}

bool store_is_version(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits < 10 && !text[digits] && text[0] != '0';
}

enum status store_check_alias(const char *alias, struct error *err)
{
    size_t fine = strspn(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (!*alias || alias[fine] || fine > NAME_MAX_BYTES)
        return error_set(err, STATUS_INVALID, "the alias is not usable: letters, digits, `_` and `-`, at most %d",
                         NAME_MAX_BYTES);
    bool like_version = (*alias == 'v' || *alias == 'V') && alias[1] && !alias[1 + strspn(alias + 1, "0123456789")];
    if (like_version || strcasecmp(alias, "latest") == 0)
        return error_set(err, STATUS_INVALID, "the alias \"%s\" is reserved by MLflow: choose another", alias);
    return STATUS_OK;
}

enum status store_write_pairs(const char *directory, const char *folder, const struct run_pair *pairs, size_t count,
                              struct error *err)
{
    char *path = text_print("%s/%s", directory, folder);
    enum status status = file_make_directories(path, err);
    for (size_t p = 0; p < count && status == STATUS_OK; p++) {
        status = store_check_key(folder, pairs[p].key, err);
        if (status == STATUS_OK)
            status = store_write(path, pairs[p].key, span_of(pairs[p].value), err);
    }
    free(path);
    return status;
}

enum status store_list(const char *path, struct text_list *out, struct error *err)
{
    struct dirent *entry;
    struct text_list list = {0};
    DIR *directory = opendir(path);
    if (!directory && errno != ENOENT)
        return file_error(err, errno, "read", path);
    while (directory && (entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            text_list_add(&list, entry->d_name);
    if (directory)
        closedir(directory);
    text_list_sort(&list);
    *out = list;
    return STATUS_OK;
}

void store_entries(const char *path, struct text_list *out)
{
    if (store_list(path, out, ERROR_IGNORED) != STATUS_OK)
        *out = (struct text_list){0};
}

char *store_find(const struct registry *registry, const char *rest, bool (*fits)(const char *path))
{
    struct text_list experiments;
    char *found = NULL;
    store_entries(registry->root, &experiments);
    for (size_t e = 0; e < experiments.count && !found; e++) {
        if (strcmp(experiments.items[e], "models") == 0)
            continue;
        found = store_path(registry, "%s/%s", experiments.items[e], rest);
        if (!fits(found)) {
            free(found);
            found = NULL;
        }
    }
    text_list_clear(&experiments);
    return found;
}

/* Puts what was built in its place, or removes what is left of it. Takes the path. */
static enum status place_built(char *built, const char *place, enum status status, struct error *err)
{
    if (status == STATUS_OK)
        status = store_place(built, place, err);
    if (status != STATUS_OK)
        store_discard(built);
    free(built);
    return status;
}

enum status store_replace(const struct registry *registry, const char *place, struct span bytes, struct error *err)
{
    char *built = store_new_path(registry);
    return place_built(built, place, file_write_atomic(built, bytes, err), err);
}

enum status store_make(const struct registry *registry, char *place, struct buffer *meta, const struct run_pair *tags,
                       size_t tag_count, struct error *err)
{
    char *built = store_new_path(registry);
    enum status status = file_make_directories(built, err);
    if (status == STATUS_OK && tag_count)
        status = store_write_pairs(built, "tags", tags, tag_count, err);
    if (status == STATUS_OK)
        status = store_write(built, "meta.yaml", buffer_span(meta), err);
    status = place_built(built, place, status, err);
    buffer_free(meta);
    free(place);
    return status;
}

enum status store_make_experiment(const struct registry *registry, const char *id, const char *name, struct error *err)
{
    char *place = store_path(registry, "%s", id);
    struct buffer meta = {0};
    yaml_add_text(&meta, 0, "artifact_location", place);
    yaml_add_int(&meta, 0, "creation_time", clock_real_ms(&clock_system));
    yaml_add_text(&meta, 0, "experiment_id", id);
    yaml_add_int(&meta, 0, "last_update_time", clock_real_ms(&clock_system));
    yaml_add_text(&meta, 0, "lifecycle_stage", "active");
    yaml_add_text(&meta, 0, "name", name);
    return store_make(registry, place, &meta, NULL, 0, err);
}

static void clear_folder(const char *path)
{
    struct text_list left;
    store_entries(path, &left);
    for (size_t e = 0; e < left.count; e++) {
        char *entry = text_print("%s/%s", path, left.items[e]);
        store_discard(entry);
        free(entry);
    }
    text_list_clear(&left);
}

/* Takes the shared lock on ROOT/.new.trash. Whoever gets it alone knows that nobody is building there. */
static enum status take_hold(struct registry *registry, struct error *err)
{
    char *path = store_path(registry, ".new.trash");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed = fd < 0 ? errno : 0;
    if (!failed && lock_file(fd, LOCK_EX | LOCK_NB) == 0)
        clear_folder(path);
    if (!failed)
        failed = lock_file(fd, LOCK_SH);
    enum status status = failed ? file_error(err, failed, "lock", path) : STATUS_OK;
    if (status == STATUS_OK)
        registry->hold = fd;
    else if (fd >= 0)
        close(fd);
    free(path);
    return status;
}

/* MLflow expects experiment 0 in every store, unless it was deleted. */
static enum status make_first_experiment(const struct registry *registry, struct error *err)
{
    char *place = store_path(registry, "0"), *deleted = store_path(registry, ".trash/0");
    enum status status = STATUS_OK;
    if (!store_is_directory(place) && !store_is_directory(deleted))
        status = store_make_experiment(registry, "0", "Default", err);
    free(place);
    free(deleted);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

static enum status make_folders(struct registry *registry, struct error *err)
{
    static const char *const folders[] = {"models", ".trash", ".new.trash"};
    enum status status = STATUS_OK;
    for (size_t f = 0; f < sizeof folders / sizeof *folders && status == STATUS_OK; f++) {
        char *path = store_path(registry, "%s", folders[f]);
        status = file_make_directories(path, err);
        free(path);
    }
    if (status == STATUS_OK)
        status = take_hold(registry, err);
    return status == STATUS_OK ? make_first_experiment(registry, err) : status;
}

enum status store_prepare(struct registry *registry, struct error *err)
{
    if (registry->hold >= 0)
        return STATUS_OK;
    enum status status = file_make_directories(registry->root, err);
    char *absolute = status == STATUS_OK ? realpath(registry->root, NULL) : NULL;
    if (status == STATUS_OK && !absolute)
        status = file_error(err, errno, "find", registry->root);
    if (absolute) {
        free(registry->root);
        registry->root = absolute;
        status = make_folders(registry, err);
    }
    return status == STATUS_OK ? status : error_prefix(err, "the tracking store cannot be made; %s", writable_hint);
}
