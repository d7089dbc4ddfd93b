/* What a request says its body is, and what may be. */
#pragma once

#include <stdbool.h>

/* Whether a Content-Type (NULL: none) is this type in UTF-8, whatever parameters it has else. */
bool media_type_is(const char *header, const char *type);
/* The types of bodies that a path takes, with ", " between them. */
const char *media_types_of(const char *path);
/* Whether a Content-Type is one of those. None (NULL): under /v2 alone, where it is JSON, and without an Origin. */
bool media_type_fits(const char *header, const char *origin, const char *path);
