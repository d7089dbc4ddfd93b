/* Bearer tokens and what each may ask for: HTTP_TOKEN, each line of which may ask for everything (two lines while one
 * replaces the other), and the lines of HTTP_TOKENS_FILE.
 *
 * A line is `SCOPE[,SCOPE…] SHA256-OF-TOKEN [NAME]`; blank lines and those that start with # are skipped. Any thread.
 */
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "scorer/settings.h"

/* What a route needs. */
enum token_scope {
    SCOPE_OPEN, /* no token */
    SCOPE_ANY,  /* a token, whatever its scopes */
    SCOPE_SCORE,
    SCOPE_INGEST,
    SCOPE_GROUPS,
    SCOPE_PEOPLE,
    SCOPE_OPERATE,
    SCOPE_COUNT
};
/* As in the file; NULL for SCOPE_OPEN and SCOPE_ANY. */
const char *token_scope_name(enum token_scope scope);

enum token_result {
    TOKEN_PASSES,
    TOKEN_MISSING,
    TOKEN_UNKNOWN,
    TOKEN_WRONG_SCOPE,
};

enum { TOKEN_NAME_BYTES = 65 };

struct tokens;

/* Reads the file, where one is set. STATUS_INVALID: a bad line, or no token in it. Borrows settings. */
MUST_USE enum status tokens_new(const struct settings *settings, struct tokens **out, struct error *err);
void tokens_free(struct tokens *tokens);
/* Reads again what is in files; a bad one, or a line of HTTP_TOKEN with fewer than `least` characters, is logged and
 * changes nothing. */
void tokens_reload(struct tokens *tokens, size_t least);
size_t tokens_shortest(const char *lines);    /* characters of HTTP_TOKEN's shortest; SIZE_MAX: no token in it */
bool tokens_any(const struct tokens *tokens); /* false: none is set, and everybody may ask for everything */

/* `authorization`: the header or NULL. Takes as long whatever is given. The name of a known token goes to `name`. */
enum token_result tokens_check(struct tokens *tokens, enum token_scope scope, const char *authorization,
                               char name[TOKEN_NAME_BYTES]);
