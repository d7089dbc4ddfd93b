/* Bytes of files, pipes and memory: see byte_reader.h. One thread a reader. Must never hand out a byte twice, nor take
 * a file that was cut, or could not be read on, for one that ended. */
#include "base/byte_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

/* From here on a read goes past the block: a layer always has room for whole characters. */
enum { DIRECT_BYTES = 4096 };

struct byte_reader *byte_reader_new(struct byte_origin origin)
{
    struct byte_reader *reader = mem_zeroed(1, sizeof *reader);
    reader->block = mem_resize(NULL, BYTE_READER_BLOCK, 1);
    reader->at = reader->end = reader->block;
    reader->origin = origin;
    return reader;
}

void byte_reader_free(struct byte_reader *reader)
{
    if (!reader)
        return;
    if (reader->origin.close)
        reader->origin.close(reader->origin.context);
    free(reader->block);
    free(reader);
}

enum status byte_reader_status(const struct byte_reader *reader, struct error *err)
{
    return reader->failure.status ? error_set(err, reader->failure.status, "%s", reader->failure.text) : STATUS_OK;
}

/* One read of the origin. False at the end or on failure. */
static bool read_origin(struct byte_reader *reader, char *out, size_t capacity, size_t *got)
{
    *got = 0;
    if (reader->ended || reader->failure.status)
        return false;
    if (reader->origin.read(reader->origin.context, out, capacity, got, &reader->failure) != STATUS_OK) {
        *got = 0;
        return false;
    }
    reader->failure.status = STATUS_OK;
    reader->ended = *got == 0;
    return !reader->ended;
}

bool byte_reader_refill(struct byte_reader *reader)
{
    size_t got;
    bool more = read_origin(reader, reader->block, BYTE_READER_BLOCK, &got);
    reader->at = reader->block;
    reader->end = reader->block + got;
    return more;
}

enum status byte_reader_peek(struct byte_reader *reader, size_t least, struct span *out, struct error *err)
{
    size_t held = (size_t)(reader->end - reader->at), got;
    if (held < least) {
        memmove(reader->block, reader->at, held);
        while (held < least && read_origin(reader, reader->block + held, BYTE_READER_BLOCK - held, &got))
            held += got;
        reader->at = reader->block;
        reader->end = reader->block + held;
    }
    if (!held && byte_reader_status(reader, err) != STATUS_OK)
        return err->status;
    *out = (struct span){reader->at, held};
    return STATUS_OK;
}

enum status byte_reader_read(struct byte_reader *reader, char *out, size_t capacity, size_t *got, struct error *err)
{
    if (reader->at == reader->end && capacity >= DIRECT_BYTES) {
        read_origin(reader, out, capacity, got);
        return *got ? STATUS_OK : byte_reader_status(reader, err);
    }
    if (reader->at == reader->end && !byte_reader_refill(reader)) {
        *got = 0;
        return byte_reader_status(reader, err);
    }
    size_t held = (size_t)(reader->end - reader->at);
    *got = held < capacity ? held : capacity;
    memcpy(out, reader->at, *got);
    reader->at += *got;
    return STATUS_OK;
}

struct file_origin {
    int descriptor;
    const char *name;
    bool regular;
    off_t position, size; /* of a regular file, from its beginning; its size when it was opened */
};

static enum status file_check_end(const struct file_origin *file, struct error *err)
{
    if (file->regular && file->position < file->size)
        return error_set(err, STATUS_IO,
                         "%s was cut while it was read: it had %lld bytes at the beginning and ends after %lld; what "
                         "was read until then is sent",
                         file->name, (long long)file->size, (long long)file->position);
    if (file->regular && file->position > file->size)
        log_warn("input", "%s grew while it was read (%lld bytes, then %lld): its last line may have been half written",
                 file->name, (long long)file->size, (long long)file->position);
    return STATUS_OK;
}

static enum status file_origin_read(void *context, char *out, size_t capacity, size_t *got, struct error *err)
{
    struct file_origin *file = context;
    ssize_t count = read(file->descriptor, out, capacity);
    if (count < 0)
        return file_error(err, errno, "read", file->name);
    *got = (size_t)count;
    file->position += count;
    return count ? STATUS_OK : file_check_end(file, err);
}

struct byte_reader *byte_reader_of_descriptor(int descriptor, const char *name)
{
    struct file_origin *file = mem_zeroed(1, sizeof *file);
    struct stat found;
    file->descriptor = descriptor;
    file->name = name;
    if (fstat(descriptor, &found) == 0 && S_ISREG(found.st_mode)) {
        off_t position = lseek(descriptor, 0, SEEK_CUR);
        file->regular = true;
        file->position = position > 0 ? position : 0;
        file->size = found.st_size;
    }
    return byte_reader_new((struct byte_origin){file_origin_read, free, file});
}

static enum status memory_origin_read(void *context, char *out, size_t capacity, size_t *got, struct error *err)
{
    (void)err;
    struct span *rest = context;
    *got = rest->bytes < capacity ? rest->bytes : capacity;
    if (*got)
        memcpy(out, rest->data, *got);
    *rest = (struct span){rest->data + *got, rest->bytes - *got};
    return STATUS_OK;
}

struct byte_reader *byte_reader_of_memory(struct span bytes)
{
    struct span *rest = mem_zeroed(1, sizeof *rest);
    *rest = bytes;
    return byte_reader_new((struct byte_origin){memory_origin_read, free, rest});
}
