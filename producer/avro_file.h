/* Avro container files (Avro 1.11, "Object Container Files"): the writer's schema, then blocks of records, with the
 * codecs null, deflate and zstandard. */
#pragma once

#include "avro/type.h"
#include "base/byte_reader.h"

struct avro_file;

/* Reads the header. STATUS_INVALID: no container file, or a damaged one; STATUS_UNSUPPORTED: another codec. Borrows
 * both. Free with avro_file_free. */
MUST_USE enum status avro_file_open(struct byte_reader *bytes, const char *name, struct avro_file **out,
                                    struct error *err);
void avro_file_free(struct avro_file *file);

const struct avro_type *avro_file_writer(const struct avro_file *file);

/* What is left of the block at hand, whose next record begins there; the next block where all of them are taken. The
 * caller moves the cursor past a record, and says so with avro_file_taken. NULL with STATUS_OK: the file's end. */
MUST_USE enum status avro_file_next(struct avro_file *file, struct cursor **in, struct error *err);
void avro_file_taken(struct avro_file *file);
