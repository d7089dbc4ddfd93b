/* Inside of registry/: whether a file is the one that was registered. */
#pragma once

#include "base/status.h"
#include "registry/types.h"

/* The value of MODEL_SHA256_TAG among a version's tags, yours to free; NULL: it has none. */
char *digest_of_tags(const struct text_list *keys, const struct text_list *values);

/* STATUS_INVALID where the file is not what the version's tag says; a version without a tag takes any. */
MUST_USE enum status digest_check(const struct model_version *version, struct span file, struct error *err);
