/* See schema_key.h. For messages and paths; no allocation, any thread. */
#include "avro/schema_key.h"

#include <stdio.h>

void schema_key_text(const struct schema_key *key, char text[SCHEMA_KEY_TEXT_BYTES])
{
    if (!key->is_guid) {
        snprintf(text, SCHEMA_KEY_TEXT_BYTES, "%u", key->id);
        return;
    }
    char *at = text;
    for (size_t i = 0; i < FRAME_GUID_BYTES; i++)
        at += snprintf(at, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", key->guid[i]);
}
