/* Secrets that may come from files, which are read again while the program runs (SIGHUP): passwords, tokens, addresses
 * with a password in them.
 *
 * Any thread may ask for the text at any time, and gets the latest; each text stays valid until the file is freed.
 * Whoever uses a secret more than once keeps the struct secret and asks again. Never printed. */
#pragma once

#include <stdbool.h>

#include "base/status.h"

struct secret_file;

/* Plain data. */
struct secret {
    const char *text;               /* where it is in no file; NULL: none */
    const struct secret_file *file; /* NULL: in none */
};

/* NULL: none. */
const char *secret_text(struct secret secret);

/* Reads the file that the environment variable `variable` (as "DATABASE_URL_FILE") names, without the line ends after
 * its text. STATUS_INVALID: it cannot be read, is empty or no text. */
MUST_USE enum status secret_file_new(const char *variable, const char *path, struct secret_file **out,
                                     struct error *err);
void secret_file_free(struct secret_file *file);
/* As secret_file_new; a failure changes nothing. One thread at a time. */
MUST_USE enum status secret_file_reread(struct secret_file *file, bool *changed, struct error *err);
const char *secret_file_text(const struct secret_file *file);
const char *secret_file_variable(const struct secret_file *file);
const char *secret_file_path(const struct secret_file *file);
