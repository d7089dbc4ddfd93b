/* Answers of a schema registry that outlive it and us: one small file each, replaced atomically. Off unless a directory
 * is given. A file that cannot be read or does not hold what its name says is as good as none. */
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "avro/schema_key.h"

struct registry_disk;

/* Below `directory` (made if it is missing) each registry has a directory of its own, by its address. */
MUST_USE enum status registry_disk_new(const char *directory, const char *url, struct registry_disk **out,
                                       struct error *err);
void registry_disk_free(struct registry_disk *disk);

/* All of these may be called with disk NULL: nothing is there, nothing is kept. */
bool registry_disk_get_schema(const struct registry_disk *disk, const struct schema_key *key, struct buffer *text);
void registry_disk_put_schema(struct registry_disk *disk, const struct schema_key *key, struct span text);
/* The id under which a subject has a schema. */
bool registry_disk_get_id(const struct registry_disk *disk, const char *subject, struct span text, uint32_t *id);
void registry_disk_put_id(struct registry_disk *disk, const char *subject, struct span text, uint32_t id);
