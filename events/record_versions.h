/* Records of ours of any version: what a scorer of another day wrote, in today's layout. One per thread and record.
 *
 * Today's own layout goes the short way, as it is; other versions of ids.json, and of the registry where there is one,
 * are resolved against it as the Avro specification says. */
#pragma once

#include "avro/registry_client.h"
#include "base/memory.h"
#include "events/error_codes.h"
#include "events/schema_private.h"

struct record_versions;

/* Borrows all: our own type, its versions, and its wire id (0: not given yet). */
struct record_versions *record_versions_new(const struct avro_type *ours, const struct schema_versions *versions,
                                            const _Atomic uint32_t *id);
void record_versions_free(struct record_versions *versions);
void record_versions_use_registry(struct record_versions *versions, struct registry_client *registry);

/* *out: the datum in our own layout, in `value` or in the arena. `header` and *waits as of decoder_read. */
enum event_code record_versions_read(struct record_versions *versions, struct span value, struct span header,
                                     struct arena *arena, struct span *out, struct fault *fault, bool *waits);
