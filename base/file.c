/* Whole files on disk: see file.h. Called at load time and by tools, never on an event's path; any thread. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum { READ_STEP_BYTES = 64 * 1024 };

enum status file_error(struct error *err, int error_number, const char *action, const char *path)
{
    enum status status = STATUS_IO;
    if (error_number == ENOENT)
        status = STATUS_NOT_FOUND;
    else if (error_number == EACCES || error_number == EPERM || error_number == EROFS)
        status = STATUS_DENIED;
    return error_set(err, status, "cannot %s %s: %s", action, path, strerror(error_number));
}

/* Reads until the end of the file or one byte past the limit. Returns false with errno set when reading fails. */
static bool read_up_to(int fd, size_t limit, struct buffer *out)
{
    while (out->bytes <= limit) {
        ssize_t got = read(fd, buffer_reserve(out, READ_STEP_BYTES), READ_STEP_BYTES);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        out->bytes += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* All that is open there. Closes it. */
static enum status read_and_close(int fd, const char *path, size_t max_bytes, struct buffer *out, struct error *err)
{
    enum status status = STATUS_OK;
    if (!read_up_to(fd, max_bytes, out))
        status = file_error(err, errno, "read", path);
    else if (out->bytes > max_bytes)
        status = error_set(err, STATUS_LIMIT, "cannot read %s: it is larger than %zu bytes", path, max_bytes);
    close(fd);
    if (status != STATUS_OK)
        buffer_clear(out);
    *buffer_reserve(out, 1) = '\0';
    return status;
}

enum status file_read(const char *path, size_t max_bytes, struct buffer *out, struct error *err)
{
    buffer_clear(out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? file_error(err, errno, "read", path) : read_and_close(fd, path, max_bytes, out, err);
}

/* Opens NAME in the directory FROM, which it closes, if it is of that type and for us alone. -1 with err set. */
static int open_private_at(int from, const char *name, mode_t type, const char *shown, struct error *err)
{
    struct stat found;
    int fd = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), failed = fd < 0 ? errno : 0;
    const char *flaw = failed == ELOOP ? "is a symbolic link" : NULL;
    if (from != AT_FDCWD)
        close(from);
    if (!failed && fstat(fd, &found) != 0)
        failed = errno;
    if (!failed && (found.st_mode & S_IFMT) != type)
        flaw = type == S_IFDIR ? "is no directory" : "is no regular file";
    else if (!failed && found.st_uid != geteuid() && found.st_uid != 0)
        flaw = "belongs to another user";
    else if (!failed && found.st_mode & (S_IWGRP | S_IWOTH))
        flaw = "may be written by others";
    if (!failed && !flaw)
        return fd;
    if (fd >= 0)
        close(fd);
    if (flaw)
        (void)error_set(err, STATUS_DENIED, "%.300s %s, so what it holds is not used", shown, flaw);
    else
        (void)file_error(err, failed, "read", shown);
    return -1;
}

enum status file_check_private(const char *root, struct error *err)
{
    int fd = open_private_at(AT_FDCWD, root, S_IFDIR, root, err);
    if (fd < 0)
        return err->status;
    close(fd);
    return STATUS_OK;
}

/* Down from ROOT, one name at a time. -1 with err set. */
static int open_private(const char *root, const char *path, struct error *err)
{
    char *shown = mem_text(path), *name = shown + strlen(root);
    int fd = open_private_at(AT_FDCWD, root, S_IFDIR, root, err);
    while (fd >= 0 && *name == '/') {
        char *end = name + 1 + strcspn(name + 1, "/"), kept = *end;
        *end = '\0';
        fd = open_private_at(fd, name + 1, kept ? S_IFDIR : S_IFREG, shown, err);
        *end = kept;
        name = end;
    }
    free(shown);
    return fd;
}

enum status file_read_private(const char *root, const char *path, size_t max_bytes, struct buffer *out,
                              struct error *err)
{
    size_t bytes = strlen(root);
    buffer_clear(out);
    if (strncmp(path, root, bytes) != 0 || path[bytes] != '/' || strstr(path + bytes, "/.."))
        return error_set(err, STATUS_DENIED, "%.300s is not in %.300s, so what it holds is not used", path, root);
    int fd = open_private(root, path, err);
    return fd < 0 ? err->status : read_and_close(fd, path, max_bytes, out, err);
}

/* 0 or an errno. */
static int write_all(int fd, struct span bytes)
{
    while (bytes.bytes) {
        ssize_t written = write(fd, bytes.data, bytes.bytes);
        if (written < 0 && errno != EINTR)
            return errno;
        if (written > 0) {
            bytes.data += written;
            bytes.bytes -= (size_t)written;
        }
    }
    return fsync(fd) == 0 || errno == EINVAL ? 0 : errno; /* EINVAL: a device, which has nothing to sync */
}

/* Makes the rename itself durable. 0 or an errno. */
static int sync_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash ? mem_text_n(path, (size_t)(slash - path) + 1) : mem_text(".");
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed = 0;
    if (fd < 0 || fsync(fd) != 0)
        failed = errno;
    if (fd >= 0)
        close(fd);
    free(directory);
    return failed == EINVAL ? 0 : failed; /* file systems that cannot sync a directory need not */
}

/* Creates PATH.<process>.<number>.tmp, which nobody else has; its name goes into `name`. -1 with errno set. */
static int open_temporary(const char *path, mode_t mode, struct buffer *name)
{
    static _Atomic unsigned last;
    for (int attempt = 0; attempt < 1000; attempt++) {
        buffer_clear(name);
        buffer_printf(name, "%s.%ld.%u.tmp", path, (long)getpid(), atomic_fetch_add(&last, 1));
        int fd = open(name->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* Writes and closes. 0 or an errno. */
static int write_and_close(int fd, struct span bytes)
{
    if (fd < 0)
        return errno;
    int failed = write_all(fd, bytes);
    return close(fd) != 0 && !failed ? errno : failed;
}

static bool is_device(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode);
}

/* 0 or an errno. */
static int replace(const char *path, mode_t mode, struct span bytes)
{
    struct buffer temporary = {0};
    int fd = open_temporary(path, mode, &temporary), failed = write_and_close(fd, bytes);
    if (!failed && rename(temporary.data, path) != 0)
        failed = errno;
    if (failed && fd >= 0)
        unlink(temporary.data);
    if (!failed)
        failed = sync_directory_of(path);
    buffer_free(&temporary);
    return failed;
}

enum status file_write_atomic(const char *path, struct span bytes, struct error *err)
{
    char *real = realpath(path, NULL); /* a link stays one; NULL where there is nothing yet */
    const char *target = real ? real : path;
    int failed =
        is_device(target) ? write_and_close(open(target, O_WRONLY | O_CLOEXEC), bytes) : replace(target, 0666, bytes);
    free(real);
    return failed ? file_error(err, failed, "write", path) : STATUS_OK;
}

enum status file_write_private(const char *path, struct span bytes, struct error *err)
{
    int failed = replace(path, 0600, bytes);
    return failed ? file_error(err, failed, "write", path) : STATUS_OK;
}

/* One level: there already is as good as made. 0 or an errno. */
static int make_directory(const char *path)
{
    struct stat found;
    if (mkdir(path, 0777) == 0)
        return 0;
    int failed = errno;
    if (stat(path, &found) != 0)
        return failed;
    return S_ISDIR(found.st_mode) ? 0 : ENOTDIR;
}

enum status file_make_directories(const char *path, struct error *err)
{
    char *partial = mem_text(path);
    int failed = 0;
    for (char *at = partial + 1; !failed && *partial && *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        failed = make_directory(partial);
        *at = '/';
    }
    if (!failed)
        failed = make_directory(partial);
    free(partial);
    return failed ? file_error(err, failed, "make directory", path) : STATUS_OK;
}

enum status file_make_private(const char *path, bool make, struct error *err)
{
    struct stat found;
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    char *name = mem_text_n(path, bytes); /* with a slash after it, a link would be followed */
    int failed = make && mkdir(name, 0700) != 0 && errno != EEXIST ? errno : lstat(name, &found) != 0 ? errno : 0;
    free(name);
    if (failed)
        return file_error(err, failed, make ? "make" : "find", path);
    const char *flaw = S_ISLNK(found.st_mode)                  ? "is a symbolic link: name the directory itself"
                       : !S_ISDIR(found.st_mode)               ? "is no directory"
                       : found.st_uid != geteuid()             ? "belongs to another user"
                       : found.st_mode & (S_IRWXG | S_IRWXO)   ? "is open to other users: chmod 700"
                       : access(path, R_OK | W_OK | X_OK) != 0 ? "is not writable"
                                                               : NULL;
    return flaw ? error_set(err, STATUS_DENIED, "%.300s %s", path, flaw) : STATUS_OK;
}
