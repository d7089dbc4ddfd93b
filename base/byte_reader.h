/* A file's bytes, one after the other, for parsers: from a descriptor or memory, as they are or through a layer that
 * decompresses (decompress.h) or decodes (text_encoding.h) what another reader brings.
 *
 * Memory is one block, whatever the input's size. Bytes of a pipe are handed out as they come. */
#pragma once

#include "base/bytes.h"
#include "base/status.h"

enum { BYTE_READER_BLOCK = 256 * 1024 };

/* Where the bytes come from. `read` writes at least one byte to `out`, or sets *got to 0 at the end; what it has made
 * before a failure it hands out first, and fails at the next call. `close` frees the context. */
struct byte_origin {
    enum status (*read)(void *context, char *out, size_t capacity, size_t *got, struct error *err);
    void (*close)(void *context);
    void *context;
};

/* Open for byte_reader_byte; all else goes through the functions. */
struct byte_reader {
    const char *at, *end; /* read and not handed out yet */
    char *block;
    bool ended;
    struct byte_origin origin;
    struct error failure; /* status STATUS_OK: none */
};

/* Takes the origin. Free with byte_reader_free, which closes it. */
struct byte_reader *byte_reader_new(struct byte_origin origin);
/* Borrows the descriptor, which is read from where it is, and the name (for messages). A regular file that gets shorter
 * while it is read is STATUS_IO; one that grows is read to where it ends then, and logged. */
struct byte_reader *byte_reader_of_descriptor(int descriptor, const char *name);
struct byte_reader *byte_reader_of_memory(struct span bytes); /* borrows them */
void byte_reader_free(struct byte_reader *reader);

/* The next bytes, which stay unread: `least` of them (at most BYTE_READER_BLOCK), or all up to the end, and what came
 * along with them. They live until the next call. */
MUST_USE enum status byte_reader_peek(struct byte_reader *reader, size_t least, struct span *out, struct error *err);
/* At least one byte, or *got 0 at the end. A failure is final. */
MUST_USE enum status byte_reader_read(struct byte_reader *reader, char *out, size_t capacity, size_t *got,
                                      struct error *err);

/* Reads on when all is handed out; false at the end or on failure (byte_reader_status). */
bool byte_reader_refill(struct byte_reader *reader);
/* STATUS_OK, or why byte_reader_byte ended. */
MUST_USE enum status byte_reader_status(const struct byte_reader *reader, struct error *err);

/* The next byte, or -1 at the end or on failure. */
static inline int byte_reader_byte(struct byte_reader *reader)
{
    if (reader->at == reader->end && !byte_reader_refill(reader))
        return -1;
    return (unsigned char)*reader->at++;
}
