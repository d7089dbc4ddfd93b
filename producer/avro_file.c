/* Blocks of Avro container files: see avro_file.h. Called by input_avro.c, on one thread. Holds one block; must never
 * take a file that was cut for one that ended. */
#include "producer/avro_file.h"

#include <stdlib.h>

#include "avro/read.h"
#include "base/decompress.h"
#include "base/memory.h"
#include "base/text_file.h"

enum {
    SYNC_BYTES = 16,
    HEADER_BYTES_MAX = 8 * 1024 * 1024,
    BLOCK_BYTES_MAX = 256 * 1024 * 1024, /* decompressed or not */
};

enum codec { CODEC_NULL, CODEC_DEFLATE, CODEC_ZSTANDARD, CODEC_COUNT };
static const char *const codec_names[CODEC_COUNT] = {"null", "deflate", "zstandard"};

struct avro_file {
    struct byte_reader *bytes;
    const char *name;
    struct avro_schema *schema;
    enum codec codec;
    char sync[SYNC_BYTES];
    struct buffer packed, block;
    struct cursor in; /* of the block's bytes */
    int64_t left;     /* records of it that are not taken */
    size_t blocks;
};

void avro_file_free(struct avro_file *file)
{
    if (!file)
        return;
    avro_schema_free(file->schema);
    buffer_free(&file->packed);
    buffer_free(&file->block);
    free(file);
}

const struct avro_type *avro_file_writer(const struct avro_file *file)
{
    return avro_schema_type(file->schema);
}

static enum status file_fault(const struct avro_file *file, const char *what, struct error *err)
{
    if (byte_reader_status(file->bytes, err) != STATUS_OK)
        return err->status;
    return error_set(err, STATUS_INVALID, "%s: %s (block %zu); the records before it were read", file->name, what,
                     file->blocks);
}

static enum status take_long(struct avro_file *file, int64_t *out, struct error *err)
{
    uint64_t raw = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        int c = byte_reader_byte(file->bytes);
        if (c < 0)
            return file_fault(file, "the file was cut", err);
        raw |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *out = avro_unzigzag(raw);
            return STATUS_OK;
        }
    }
    return file_fault(file, "the file is damaged: a length is no number", err);
}

/* Appends `bytes` bytes of the file, at most `most` altogether. */
static enum status take_bytes(struct avro_file *file, int64_t bytes, size_t most, struct buffer *out, struct error *err)
{
    if (bytes < 0 || (uint64_t)bytes > most - out->bytes)
        return file_fault(file, "the file is damaged, or a block is too large: a length is out of bounds", err);
    for (size_t left = (size_t)bytes, got; left; left -= got) {
        size_t step = left < BYTE_READER_BLOCK ? left : BYTE_READER_BLOCK;
        if (byte_reader_read(file->bytes, buffer_reserve(out, step), step, &got, err) != STATUS_OK)
            return err->status;
        if (!got)
            return file_fault(file, "the file was cut", err);
        out->bytes += got;
    }
    return STATUS_OK;
}

static enum status take_sync(struct avro_file *file, char sync[SYNC_BYTES], struct error *err)
{
    struct buffer out = {0};
    enum status status = take_bytes(file, SYNC_BYTES, SYNC_BYTES, &out, err);
    if (status == STATUS_OK)
        memcpy(sync, out.data, SYNC_BYTES);
    buffer_free(&out);
    return status;
}

static enum status read_codec(struct avro_file *file, struct span name, struct error *err)
{
    for (enum codec codec = 0; codec < CODEC_COUNT; codec++)
        if (span_equal(name, span_of(codec_names[codec]))) {
            file->codec = codec;
            return STATUS_OK;
        }
    return error_set(err, STATUS_UNSUPPORTED,
                     "%s: the Avro codec %.*s is not read: write the file with null, deflate or zstandard", file->name,
                     name.bytes < 40 ? (int)name.bytes : 40, name.data);
}

/* One entry of the header's map: a key, a value. */
static enum status read_entry(struct avro_file *file, struct buffer *text, struct error *err)
{
    int64_t bytes;
    buffer_clear(text);
    if (take_long(file, &bytes, err) != STATUS_OK || take_bytes(file, bytes, HEADER_BYTES_MAX, text, err) != STATUS_OK)
        return err->status;
    size_t key_bytes = text->bytes;
    if (take_long(file, &bytes, err) != STATUS_OK || take_bytes(file, bytes, HEADER_BYTES_MAX, text, err) != STATUS_OK)
        return err->status;
    struct span key = {text->data, key_bytes}, value = {text->data + key_bytes, text->bytes - key_bytes};
    if (span_equal(key, SPAN_LITERAL("avro.codec")))
        return read_codec(file, value, err);
    if (!span_equal(key, SPAN_LITERAL("avro.schema")) || file->schema)
        return STATUS_OK;
    return avro_schema_parse(value, &file->schema, err) == STATUS_OK
               ? STATUS_OK
               : error_prefix(err, "%s: the schema in the file", file->name);
}

