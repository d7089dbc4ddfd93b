/* A message key that is a JSON object, read without a parse tree: keys are read for every event. */
#pragma once

#include "events/identity.h"

/* Whether the bytes begin as a JSON object does: '{', then a quote or '}' (an id may well begin with a brace). */
bool key_json_begins(struct span text);

/* The value of the object's one field: a text, or an integer as it is written. It borrows from `text` or `storage`.
 * False: not JSON, another number of fields, a value of another kind, or longer than an id may be. */
bool key_json_read(struct span text, char storage[static ID_BYTES_MAX], struct span *out);
