/* Reading tokens and comparing them: see tokens.h. Only digests are kept and compared, all of them each time, so that
 * the time of an answer says nothing about a token. Called on the server's threads; reloaded by the main thread. */
#include "scorer/http/tokens.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sha256.h"

enum { FILE_MAX = 1 << 20, DIGITS = SHA256_HEX_BYTES - 1, SCOPES_ALL = ~0 };

static const char *const scope_names[SCOPE_COUNT] = {
    [SCOPE_SCORE] = "score",   [SCOPE_INGEST] = "ingest",   [SCOPE_GROUPS] = "groups",
    [SCOPE_PEOPLE] = "people", [SCOPE_OPERATE] = "operate",
};

struct token {
    char digest[SHA256_HEX_BYTES]; /* lower case */
    unsigned scopes;               /* bit 1 << enum token_scope */
    char name[TOKEN_NAME_BYTES];
};

struct token_list {
    struct token *items;
    size_t count, capacity;
};

struct tokens {
    const char *path;  /* NULL: no file */
    struct secret all; /* HTTP_TOKEN; NULL: not set */
    pthread_mutex_t mutex;
    struct token_list list; /* HTTP_TOKEN first */
};

const char *token_scope_name(enum token_scope scope)
{
    return scope_names[scope];
}

static enum token_scope scope_find(struct span text)
{
    for (int scope = SCOPE_ANY + 1; scope < SCOPE_COUNT; scope++)
        if (span_equal(text, span_of(scope_names[scope])))
            return (enum token_scope)scope;
    return SCOPE_OPEN;
}

/* --- the file --- */

/* The next word of the line, or an empty one. */
static struct span next_word(struct span *line)
{
    size_t at = 0, bytes = 0;
    while (at < line->bytes && isspace((unsigned char)line->data[at]))
        at++;
    while (at + bytes < line->bytes && !isspace((unsigned char)line->data[at + bytes]))
        bytes++;
    struct span word = {line->data + at, bytes};
    *line = (struct span){word.data + bytes, line->bytes - at - bytes};
    return word;
}

static const char *read_scopes(struct span text, unsigned *out)
{
    *out = 0;
    for (const char *at = text.data, *end = at + text.bytes; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        enum token_scope scope = scope_find((struct span){at, (size_t)((comma ? comma : end) - at)});
        if (scope == SCOPE_OPEN)
            return "its scopes are not a list of score, ingest, groups, people and operate, with commas between";
        *out |= 1u << scope;
        at = (comma ? comma : end) + 1;
    }
    return NULL;
}

static const char *read_digest(struct span text, char out[SHA256_HEX_BYTES])
{
    bool sound = text.bytes == DIGITS;
    for (size_t i = 0; sound && i < DIGITS; i++) {
        sound = isxdigit((unsigned char)text.data[i]);
        out[i] = (char)tolower((unsigned char)text.data[i]);
    }
    out[sound ? DIGITS : 0] = '\0';
    return sound ? NULL : "its second word is not a SHA-256 of 64 hexadecimal digits (printf %s TOKEN | sha256sum)";
}

static const char *read_name(struct span text, struct token *token)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@";
    if (!text.bytes)
        text = (struct span){token->digest, 8};
    if (text.bytes >= TOKEN_NAME_BYTES)
        return "its name has more than 64 characters";
    memcpy(token->name, text.data, text.bytes);
    token->name[text.bytes] = '\0';
    return strspn(token->name, letters) == text.bytes ? NULL
                                                      : "its name has others than letters, digits, '.', '_', '-', '@'";
}

static void list_add(struct token_list *list, const struct token *token)
{
    list->items = mem_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
    list->items[list->count++] = *token;
}

static bool list_has(const struct token_list *list, const char *digest)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i].digest, digest))
            return true;
    return false;
}

/* What is wrong with the line, or NULL. */
static const char *read_line(struct token_list *list, struct span line)
{
    struct token token = {0};
    struct span scopes = next_word(&line), digest = next_word(&line), name = next_word(&line);
    if (!scopes.bytes || *scopes.data == '#')
        return NULL;
    const char *flaw = read_scopes(scopes, &token.scopes);
    if (!flaw)
        flaw = read_digest(digest, token.digest);
    if (!flaw)
        flaw = read_name(name, &token);
    if (!flaw && next_word(&line).bytes)
        flaw = "it has more than three words";
    if (!flaw && list_has(list, token.digest))
        flaw = "its token is a duplicate of an earlier line's, or of HTTP_TOKEN: join the scopes in one line";
    if (!flaw)
        list_add(list, &token);
    return flaw;
}

static enum status read_lines(const char *path, struct span text, struct token_list *list, struct error *err)
{
    size_t before = list->count, number = 1;
    for (const char *at = text.data, *end = at + text.bytes; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        const char *flaw = read_line(list, (struct span){at, (size_t)(stop - at)});
        if (flaw)
            return error_set(err, STATUS_INVALID, "--http-tokens-file: %s, line %zu: %s", path, number, flaw);
        at = stop + 1;
    }
    if (list->count == before)
        return error_set(err, STATUS_INVALID, "--http-tokens-file: %s holds no token", path);
    return STATUS_OK;
}