static enum status read_map(struct avro_file *file, struct buffer *text, struct error *err)
{
    int64_t count = 0, bytes, entries = 0;
    do {
        if (take_long(file, &count, err) != STATUS_OK)
            return err->status;
        if (count == INT64_MIN)
            return file_fault(file, "the header is damaged", err);
        if (count < 0 && take_long(file, &bytes, err) != STATUS_OK)
            return err->status;
        for (int64_t left = count < 0 ? -count : count; left > 0; left--)
            if (++entries > HEADER_BYTES_MAX || read_entry(file, text, err) != STATUS_OK)
                return entries > HEADER_BYTES_MAX ? file_fault(file, "the header is damaged", err) : err->status;
    } while (count);
    return file->schema ? STATUS_OK : file_fault(file, "the header has no avro.schema", err);
}

enum status avro_file_open(struct byte_reader *bytes, const char *name, struct avro_file **out, struct error *err)
{
    struct avro_file *file = mem_zeroed(1, sizeof *file);
    struct buffer text = {0};
    file->bytes = bytes;
    file->name = name;
    enum status status = take_bytes(file, (int64_t)AVRO_FILE_MAGIC.bytes, AVRO_FILE_MAGIC.bytes, &text, err);
    if (status == STATUS_OK && !span_equal(buffer_span(&text), AVRO_FILE_MAGIC))
        status = error_set(err, STATUS_INVALID, "%s is no Avro container file: it does not begin with Obj", name);
    if (status == STATUS_OK)
        status = read_map(file, &text, err);
    if (status == STATUS_OK)
        status = take_sync(file, file->sync, err);
    buffer_free(&text);
    if (status == STATUS_OK)
        *out = file;
    else
        avro_file_free(file);
    return status;
}

static enum status unpack_block(struct avro_file *file, struct error *err)
{
    struct span packed = buffer_span(&file->packed);
    bool whole = true;
    buffer_clear(&file->block);
    if (file->codec == CODEC_DEFLATE)
        whole = decompress_deflate(packed, BLOCK_BYTES_MAX, &file->block);
    else if (file->codec == CODEC_ZSTANDARD)
        whole = decompress_zstd(packed, BLOCK_BYTES_MAX, &file->block);
    if (!whole)
        return file_fault(file, "a block's compressed data is damaged, or larger than 256 MiB", err);
    file->in = cursor_of(file->codec == CODEC_NULL ? packed : buffer_span(&file->block));
    return STATUS_OK;
}

static enum status next_block(struct avro_file *file, struct error *err)
{
    int64_t bytes;
    char sync[SYNC_BYTES];
    struct span head;
    file->blocks++;
    if (byte_reader_peek(file->bytes, AVRO_FILE_MAGIC.bytes, &head, err) != STATUS_OK)
        return err->status;
    if (head.bytes >= AVRO_FILE_MAGIC.bytes && memcmp(head.data, AVRO_FILE_MAGIC.data, AVRO_FILE_MAGIC.bytes) == 0)
        return file_fault(file, "another Avro file begins here: give joined files one by one", err);
    buffer_clear(&file->packed);
    if (take_long(file, &file->left, err) != STATUS_OK || take_long(file, &bytes, err) != STATUS_OK ||
        take_bytes(file, bytes, BLOCK_BYTES_MAX, &file->packed, err) != STATUS_OK ||
        take_sync(file, sync, err) != STATUS_OK)
        return err->status;
    if (memcmp(sync, file->sync, SYNC_BYTES) != 0 || file->left < 0)
        return file_fault(file, "the file is damaged: a block does not end with the file's marker", err);
    if (unpack_block(file, err) != STATUS_OK)
        return err->status;
    if ((uint64_t)file->left > cursor_left(&file->in))
        return file_fault(file, "the file is damaged: a block claims more records than it has bytes", err);
    return STATUS_OK;
}

enum status avro_file_next(struct avro_file *file, struct cursor **in, struct error *err)
{
    struct span head;
    while (!file->left) {
        if (cursor_left(&file->in))
            return file_fault(file, "the file is damaged: a block has more bytes than records", err);
        if (byte_reader_peek(file->bytes, 1, &head, err) != STATUS_OK)
            return err->status;
        if (!head.bytes) {
            *in = NULL;
            return STATUS_OK;
        }
        if (next_block(file, err) != STATUS_OK)
            return err->status;
    }
    *in = &file->in;
    return STATUS_OK;
}

void avro_file_taken(struct avro_file *file)
{
    file->left--;
}
