/* Where a version's files are: see store_locate. MLflow writes absolute paths into a version's meta.yaml; a store that
 * was moved or copied is still read, because what stands below this root wins over what the path says. */
#include <stdlib.h>
#include <unistd.h>

#include "base/hex_digit.h"
#include "base/memory.h"
#include "base/text_print.h"
#include "registry/store.h"

/* %41 → A, in place. */
static void percent_decode(char *text)
{
    char *out = text;
    for (; *text; text++) {
        int high = text[0] == '%' ? hex_digit(text[1]) : -1, low = high >= 0 ? hex_digit(text[2]) : -1;
        *out++ = low >= 0 ? (char)(high * 16 + low) : *text;
        text += low >= 0 ? 2 : 0;
    }
    *out = '\0';
}

char *store_path_of_uri(const char *uri)
{
    bool file = strncmp(uri, "file:", 5) == 0;
    size_t scheme = strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    if (!file)
        return scheme > 1 && uri[scheme] == ':' ? NULL : mem_text(uri);
    uri += 5;
    if (strncmp(uri, "//localhost/", 12) == 0)
        uri += 11;
    else if (strncmp(uri, "//", 2) == 0)
        uri += 2;
    char *path = mem_text(uri);
    percent_decode(path);
    return path;
}

/* Where EXPERIMENT/RUN/artifacts… (or EXPERIMENT/models/ID/artifacts…) starts in a path; NULL if it has no such end. */
static const char *store_part(const char *path)
{
    const char *artifacts = NULL;
    for (const char *at = path; (at = strstr(at, "/artifacts")); at++)
        if (at[10] == '\0' || at[10] == '/')
            artifacts = at;
    if (!artifacts)
        return NULL;
    const char *start = artifacts;
    for (int components = 2; components > 0 && start > path; components--) {
        do
            start--;
        while (start > path && *start != '/');
        if (components == 1 && strncmp(start, "/models/", 8) == 0)
            components++;
    }
    return *start == '/' ? start + 1 : NULL;
}

static bool holds_model(const char *folder)
{
    char *path = text_print("%s/MLmodel", folder);
    bool holds = access(path, F_OK) == 0;
    free(path);
    return holds;
}

/* FOLDER/ID/artifacts/REST of whatever experiment; NULL if there is none. */
static char *locate_in_experiments(const struct registry *registry, const char *folder, struct span id,
                                   const char *rest)
{
    char *part = text_print("%s%.*s/artifacts%s", folder, (int)id.bytes, id.data, rest);
    char *found = store_find(registry, part, holds_model);
    free(part);
    return found;
}

/* Of "runs:/RUN/REST". */
static char *locate_run(const struct registry *registry, const char *run)
{
    const char *slash = strchr(run, '/');
    return slash ? locate_in_experiments(registry, "", (struct span){run, (size_t)(slash - run)}, slash) : NULL;
}

/* Below this root if it is there, else where the path says. NULL: neither. Takes the path. */
static char *locate_path(const struct registry *registry, char *path)
{
    const char *part = store_part(path);
    char *here = part ? store_path(registry, "%s", part) : NULL;
    if (here && holds_model(here)) {
        free(path);
        return here;
    }
    free(here);
    if (holds_model(path))
        return path;
    free(path);
    return NULL;
}

static char *locate_uri(const struct registry *registry, const char *uri, bool *foreign)
{
    if (strstr(uri, "/../"))
        return NULL;
    if (strncmp(uri, "runs:/", 6) == 0)
        return locate_run(registry, uri + 6);
    if (strncmp(uri, "models:/m-", 10) == 0 && !strchr(uri + 8, '/'))
        return locate_in_experiments(registry, "models/", span_of(uri + 8), ""); /* MLflow 3's logged models */
    char *path = store_path_of_uri(uri);
    *foreign = !path;
    return path ? locate_path(registry, path) : NULL;
}

enum status store_locate(const struct registry *registry, const char *source, const char *storage, char **folder,
                         struct error *err)
{
    bool foreign = false;
    char *found = storage && *storage ? locate_uri(registry, storage, &foreign) : NULL;
    if (!found && source && *source)
        found = locate_uri(registry, source, &foreign);
    if (!found && foreign)
        return error_set(err, STATUS_UNSUPPORTED, "its files are at %.200s, which is not a directory of this host",
                         source);
    if (!found)
        return error_set(err, STATUS_NOT_FOUND, "its files are gone: no MLmodel in %.200s",
                         source ? source : "(no source)");
    *folder = found;
    return STATUS_OK;
}
