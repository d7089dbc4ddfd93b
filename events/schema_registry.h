/* Our schemas at a schema registry (registry_client.h): which are registered where, and what must be readable. */
#pragma once

#include "avro/registry_client.h"
#include "events/schema.h"

/* Topics that matter to a program; NULL: not to this one. */
struct schema_topics {
    const char *input;  /* its latest schema must be readable as our event schema */
    const char *output; /* our prediction schema is registered there, and its id becomes the schema's */
    const char *alerts; /* … and our alert schema */
    const char *events; /* our event schema is registered there, and its id becomes the schema's (producers) */
};

/* registry_client_new, whose thread sets the ids of those schemas. Borrows the schema. */
MUST_USE enum status schema_registry_start(const struct registry_settings *settings, struct schema *schema,
                                           const struct schema_topics *topics, struct registry_client **out,
                                           struct error *err);
/* registry_client_check. */
MUST_USE enum status schema_registry_check(const struct registry_settings *settings, struct schema *schema,
                                           const struct schema_topics *topics, struct error *finding,
                                           struct error *err);
