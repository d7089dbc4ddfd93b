/* Opening a file of text for a parser: decompressed, decoded to UTF-8; what is no text is refused by its name, with the
 * way out. */
#pragma once

#include "base/byte_reader.h"

/* An Avro container file begins so. */
#define AVRO_FILE_MAGIC SPAN_LITERAL("Obj\x01")

/* What was found, for a message; each NULL where it is the usual. */
struct text_found {
    const char *compression, *encoding;
};

/* Decompresses *reader, which it takes. */
MUST_USE enum status text_file_unpack(struct byte_reader **reader, const char *name, struct text_found *found,
                                      struct error *err);
/* Decodes *reader, which it takes. `encoding` NULL: found. STATUS_UNSUPPORTED: a workbook, Parquet, an archive, …; the
 * text names it and says how to convert it. */
MUST_USE enum status text_file_decode(struct byte_reader **reader, const char *name, const char *encoding,
                                      struct text_found *found, struct error *err);
/* Both, over a descriptor or memory; logs as `where` what was found. On failure *reader is still to be freed. */
MUST_USE enum status text_file_open(struct byte_reader **reader, const char *where, const char *name,
                                    const char *encoding, struct error *err);
void text_found_log(const struct text_found *found, const char *where, const char *name);
