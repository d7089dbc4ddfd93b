/* A file that is written from its beginning to its end, compressed where its name ends in .gz or .zst. "-" is standard
 * output. */
#pragma once

#include "base/bytes.h"
#include "base/status.h"

struct output_file;

MUST_USE enum status output_file_open(const char *path, struct output_file **out, struct error *err);
MUST_USE enum status output_file_write(struct output_file *file, struct span bytes, struct error *err);
/* Frees it, on failure too. Only after STATUS_OK is the file whole. NULL is OK. */
MUST_USE enum status output_file_close(struct output_file *file, struct error *err);
