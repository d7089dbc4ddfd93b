/* Writing plain and compressed files: see output_file.h. Used by `producer generate`. */
#include "base/output_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"
#include "base/memory.h"

enum { ZSTD_BYTES = 1 << 17 };

struct output_file {
    const char *path;
    FILE *plain; /* zstd's too */
    gzFile gzip;
    ZSTD_CStream *zstd;
    char *packed;
};

static bool path_ends(const char *path, const char *end)
{
    size_t bytes = strlen(path), wanted = strlen(end);
    return bytes > wanted && strcasecmp(path + bytes - wanted, end) == 0;
}

enum status output_file_open(const char *path, struct output_file **out, struct error *err)
{
    struct output_file *file = mem_zeroed(1, sizeof *file);
    bool to_stdout = strcmp(path, "-") == 0;
    file->path = path;
    errno = 0;
    if (path_ends(path, ".gz"))
        file->gzip = gzopen(path, "wbe");
    else
        file->plain = to_stdout ? stdout : fopen(path, "we");
    if (!file->gzip && !file->plain) {
        free(file);
        return file_error(err, errno ? errno : ENOMEM, "write", path);
    }
    if (path_ends(path, ".zst")) {
        file->zstd = ZSTD_createCStream();
        file->packed = mem_zeroed(1, ZSTD_BYTES);
    }
    *out = file;
    return STATUS_OK;
}

static enum status write_plain(struct output_file *file, const char *data, size_t bytes, struct error *err)
{
    if (fwrite(data, 1, bytes, file->plain) == bytes)
        return STATUS_OK;
    return file_error(err, errno, "write", file->path);
}

/* All of `bytes`, or with ZSTD_e_end the frame's end too. */
static enum status write_zstd(struct output_file *file, struct span bytes, ZSTD_EndDirective end, struct error *err)
{
    ZSTD_inBuffer in = {bytes.data, bytes.bytes, 0};
    for (size_t left = 1; left || in.pos < in.size;) {
        ZSTD_outBuffer packed = {file->packed, ZSTD_BYTES, 0};
        left = ZSTD_compressStream2(file->zstd, &packed, &in, end);
        if (ZSTD_isError(left))
            return error_set(err, STATUS_IO, "cannot compress %s: %s", file->path, ZSTD_getErrorName(left));
        if (write_plain(file, file->packed, packed.pos, err) != STATUS_OK)
            return err->status;
        if (end == ZSTD_e_continue)
            left = 0;
    }
    return STATUS_OK;
}

static enum status gzip_error(const struct output_file *file, struct error *err)
{
    int code = 0;
    const char *text = gzerror(file->gzip, &code);
    return code == Z_ERRNO ? file_error(err, errno, "write", file->path)
                           : error_set(err, STATUS_IO, "cannot compress %s: %s", file->path, text);
}

enum status output_file_write(struct output_file *file, struct span bytes, struct error *err)
{
    if (!bytes.bytes)
        return STATUS_OK;
    if (file->zstd)
        return write_zstd(file, bytes, ZSTD_e_continue, err);
    if (file->plain)
        return write_plain(file, bytes.data, bytes.bytes, err);
    return gzwrite(file->gzip, bytes.data, (unsigned)bytes.bytes) == (int)bytes.bytes ? STATUS_OK
                                                                                      : gzip_error(file, err);
}

enum status output_file_close(struct output_file *file, struct error *err)
{
    enum status status = STATUS_OK;
    if (!file)
        return STATUS_OK;
    if (file->zstd)
        status = write_zstd(file, SPAN_NULL, ZSTD_e_end, err);
    ZSTD_freeCStream(file->zstd);
    if (file->plain && (file->plain == stdout ? fflush(stdout) : fclose(file->plain)) != 0 && status == STATUS_OK)
        status = file_error(err, errno, "write", file->path);
    if (file->gzip && gzclose(file->gzip) != Z_OK)
        status = file_error(err, errno, "write", file->path);
    free(file->packed);
    free(file);
    return status;
}
