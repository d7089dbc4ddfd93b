/* Whether a file is the one that was registered: see digest.h. Called wherever a model's bytes come in, from a server,
 * this host's cache or a directory alike, before they are parsed; pure. */
#include "registry/digest.h"

#include <string.h>

#include "base/memory.h"
#include "base/sha256.h"

char *digest_of_tags(const struct text_list *keys, const struct text_list *values)
{
    for (size_t t = 0; t < keys->count; t++)
        if (strcmp(keys->items[t], MODEL_SHA256_TAG) == 0)
            return mem_text(values->items[t]);
    return NULL;
}

enum status digest_check(const struct model_version *version, struct span file, struct error *err)
{
    char digest[SHA256_HEX_BYTES];
    sha256_hex(file, digest);
    if (!version->sha256 || strcmp(version->sha256, digest) == 0)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "%.300s is not the file that was registered: its SHA-256 is %s, the version's tag %s says %.64s; "
                     "restore it, or register the new file as a version of its own",
                     version->path ? version->path : "the server's file", digest, MODEL_SHA256_TAG, version->sha256);
}
