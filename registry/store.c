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
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "registry/yaml.h"

enum { NAME_MAX_BYTES = 200 };

char *store_path(const struct registry *registry, const char *format, ...)
{
    char *tail = NULL, *path = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&tail, format, args) < 0 || asprintf(&path, "%s/%s", registry->root, tail) < 0)
        abort();
    va_end(args);
    free(tail);
    return path;
}

void store_random_hex(char *out, size_t digits)
{
    for (size_t d = 0; d < digits; d++) {
        uint8_t byte = 0;
        if (getrandom(&byte, 1, 0) != 1)
            abort(); /* cannot fail for one byte once the system is up */
        out[d] = "0123456789abcdef"[byte & 15];
    }
    out[digits] = '\0';
}

int64_t store_now_ms(void)
{
    return clock_real_us(&clock_system) / 1000;
}

char *store_new_path(const struct registry *registry)
{
    char hex[33];
    store_random_hex(hex, 32);
    return store_path(registry, ".new.trash/%s", hex);
}

enum status store_write(const char *directory, const char *name, struct span bytes, struct error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        abort();
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

enum status store_lock(const char *path, int *lock, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return file_error(err, errno, "lock", path);
    while (flock(fd, LOCK_EX) != 0) {
        if (errno == EINTR)
            continue;
        int failed = errno;
        close(fd);
        return file_error(err, failed, "lock", path);
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
            "the %s is not usable: it must not start with a dot or a space, nor hold / : %% @ \\ or control "
            "characters",
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
    char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, folder) < 0)
        abort();
    enum status status = file_make_directories(path, err);
    for (size_t p = 0; p < count && status == STATUS_OK; p++) {
        status = store_check_key(folder, pairs[p].key, err);
        if (status == STATUS_OK)
            status = store_write(path, pairs[p].key, span_of(pairs[p].value), err);
    }
    free(path);
    return status;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void store_entries(const char *path, struct text_list *out)
{
    struct dirent *entry;
    *out = (struct text_list){0};
    DIR *directory = opendir(path);
    if (!directory)
        return;
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        out->items = mem_resize(out->items, out->count + 1, sizeof *out->items);
        out->items[out->count++] = mem_text(entry->d_name);
    }
    closedir(directory);
    if (out->count)
        qsort(out->items, out->count, sizeof *out->items, compare_texts);
}

/* MLflow expects experiment 0 in every store. */
static enum status write_default_experiment(struct registry *registry, struct error *err)
{
    char *place = store_path(registry, "0"), *built = store_new_path(registry);
    struct buffer meta = {0};
    yaml_add_text(&meta, 0, "artifact_location", place);
    yaml_add_int(&meta, 0, "creation_time", store_now_ms());
    yaml_add_text(&meta, 0, "experiment_id", "0");
    yaml_add_int(&meta, 0, "last_update_time", store_now_ms());
    yaml_add_text(&meta, 0, "lifecycle_stage", "active");
    yaml_add_text(&meta, 0, "name", "Default");
    enum status status = STATUS_OK;
    if (!store_is_directory(place)) {
        status = file_make_directories(built, err);
        if (status == STATUS_OK)
            status = store_write(built, "meta.yaml", buffer_span(&meta), err);
        if (status == STATUS_OK)
            status = store_place(built, place, err);
        if (status == STATUS_CONFLICT)
            status = STATUS_OK;
    }
    store_discard(built);
    buffer_free(&meta);
    free(built);
    free(place);
    return status;
}

enum status store_prepare(struct registry *registry, struct error *err)
{
    static const char *const folders[] = {"models", ".trash", ".new.trash"};
    enum status status = file_make_directories(registry->root, err);
    if (status != STATUS_OK)
        return error_prefix(err,
                            "the tracking store cannot be made; set MLFLOW_TRACKING_URI to a directory you may write");
    char *absolute = realpath(registry->root, NULL);
    if (!absolute)
        return file_error(err, errno, "find", registry->root);
    free(registry->root);
    registry->root = absolute;
    bool fresh = false;
    for (size_t f = 0; f < sizeof folders / sizeof *folders && status == STATUS_OK; f++) {
        char *path = store_path(registry, "%s", folders[f]);
        fresh = fresh || (f == 0 && !store_is_directory(path));
        status = file_make_directories(path, err);
        free(path);
    }
    return status == STATUS_OK && fresh ? write_default_experiment(registry, err) : status;
}
