/* Compressed files, recognised by their first bytes: gzip and Zstandard. */
#pragma once

#include "base/byte_reader.h"

/* Puts a layer over *reader, which it takes, where its bytes are compressed; *found is then "gzip" or "zstd", else
 * NULL. Several members one after the other are one file. STATUS_INVALID from the layer: the compressed data is
 * damaged, or ends before its end. `name` is borrowed, for messages. */
MUST_USE enum status decompress_if_needed(struct byte_reader **reader, const char *name, const char **found,
                                          struct error *err);

/* One block that is all there, appended to out: a raw deflate stream (RFC 1951), or Zstandard frames. False: damaged,
 * or over `most` bytes. */
MUST_USE bool decompress_deflate(struct span packed, size_t most, struct buffer *out);
MUST_USE bool decompress_zstd(struct span packed, size_t most, struct buffer *out);
