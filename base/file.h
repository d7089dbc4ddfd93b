/* Whole files: read with a limit, replaced atomically, directories made. Error texts name the path and the reason. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"

/* Replaces out's content by the file's; a NUL that is not counted follows it. STATUS_NOT_FOUND, STATUS_DENIED,
 * STATUS_LIMIT above max_bytes, STATUS_IO. On failure out is empty. */
MUST_USE enum status file_read(const char *path, size_t max_bytes, struct buffer *out, struct error *err);

/* The same for a file below ROOT (PATH begins with it) in a place that is for us alone, such as a cache. STATUS_DENIED:
 * it, ROOT or a directory between them is a link, another user's (but for root's), or may be written by others, so that
 * what it holds may be theirs. */
MUST_USE enum status file_read_private(const char *root, const char *path, size_t max_bytes, struct buffer *out,
                                       struct error *err);
/* That ROOT itself is such a directory. */
MUST_USE enum status file_check_private(const char *root, struct error *err);

/* A reader sees the file before or the file after, never half of it; after STATUS_OK it survives a power cut. The new
 * file stands in the same directory until it is complete, and is removed on failure. A link is followed; a device or
 * pipe is written to as it is. */
MUST_USE enum status file_write_atomic(const char *path, struct span bytes, struct error *err);

/* The same for its owner alone (mode 0600); a link is replaced, not followed. */
MUST_USE enum status file_write_private(const char *path, struct span bytes, struct error *err);

/* mkdir -p. STATUS_OK if it is there already. */
MUST_USE enum status file_make_directories(const char *path, struct error *err);

/* A directory of this user, mode 0700, for what nobody else may see: where it is missing, made (not what is above it),
 * or without `make` STATUS_NOT_FOUND. STATUS_DENIED where it is there and is something else. */
MUST_USE enum status file_make_private(const char *path, bool make, struct error *err);

/* Sets the status that errno means, with the text "cannot ACTION PATH: reason". */
enum status file_error(struct error *err, int error_number, const char *action, const char *path);
