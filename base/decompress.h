/* Compressed files, recognised by their first bytes: gzip and Zstandard. */
#ifndef BASE_DECOMPRESS_H
#define BASE_DECOMPRESS_H

#include "base/byte_reader.h"

/* Puts a layer over *reader, which it takes, where its bytes are compressed; *found is then "gzip" or "zstd", else
 * NULL. Several members one after the other are one file. STATUS_INVALID from the layer: the compressed data is
 * damaged, or ends before its end. `name` is borrowed, for messages. */
MUST_USE enum status decompress_if_needed(struct byte_reader **reader, const char *name, const char **found,
                                          struct error *err);

#endif