/* Who may write to it may ask for everything. */
static enum status check_mode(const char *path, struct error *err)
{
    struct stat file;
    if (stat(path, &file) == 0 && file.st_mode & S_IWOTH)
        return error_set(err, STATUS_DENIED, "--http-tokens-file: everybody may write to %s: chmod o-w it", path);
    return STATUS_OK;
}

static enum status read_file(const char *path, struct token_list *list, struct error *err)
{
    struct buffer text = {0};
    enum status status = check_mode(path, err);
    if (status != STATUS_OK)
        return status;
    status = file_read(path, FILE_MAX, &text, err);
    if (status == STATUS_OK)
        status = read_lines(path, buffer_span(&text), list, err);
    else
        error_prefix(err, "--http-tokens-file");
    buffer_free(&text);
    return status;
}

/* --- HTTP_TOKEN --- */

/* The next line that holds something; empty: there is none. */
static struct span next_token(const char **at)
{
    *at += strspn(*at, "\r\n");
    struct span line = {*at, strcspn(*at, "\r\n")};
    *at += line.bytes;
    return line;
}

size_t tokens_shortest(const char *lines)
{
    size_t least = SIZE_MAX;
    for (struct span line = next_token(&lines); line.bytes; line = next_token(&lines))
        least = line.bytes < least ? line.bytes : least;
    return least;
}

static enum status read_tokens(const char *lines, size_t least, struct token_list *list, struct error *err)
{
    struct token token = {.scopes = (unsigned)SCOPES_ALL, .name = "HTTP_TOKEN"};
    if (tokens_shortest(lines) < least)
        return error_set(
            err, STATUS_DENIED,
            "HTTP_TOKEN: a token of fewer than %zu characters can be guessed; set longer ones (openssl rand -hex 16)",
            least);
    for (struct span line = next_token(&lines); line.bytes; line = next_token(&lines)) {
        sha256_hex(line, token.digest);
        list_add(list, &token);
    }
    return STATUS_OK;
}

/* Everything that is set now. */
static enum status read_all(const struct tokens *tokens, size_t least, struct token_list *list, struct error *err)
{
    const char *lines = secret_text(tokens->all);
    enum status status = lines ? read_tokens(lines, least, list, err) : STATUS_OK;
    return status == STATUS_OK && tokens->path ? read_file(tokens->path, list, err) : status;
}

enum status tokens_new(const struct settings *settings, struct tokens **out, struct error *err)
{
    struct tokens *tokens = mem_zeroed(1, sizeof *tokens);
    tokens->path = settings->http_tokens_file;
    tokens->all = settings->http_token;
    pthread_mutex_init(&tokens->mutex, NULL);
    enum status status = read_all(tokens, 0, &tokens->list, err);
    if (status != STATUS_OK) {
        tokens_free(tokens);
        return status;
    }
    *out = tokens;
    return STATUS_OK;
}

void tokens_free(struct tokens *tokens)
{
    if (!tokens)
        return;
    pthread_mutex_destroy(&tokens->mutex);
    free(tokens->list.items);
    free(tokens);
}

void tokens_reload(struct tokens *tokens, size_t least)
{
    struct error err;
    struct token_list fresh = {0};
    if (!tokens->path && !tokens->all.file)
        return;
    if (read_all(tokens, least, &fresh, &err) != STATUS_OK) {
        log_error("http", "%s; the tokens read before stay in use", err.text);
        free(fresh.items);
        return;
    }
    pthread_mutex_lock(&tokens->mutex);
    struct token_list old = tokens->list;
    tokens->list = fresh;
    pthread_mutex_unlock(&tokens->mutex);
    free(old.items);
    log_info("http", "%zu tokens are in use, read again", fresh.count);
}

bool tokens_any(const struct tokens *tokens)
{
    return secret_text(tokens->all) || tokens->path;
}

/* --- asking --- */

static bool digests_equal(const char *a, const char *b)
{
    unsigned char difference = 0;
    for (size_t i = 0; i < DIGITS; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return !difference;
}

/* Compares with each, whichever it is. */
static struct token find(struct tokens *tokens, const char *given)
{
    char digest[SHA256_HEX_BYTES];
    struct token found = {0};
    sha256_hex(span_of(given), digest);
    pthread_mutex_lock(&tokens->mutex);
    for (size_t i = 0; i < tokens->list.count; i++)
        if (digests_equal(tokens->list.items[i].digest, digest))
            found = tokens->list.items[i];
    pthread_mutex_unlock(&tokens->mutex);
    return found;
}

enum token_result tokens_check(struct tokens *tokens, enum token_scope scope, const char *authorization,
                               char name[TOKEN_NAME_BYTES])
{
    static const char scheme[] = "Bearer ";
    if (scope == SCOPE_OPEN || !tokens_any(tokens))
        return TOKEN_PASSES;
    if (!authorization)
        return TOKEN_MISSING;
    if (strncasecmp(authorization, scheme, sizeof scheme - 1))
        return TOKEN_UNKNOWN;
    const struct token token = find(tokens, authorization + sizeof scheme - 1);
    if (!token.scopes)
        return TOKEN_UNKNOWN;
    memcpy(name, token.name, sizeof token.name);
    return scope == SCOPE_ANY || token.scopes >> scope & 1 ? TOKEN_PASSES : TOKEN_WRONG_SCOPE;
}
