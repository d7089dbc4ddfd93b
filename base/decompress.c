/* gzip (zlib) and Zstandard (libzstd) as layers of bytes: see decompress.h. One thread a reader. Must never take
 * compressed data that was cut for a file that ended. */
#include "base/decompress.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/memory.h"

enum { GZIP_ANY_WINDOW = 15 + 16, RAW_WINDOW = -15, HEAD_BYTES = 4, STEP_BYTES = 64 * 1024 };

/* What both layers have: where the compressed bytes come from, and those of them that wait. */
struct packed {
    struct byte_reader *below;
    const char *name;
    bool inside; /* of a member or frame: its end has not been seen */
    z_stream gzip;
    ZSTD_DStream *zstd;
};

/* The compressed bytes at hand; empty at their end. */
static enum status packed_next(struct packed *packed, struct span *in, struct error *err)
{
    return byte_reader_peek(packed->below, 1, in, err);
}

static enum status packed_end(const struct packed *packed, const char *method, size_t *got, struct error *err)
{
    *got = 0;
    if (packed->inside)
        return error_set(err, STATUS_INVALID,
                         "%s: the %s data ends too early: the file was cut. The rows before it were read; copy the "
                         "file again",
                         packed->name, method);
    return STATUS_OK;
}

static enum status packed_damaged(const struct packed *packed, const char *method, const char *why, struct error *err)
{
    if (why && strstr(why, "too much memory"))
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s: the %s data needs a window of more than 128 MiB: decompress it (zstd -dc --long=31 FILE "
                         "| … -)",
                         packed->name, method);
    return error_set(err, STATUS_INVALID, "%s: the %s data is damaged (%s): copy the file again", packed->name, method,
                     why ? why : "no reason given");
}

/* zeros after the last member are padding, as of tapes. */
static bool only_zeros(struct span in)
{
    for (size_t i = 0; i < in.bytes; i++)
        if (in.data[i])
            return false;
    return true;
}

static enum status gzip_read(void *context, char *out, size_t capacity, size_t *got, struct error *err)
{
    struct packed *packed = context;
    z_stream *stream = &packed->gzip;
    struct span in;
    stream->next_out = (Bytef *)out;
    stream->avail_out = (uInt)capacity;
    while (stream->avail_out == capacity) {
        if (packed_next(packed, &in, err) != STATUS_OK)
            return err->status;
        if (!in.bytes)
            return packed_end(packed, "gzip", got, err);
        if (!packed->inside && only_zeros(in)) {
            packed->below->at += in.bytes;
            continue;
        }
        packed->inside = true;
        stream->next_in = (Bytef *)(uintptr_t)in.data;
        stream->avail_in = (uInt)in.bytes;
        int result = inflate(stream, Z_NO_FLUSH);
        packed->below->at += in.bytes - stream->avail_in;
        if (result == Z_STREAM_END) {
            packed->inside = false;
            inflateReset(stream);
        } else if (result != Z_OK && stream->avail_out == capacity) {
            return packed_damaged(packed, "gzip", stream->msg, err);
        }
    }
    *got = capacity - stream->avail_out;
    return STATUS_OK;
}

static enum status zstd_read(void *context, char *out, size_t capacity, size_t *got, struct error *err)
{
    struct packed *packed = context;
    ZSTD_outBuffer made = {out, capacity, 0};
    struct span in = SPAN_NULL;
    while (!made.pos) {
        if (packed_next(packed, &in, err) != STATUS_OK)
            return err->status;
        if (!in.bytes && !packed->inside)
            break;
        ZSTD_inBuffer given = {in.data, in.bytes, 0};
        size_t result = ZSTD_decompressStream(packed->zstd, &made, &given);
        packed->below->at += given.pos;
        if (ZSTD_isError(result) && !made.pos)
            return packed_damaged(packed, "zstd", ZSTD_getErrorName(result), err);
        packed->inside = result != 0;
        if (!in.bytes && !made.pos)
            return packed_end(packed, "zstd", got, err);
    }
    *got = made.pos;
    return STATUS_OK;
}

static void packed_close(void *context)
{
    struct packed *packed = context;
    if (packed->zstd)
        ZSTD_freeDStream(packed->zstd);
    else
        inflateEnd(&packed->gzip);
    byte_reader_free(packed->below);
    free(packed);
}

/* Where pzstd writes a frame's size: 0x184D2A50 to 0x184D2A5F, little-endian. */
static bool is_skippable_frame(struct span head)
{
    return ((unsigned char)head.data[0] & 0xf0) == 0x50 && memcmp(head.data + 1, "\x2a\x4d\x18", 3) == 0;
}

enum status decompress_if_needed(struct byte_reader **reader, const char *name, const char **found, struct error *err)
{
    struct span head;
    *found = NULL;
    if (byte_reader_peek(*reader, HEAD_BYTES, &head, err) != STATUS_OK)
        return err->status;
    bool gzip = head.bytes >= 2 && memcmp(head.data, "\x1f\x8b", 2) == 0;
    bool zstd = head.bytes >= 4 && (memcmp(head.data, "\x28\xb5\x2f\xfd", 4) == 0 || is_skippable_frame(head));
    if (!gzip && !zstd)
        return STATUS_OK;
    struct packed *packed = mem_zeroed(1, sizeof *packed);
    packed->below = *reader;
    packed->name = name;
    if (zstd)
        packed->zstd = ZSTD_createDStream();
    if (zstd ? !packed->zstd : inflateInit2(&packed->gzip, GZIP_ANY_WINDOW) != Z_OK)
        abort(); /* no memory */
    *found = gzip ? "gzip" : "zstd";
    *reader = byte_reader_new((struct byte_origin){gzip ? gzip_read : zstd_read, packed_close, packed});
    return STATUS_OK;
}

bool decompress_deflate(struct span packed, size_t most, struct buffer *out)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed.data, .avail_in = (uInt)packed.bytes};
    size_t start = out->bytes;
    int result = Z_OK;
    if (packed.bytes > UINT32_MAX || inflateInit2(&stream, RAW_WINDOW) != Z_OK)
        return false;
    while (result == Z_OK && out->bytes - start <= most) {
        stream.next_out = (Bytef *)buffer_reserve(out, STEP_BYTES);
        stream.avail_out = STEP_BYTES;
        result = inflate(&stream, Z_NO_FLUSH);
        out->bytes += STEP_BYTES - stream.avail_out;
    }
    inflateEnd(&stream);
    return result == Z_STREAM_END && out->bytes - start <= most;
}

bool decompress_zstd(struct span packed, size_t most, struct buffer *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer given = {packed.data, packed.bytes, 0};
    size_t start = out->bytes, result = 1;
    if (!stream)
        abort(); /* no memory */
    while (!ZSTD_isError(result) && out->bytes - start <= most) {
        ZSTD_outBuffer made = {buffer_reserve(out, STEP_BYTES), STEP_BYTES, 0};
        result = ZSTD_decompressStream(stream, &made, &given);
        if (!ZSTD_isError(result))
            out->bytes += made.pos;
        if (given.pos == given.size && made.pos < made.size)
            break; /* nothing more can come */
    }
    ZSTD_freeDStream(stream);
    return result == 0 && out->bytes - start <= most;
}
