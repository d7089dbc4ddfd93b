/* A message key that is a JSON object. */
#pragma once

#include "base/json_reader.h"
#include "events/identity.h"
#include "events/input_map.h"

/* Whether the bytes begin as a JSON object does: '{', then a quote or '}' (an id may well begin with a brace). */
bool key_json_begins(struct span text);

/* The value of the object's one field, or what `pointer` leads to (NULL: none), or the same of its member "payload", as
 * Kafka Connect writes keys: a text, or an integer as it is written. It borrows from `text` or `storage`. False: not
 * JSON, none of these, a value of another kind, or longer than an id may be. */
bool key_json_read(struct json_reader *reader, struct span text, const struct map_node *pointer,
                   char storage[static ID_BYTES_MAX], struct span *out);
